#include "broker/server/space_keeper.hpp"

#include <spdlog/spdlog.h>

namespace weir::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPause{3};

}  // namespace

SpaceKeeper::SpaceKeeper(storage::RocksStore& store) : store_(store), thread_([this] { run(); }) {}

SpaceKeeper::~SpaceKeeper() {
  stopping_.store(true);
  {
    const std::scoped_lock lock(mutex_);
    changed_.notify_all();
  }
  thread_.join();
}

void SpaceKeeper::look(bool is_full, std::uint64_t free_bytes) {
  const std::scoped_lock lock(mutex_);
  if (!is_full || busy_ || Clock::now() < not_before_) {
    return;
  }
  wanted_ = true;
  // Acks go on meanwhile and need space, too.
  spare_bytes_ = free_bytes / 2;
  changed_.notify_all();
}

void SpaceKeeper::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return wanted_ || stopping_.load(); });
    if (stopping_.load()) {
      return;
    }
    wanted_ = false;
    busy_ = true;
    const std::uint64_t spare_bytes = spare_bytes_;
    lock.unlock();
    if (const proto::Result<> freed = store_.free_space(spare_bytes, stopping_); !freed) {
      spdlog::warn("{}", freed.error().message);
    }
    lock.lock();
    busy_ = false;
    not_before_ = Clock::now() + kPause;
  }
}

}  // namespace weir::server
