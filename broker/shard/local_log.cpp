#include "broker/shard/local_log.hpp"

#include "proto/assert.hpp"

#include <algorithm>
#include <utility>

namespace weir::shard {

proto::Result<RecoveredLog> recover_log(const storage::KeyValueStore& store) {
  const proto::Result<storage::CommitPoint> last = storage::read_commit_point(*store.snapshot());
  if (!last) {
    return last.error();
  }
  return RecoveredLog{.last = *last};
}

proto::Result<RecoveredLog> recover_log(const storage::KeyValueStore& store,
                                        const std::string& mark_path,
                                        storage::MissingCommits missing) {
  proto::Result<RecoveredLog> recovered = recover_log(store);
  if (!recovered) {
    return recovered;
  }
  proto::Result<storage::CheckedMark> mark =
      storage::open_checked_mark(mark_path, recovered->last, missing);
  if (!mark) {
    return mark.error();
  }
  recovered->mark = std::move(mark->file);
  recovered->accepted_loss = mark->accepted_loss;
  return recovered;
}

LocalLog::LocalLog(storage::KeyValueStore& store, RecoveredLog recovered, CommitListener& listener,
                   LocalLogOptions options)
    : store_(store),
      options_(std::move(options)),
      executor_(std::make_shared<Executor>(options_.spin_time)),
      last_submitted_(recovered.last.index),
      last_(recovered.last),
      work_(options_.spin_time) {
  executor_->last_told = recovered.last.index;
  executor_->listener = &listener;
  options_.post([executor = executor_] {
    if (executor->listener != nullptr) {
      executor->listener->on_leadership(true, 0);
    }
  });
  if (recovered.mark) {
    keeper_.emplace(std::move(*recovered.mark), options_.mark_delay,
                    [this](const proto::Error& error) { fail(error); });
  }
  thread_ = std::thread([this] { run(); });
}

LocalLog::~LocalLog() {
  stop();
  executor_->listener = nullptr;
}

void LocalLog::submit(CommitUnit unit) {
  WEIR_ASSERT(unit.index.value == last_submitted_.value + 1, "units come in order, without gaps");
  const Clock::time_point now = Clock::now();
  if (executor_->last_told == last_submitted_) {
    executor_->told.begin(now);
  }
  last_submitted_ = unit.index;
  const std::size_t bytes = unit.rows.bytes();
  executor_->backlog_bytes.fetch_add(bytes, std::memory_order_relaxed);
  bool wakes = false;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || failed_) {
      return;
    }
    pending_.push_back(Entry{.unit = std::move(unit), .submitted = now});
    pending_bytes_ += bytes;
    has_news_.store(true, std::memory_order_release);
    wakes = phase_ == Phase::kIdle ||
            (phase_ == Phase::kGathering && pending_bytes_ >= options_.gather_bytes);
  }
  if (wakes) {
    changed_.notify_one();
  }
}

bool LocalLog::tells_soon() const {
  return executor_->last_told != last_submitted_ && executor_->told.pays(Clock::now());
}

LocalLog::Clock::duration LocalLog::waits_for() const {
  const Clock::rep began = commit_began_.load(std::memory_order_relaxed);
  return began == 0 ? Clock::duration::zero()
                    : Clock::now().time_since_epoch() - Clock::duration(began);
}

std::size_t LocalLog::backlog_bytes() const {
  return executor_->backlog_bytes.load(std::memory_order_relaxed);
}

void LocalLog::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    has_news_.store(true, std::memory_order_release);
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
  if (keeper_) {
    keeper_->stop();
  }
}

void LocalLog::run() {
  std::unique_lock lock(mutex_);
  bool gathers = false;  // something was submitted while the last commit was outstanding
  while (wait_for_group(lock, gathers)) {
    std::vector<CommitUnit> group = take_group();
    phase_ = Phase::kCommitting;
    lock.unlock();
    const proto::Result<std::size_t> bytes = commit(group);
    if (!bytes) {
      fail(bytes.error());
      return;
    }
    group.clear();  // what it holds is given up outside the lock
    lock.lock();
    if (failed_) {
      return;
    }
    gathers = !pending_.empty();
    post_committed(*bytes);
  }
}

