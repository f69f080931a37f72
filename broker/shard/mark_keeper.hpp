#pragma once

#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/mark_file.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::shard {

/// Keeps the mark file in step with the commits, off their path: a thread of its own writes the
/// newest point soon after it is told of one. Nothing is written while nothing is committed.
class MarkKeeper {
 public:
  /// `delay` is how long a point may wait for later ones to share its write. `on_failed` is told
  /// once, on the keeper's thread, when the file cannot be written; nothing is written after that.
  MarkKeeper(storage::MarkFile mark, std::chrono::milliseconds delay,
             std::function<void(const proto::Error&)> on_failed);
  /// stop().
  ~MarkKeeper();
  MarkKeeper(const MarkKeeper&) = delete;
  MarkKeeper& operator=(const MarkKeeper&) = delete;

  /// Tells of a commit that is durable; later points only. Never waits for the disk. Any thread.
  void advance(const storage::CommitPoint& point);
  /// Writes the newest point and ends the thread. Not from `on_failed`.
  void stop();

 private:
  void run();

  storage::MarkFile mark_;  // the thread's alone
  const std::chrono::milliseconds delay_;
  const std::function<void(const proto::Error&)> on_failed_;

  std::mutex mutex_;
  std::condition_variable changed_;
  storage::CommitPoint newest_;
  storage::CommitPoint written_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::shard
