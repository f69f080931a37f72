#include "broker/shard/local_log.hpp"

#include "storage/commit_chain.hpp"
#include "storage/mark_file.hpp"
#include "storage/memory_store.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace weir::shard {
namespace {

using proto::CommitIndex;
using storage::CommitFault;
using storage::CommitPoint;
using storage::MemoryStore;
using storage::MissingCommits;
using storage::RowMap;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kForEver = std::chrono::hours(1);

// Runs what was posted on the thread that asks.
class ManualExecutor {
 public:
  std::function<void(std::function<void()>)> poster() {
    return [this](std::function<void()> work) {
      const std::scoped_lock lock(mutex_);
      work_.push_back(std::move(work));
      changed_.notify_one();
    };
  }

  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, kPatience, [this] { return !work_.empty(); }));
        work = std::move(work_.front());
        work_.pop_front();
      }
      work();
    }
  }

  // What is there already.
  void run_posted() {
    while (true) {
      std::function<void()> work;
      {
        const std::scoped_lock lock(mutex_);
        if (work_.empty()) {
          return;
        }
        work = std::move(work_.front());
        work_.pop_front();
      }
      work();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
};

struct Heard final : CommitListener {
  void on_committed(CommitIndex index) override { committed.push_back(index.value); }
  void on_log_failed(const proto::Error& error) override { failures.push_back(error); }
  void on_leadership(bool leader, std::uint32_t epoch) override {
    leadership.emplace_back(leader, epoch);
  }
  [[nodiscard]] std::uint64_t last() const { return committed.empty() ? 0 : committed.back(); }

  std::vector<std::uint64_t> committed;
  std::vector<proto::Error> failures;
  std::vector<std::pair<bool, std::uint32_t>> leadership;
};

// A disk whose commits wait at a gate while it is closed.
class GatedStore final : public storage::KeyValueStore {
 public:
  explicit GatedStore(MemoryStore& store) : store_(store) {}

  [[nodiscard]] std::unique_ptr<storage::Reader> snapshot() const override {
    return store_.snapshot();
  }
  [[nodiscard]] proto::Result<> commit(
      std::span<const storage::WriteBatch* const> batches) override {
    std::unique_lock lock(mutex_);
    ++arrived_;
    units_.push_back(batches.size() - 1);
    changed_.notify_all();
    changed_.wait(lock, [this] { return permits_ > 0 || is_open_; });
    permits_ = is_open_ ? permits_ : permits_ - 1;
    return store_.commit(batches);
  }

  void close() {
    const std::scoped_lock lock(mutex_);
    is_open_ = false;
  }
  void open() {
    const std::scoped_lock lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void let_one_through() {
    const std::scoped_lock lock(mutex_);
    ++permits_;
    changed_.notify_all();
  }
  void wait_for_arrivals(std::size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kPatience, [&] { return arrived_ >= count; }));
  }
  // Units in each commit so far.
  [[nodiscard]] std::vector<std::size_t> units() {
    const std::scoped_lock lock(mutex_);
    return units_;
  }

 private:
  MemoryStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = true;
  std::size_t permits_ = 0;
  std::size_t arrived_ = 0;
  std::vector<std::size_t> units_;
};

// While it lives, writes to files fail from this offset on, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

CommitUnit a_unit(std::uint64_t index, std::string value = "x") {
  CommitUnit unit;
  unit.index = CommitIndex(index);
  unit.time = static_cast<proto::TimeMs>(1000 + index);
  unit.rows.put(storage::Family::kState, "row" + std::to_string(index), std::move(value));
  return unit;
}

struct LocalLogTest : testing::Test {
  LocalLog& start(LocalLogOptions options = {}) {
    RecoveredLog recovered = recover_log(store).value();
    return start_with(std::move(recovered), std::move(options));
  }
  LocalLog& start_with(RecoveredLog recovered, LocalLogOptions options = {}) {
    options.post = executor.poster();
    log.emplace(gate, std::move(recovered), heard, std::move(options));
    return *log;
  }
  void run_until_committed(std::uint64_t index) {
    executor.run_until([&] { return heard.last() >= index; });
  }

