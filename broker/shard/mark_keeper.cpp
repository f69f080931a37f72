#include "broker/shard/mark_keeper.hpp"

#include <utility>

namespace weir::shard {

MarkKeeper::MarkKeeper(storage::MarkFile mark, std::chrono::milliseconds delay,
                       std::function<void(const proto::Error&)> on_failed)
    : mark_(std::move(mark)),
      delay_(delay),
      on_failed_(std::move(on_failed)),
      newest_(mark_.last()),
      written_(mark_.last()),
      thread_([this] { run(); }) {}

MarkKeeper::~MarkKeeper() {
  stop();
}

void MarkKeeper::advance(const storage::CommitPoint& point) {
  bool is_first_unwritten = false;
  {
    const std::scoped_lock lock(mutex_);
    is_first_unwritten = newest_ == written_;
    newest_ = point;
  }
  if (is_first_unwritten) {
    changed_.notify_one();
  }
}

void MarkKeeper::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void MarkKeeper::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || newest_ != written_; });
    if (newest_ == written_) {
      return;
    }
    changed_.wait_for(lock, delay_, [this] { return stopping_; });
    const storage::CommitPoint point = newest_;
    lock.unlock();
    const proto::Result<> marked = mark_.write(point);
    if (!marked) {
      on_failed_(marked.error());
      return;
    }
    lock.lock();
    written_ = point;
  }
}

}  // namespace weir::shard