// False when there is nothing left to do.
bool LocalLog::wait_for_group(std::unique_lock<std::mutex>& lock, bool was_gathering) {
  const auto is_ending = [this] { return stopping_ || failed_; };
  if (pending_.empty() && !is_ending()) {
    work_.begin(Clock::now());
    spin(lock);
    phase_ = Phase::kIdle;
    changed_.wait(lock, [&] { return is_ending() || !pending_.empty(); });
    work_.end(Clock::now());
  }
  if (was_gathering && !is_ending()) {
    phase_ = Phase::kGathering;
    changed_.wait_until(lock, pending_.front().submitted + options_.gather_time,
                        [&] { return is_ending() || pending_bytes_ >= options_.gather_bytes; });
  }
  return !failed_ && !pending_.empty();
}

// Whoever sends one message and waits for its answer sends the next at once: the unit that follows
// a commit is then nearer than a thread is from its sleep.
void LocalLog::spin(std::unique_lock<std::mutex>& lock) {
  phase_ = Phase::kSpinning;
  has_news_.store(false, std::memory_order_relaxed);
  lock.unlock();
  while (!has_news_.load(std::memory_order_acquire) && work_.pays(Clock::now())) {
    std::this_thread::yield();
  }
  lock.lock();
}

std::vector<CommitUnit> LocalLog::take_group() {
  std::vector<CommitUnit> group;
  std::size_t bytes = 0;
  while (!pending_.empty() && (group.empty() || bytes < options_.max_commit_bytes)) {
    bytes += pending_.front().unit.rows.bytes();
    group.push_back(std::move(pending_.front().unit));
    pending_.pop_front();
  }
  pending_bytes_ -= bytes;
  return group;
}

proto::Result<std::size_t> LocalLog::commit(const std::vector<CommitUnit>& group) {
  storage::CommitPoint point = last_;
  std::vector<const storage::WriteBatch*> batches;
  batches.reserve(group.size() + 1);
  std::size_t bytes = 0;
  for (const CommitUnit& unit : group) {
    point = storage::next_point(point, unit.index, std::max(point.time, unit.time), unit.rows);
    batches.push_back(&unit.rows);
    bytes += unit.rows.bytes();
  }
  storage::WriteBatch commit_row;
  storage::put_commit_point(commit_row, point);
  batches.push_back(&commit_row);

  const Clock::time_point begin = Clock::now();
  commit_began_.store(begin.time_since_epoch().count(), std::memory_order_relaxed);
  const proto::Result<> committed = store_.commit(batches);
  commit_began_.store(0, std::memory_order_relaxed);
  const Clock::time_point end = Clock::now();
  if (!committed) {
    return committed.error();
  }
  last_ = point;
  if (keeper_) {
    keeper_->advance(point);
  }
  if (options_.on_commit) {
    options_.on_commit({.took = end - begin, .bytes = bytes, .units = group.size()});
  }
  return bytes;
}

// Under the lock, as fail() posts: nothing is told to be committed after the failure was told.
void LocalLog::post_committed(std::size_t bytes) {
  options_.post([executor = executor_, index = last_.index, bytes] {
    executor->backlog_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    executor->last_told = index;
    const Clock::time_point now = Clock::now();
    executor->told.end(now);
    executor->told.begin(now);
    if (executor->listener != nullptr) {
      executor->listener->on_committed(index);
    }
  });
}

void LocalLog::fail(const proto::Error& error) {
  std::deque<Entry> dropped;  // destroyed after the lock is gone
  {
    const std::scoped_lock lock(mutex_);
    if (failed_) {
      return;
    }
    failed_ = true;
    has_news_.store(true, std::memory_order_release);
    dropped.swap(pending_);
    options_.post([executor = executor_, error] {
      if (executor->listener != nullptr) {
        executor->listener->on_log_failed(error);
      }
    });
  }
  changed_.notify_one();
}

}  // namespace weir::shard