  MemoryStore store;
  GatedStore gate{store};
  ManualExecutor executor;
  Heard heard;
  std::optional<LocalLog> log;
};

TEST_F(LocalLogTest, TellsOfItsLeadershipFirst) {
  start().submit(a_unit(1));
  run_until_committed(1);
  EXPECT_EQ(heard.leadership, (std::vector<std::pair<bool, std::uint32_t>>{{true, 0}}));
}

TEST_F(LocalLogTest, AnIdleLogCommitsAtOnce) {
  LocalLog& local = start({.gather_time = kForEver});
  for (std::uint64_t index = 1; index <= 20; ++index) {
    local.submit(a_unit(index));
    run_until_committed(index);
  }
  EXPECT_EQ(heard.committed.size(), 20U);
}

TEST_F(LocalLogTest, WhatComesDuringACommitIsCommittedTogether) {
  gate.close();
  LocalLog& local = start({.gather_time = std::chrono::microseconds(0)});
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  for (std::uint64_t index = 2; index <= 10; ++index) {
    local.submit(a_unit(index));
  }
  gate.open();
  run_until_committed(10);
  EXPECT_EQ(gate.units(), (std::vector<std::size_t>{1, 9}));
  EXPECT_EQ(heard.committed, (std::vector<std::uint64_t>{1, 10})) << "one completion a commit";
}

TEST_F(LocalLogTest, ACommitThatDoesNotEndIsAStall) {
  gate.close();
  LocalLog& local = start({.stalled_after = std::chrono::milliseconds(0)});
  EXPECT_FALSE(local.is_stalled());
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  EXPECT_TRUE(local.is_stalled());
  gate.open();
  run_until_committed(1);
  EXPECT_FALSE(local.is_stalled());
}

TEST_F(LocalLogTest, WhatGathersWaitsForEnoughBytes) {
  gate.close();
  LocalLog& local = start({.gather_bytes = 1000, .gather_time = kForEver});
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  local.submit(a_unit(2));
  gate.open();
  run_until_committed(1);
  local.submit(a_unit(3));
  local.submit(a_unit(4, std::string(1000, 'x')));
  run_until_committed(4);
  EXPECT_EQ(gate.units(), (std::vector<std::size_t>{1, 3}));
}

TEST_F(LocalLogTest, WhatGathersGoesWhenItIsOldEnough) {
  gate.close();
  LocalLog& local = start({.gather_bytes = 1'000'000});
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  local.submit(a_unit(2));
  gate.open();
  run_until_committed(2);
  EXPECT_EQ(gate.units(), (std::vector<std::size_t>{1, 1}));
}

TEST_F(LocalLogTest, TellsSoonOnceCommitsHaveBeenShort) {
  LocalLog& local = start({.spin_time = kForEver});
  for (std::uint64_t index = 1; index <= 10; ++index) {
    local.submit(a_unit(index));
    run_until_committed(index);
  }
  EXPECT_FALSE(local.tells_soon()) << "nothing is outstanding";
  gate.close();
  local.submit(a_unit(11));
  EXPECT_TRUE(local.tells_soon());
  gate.open();
  run_until_committed(11);
  EXPECT_FALSE(local.tells_soon());
}

TEST_F(LocalLogTest, AnAwakeThreadSeesTheEnd) {
  LocalLog& local = start({.spin_time = kForEver});
  for (std::uint64_t index = 1; index <= 10; ++index) {
    local.submit(a_unit(index));
    run_until_committed(index);
  }
  local.submit(a_unit(11));
  local.stop();
  executor.run_posted();
  EXPECT_EQ(heard.last(), 11U);
}

TEST_F(LocalLogTest, NeverTellsSoonWithoutTimeToSpin) {
  LocalLog& local = start();
  for (std::uint64_t index = 1; index <= 10; ++index) {
    local.submit(a_unit(index));
    EXPECT_FALSE(local.tells_soon());
    run_until_committed(index);
  }
}

