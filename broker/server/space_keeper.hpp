#pragma once

#include "storage/rocks/rocks_store.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace weir::server {

/// While the disk is full, has the store give back what was deleted, every few seconds, on a thread
/// of its own: without sends hardly anything is written, and by itself the store frees space only
/// where it writes.
class SpaceKeeper {
 public:
  /// `store` outlives it.
  explicit SpaceKeeper(storage::RocksStore& store);
  /// Breaks off what is under way, and waits for its end.
  ~SpaceKeeper();
  SpaceKeeper(const SpaceKeeper&) = delete;
  SpaceKeeper& operator=(const SpaceKeeper&) = delete;

  /// To be told at each look at the disk. Never waits.
  void look(bool is_full, std::uint64_t free_bytes);

 private:
  void run();

  storage::RocksStore& store_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  bool busy_ = false;
  std::uint64_t spare_bytes_ = 0;
  std::chrono::steady_clock::time_point not_before_;
  std::thread thread_;
};

}  // namespace weir::server
