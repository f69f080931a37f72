#pragma once

#include "broker/shard/shard.hpp"
#include "storage/kv.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::shard {

/// Reads rows for the shard on a thread of its own. What the shard has asked for bounds the queue.
class ThreadLoader final : public Loader {
 public:
  /// `post` runs a function later on the shard's executor. The store outlives the loader.
  ThreadLoader(const storage::KeyValueStore& store,
               std::function<void(std::function<void()>)> post);
  /// stop().
  ~ThreadLoader() override;
  ThreadLoader(const ThreadLoader&) = delete;
  ThreadLoader& operator=(const ThreadLoader&) = delete;

  void load(Work work) override;
  /// Ends the thread after the work at hand; what waits is dropped.
  void stop();

 private:
  void run();

  const storage::KeyValueStore& store_;
  const std::function<void(std::function<void()>)> post_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::shard