TEST_F(LocalLogTest, BoundsTheBytesOfOneCommit) {
  gate.close();
  LocalLog& local = start({.gather_bytes = 1, .max_commit_bytes = 1500});
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  for (std::uint64_t index = 2; index <= 6; ++index) {
    local.submit(a_unit(index, std::string(1000, 'x')));
  }
  gate.open();
  run_until_committed(6);
  EXPECT_EQ(gate.units(), (std::vector<std::size_t>{1, 2, 2, 1}));
}

TEST_F(LocalLogTest, CountsTheBytesThatAreNotCommitted) {
  gate.close();
  LocalLog& local = start();
  EXPECT_EQ(local.backlog_bytes(), 0U);
  CommitUnit unit = a_unit(1);
  const std::size_t bytes = unit.rows.bytes();
  local.submit(std::move(unit));
  gate.wait_for_arrivals(1);
  local.submit(a_unit(2));
  EXPECT_EQ(local.backlog_bytes(), 2 * bytes);
  gate.let_one_through();
  run_until_committed(1);
  EXPECT_EQ(local.backlog_bytes(), bytes);
  gate.open();
  run_until_committed(2);
  EXPECT_EQ(local.backlog_bytes(), 0U);
}

TEST_F(LocalLogTest, SaysHowLongItHasWaitedForTheDisk) {
  LocalLog& local = start({.gather_time = std::chrono::microseconds(0)});
  EXPECT_EQ(local.waits_for().count(), 0);
  gate.close();
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  const auto waited = local.waits_for();
  EXPECT_GT(waited.count(), 0);
  local.submit(a_unit(2));
  EXPECT_GE(local.waits_for(), waited) << "counted from the oldest";
  gate.open();
  run_until_committed(2);
  EXPECT_EQ(local.waits_for().count(), 0);
}

TEST_F(LocalLogTest, EveryCommitCarriesItsPoint) {
  LocalLog& local = start();
  CommitPoint expected;
  for (std::uint64_t index = 1; index <= 50; ++index) {
    const CommitUnit unit = a_unit(index);
    expected = storage::next_point(expected, unit.index, unit.time, unit.rows);
    local.submit(a_unit(index));
  }
  run_until_committed(50);
  EXPECT_EQ(recover_log(store).value().last, expected) << "however the units were grouped";
}

TEST_F(LocalLogTest, TimeInThePointNeverGoesBack) {
  LocalLog& local = start();
  local.submit(a_unit(1));
  CommitUnit earlier = a_unit(2);
  earlier.time = 5;
  local.submit(std::move(earlier));
  run_until_committed(2);
  EXPECT_EQ(recover_log(store).value().last.time, 1001);
}

TEST_F(LocalLogTest, GoesOnWhereItStopped) {
  start().submit(a_unit(1));
  run_until_committed(1);
  log.reset();
  LocalLog& local = start();
  local.submit(a_unit(2));
  run_until_committed(2);
  EXPECT_EQ(recover_log(store).value().last.index, CommitIndex(2));
  EXPECT_EQ(rows_of(store).size(), 3U);
}

TEST_F(LocalLogTest, AFailureIsFinal) {
  LocalLog& local = start();
  local.submit(a_unit(1));
  run_until_committed(1);
  store.fail_next_commit(CommitFault::kBeforeWrite);
  local.submit(a_unit(2));
  executor.run_until([&] { return !heard.failures.empty(); });
  local.submit(a_unit(3));
  local.stop();
  executor.run_posted();
  EXPECT_EQ(heard.failures.size(), 1U);
  EXPECT_EQ(heard.failures.front().code, proto::Errc::kStorageFailed);
  EXPECT_EQ(heard.committed, (std::vector<std::uint64_t>{1}));
  store.crash_losing_unsynced();
  EXPECT_EQ(recover_log(store).value().last.index, CommitIndex(1));
}

TEST_F(LocalLogTest, WhatGatheredBehindAFailureIsNotWritten) {
  gate.close();
  LocalLog& local = start();
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  local.submit(a_unit(2));
  store.fail_next_commit(CommitFault::kAfterWrite);
  gate.open();
  executor.run_until([&] { return !heard.failures.empty(); });
  local.stop();
  EXPECT_EQ(gate.units(), (std::vector<std::size_t>{1}));
}

TEST_F(LocalLogTest, StopCommitsWhatWasSubmitted) {
  gate.close();
  LocalLog& local = start({.gather_time = kForEver});
  local.submit(a_unit(1));
  gate.wait_for_arrivals(1);
  local.submit(a_unit(2));
  local.submit(a_unit(3));
  gate.open();
  local.stop();
  executor.run_posted();
  EXPECT_EQ(heard.last(), 3U);
  local.submit(a_unit(4));
  local.stop();
  executor.run_posted();
  EXPECT_EQ(heard.last(), 3U);
}

TEST_F(LocalLogTest, NobodyIsToldAfterItIsDestroyed) {
  LocalLog& local = start();
  local.submit(a_unit(1));
  log.reset();
  executor.run_posted();
  EXPECT_TRUE(heard.committed.empty());
  EXPECT_TRUE(heard.leadership.empty());
  EXPECT_EQ(recover_log(store).value().last.index, CommitIndex(1));
}

TEST_F(LocalLogTest, SamplesEveryCommit) {
  std::mutex mutex;
  std::vector<CommitSample> samples;
  LocalLog& local = start({.on_commit = [&](const CommitSample& sample) {
    const std::scoped_lock lock(mutex);
    samples.push_back(sample);
  }});
  const std::size_t bytes = a_unit(1).rows.bytes();
  local.submit(a_unit(1));
  run_until_committed(1);
  local.stop();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].units, 1U);
  EXPECT_EQ(samples[0].bytes, bytes);
  EXPECT_GE(samples[0].took.count(), 0);
}

struct MarkedLogTest : LocalLogTest {
  RecoveredLog recover() { return recover_log(store, mark_path, MissingCommits::kRefuse).value(); }

  storage::TempDir directory;
  std::string mark_path = directory.file("mark");
};

TEST_F(MarkedLogTest, TheMarkFollowsTheCommits) {
  LocalLog& local = start_with(recover());
  for (std::uint64_t index = 1; index <= 100; ++index) {
    local.submit(a_unit(index));
  }
  run_until_committed(100);
  local.stop();
  log.reset();
  EXPECT_EQ(storage::MarkFile::open(mark_path).value().last(), recover_log(store).value().last);
  EXPECT_EQ(recover().last.index, CommitIndex(100));
}

TEST_F(MarkedLogTest, ALostCommitIsNoticedAtTheNextStart) {
  start_with(recover()).submit(a_unit(1));
  run_until_committed(1);
  log.reset();
  MemoryStore shorter;
  const auto refused = recover_log(shorter, mark_path, MissingCommits::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("data loss"), std::string::npos);
  const auto accepted = recover_log(shorter, mark_path, MissingCommits::kAccept);
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->accepted_loss);
}

TEST_F(MarkedLogTest, TheMarkIsWrittenWithoutAStop) {
  LocalLog& local = start_with(recover(), {.mark_delay = std::chrono::milliseconds(1)});
  local.submit(a_unit(1));
  run_until_committed(1);
  // The keeper's own thread brings it there; only its time is not in our hands.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::uint64_t marked = 0;
  while (marked != 1 && std::chrono::steady_clock::now() < deadline) {
    marked = storage::MarkFile::open(mark_path).value().last().index.value;
  }
  EXPECT_EQ(marked, 1U);
}

TEST_F(MarkedLogTest, AMarkThatCannotBeWrittenStopsTheLog) {
  LocalLog& local = start_with(recover(), {.mark_delay = std::chrono::milliseconds(1)});
  const FileSizeLimit none_behind(4096);
  local.submit(a_unit(1));
  executor.run_until([&] { return !heard.failures.empty(); });
  local.stop();
  executor.run_posted();
  ASSERT_EQ(heard.failures.size(), 1U);
  EXPECT_NE(heard.failures.front().message.find(mark_path), std::string::npos);
}

}  // namespace
}  // namespace weir::shard
