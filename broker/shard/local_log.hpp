#pragma once

#include "broker/shard/mark_keeper.hpp"
#include "broker/shard/replicated_log.hpp"
#include "broker/shard/short_wait.hpp"
#include "storage/commit_chain.hpp"
#include "storage/kv.hpp"
#include "storage/mark_file.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::shard {

/// What a restart found on disk.
struct RecoveredLog {
  /// The last commit; the next unit has its index + 1.
  storage::CommitPoint last;
  /// None where nothing outlives the process anyway.
  std::optional<storage::MarkFile> mark = std::nullopt;
  /// Commits were given up on a person's word: offsets and ids may come a second time, so the shard
  /// must raise its incarnation.
  bool accepted_loss = false;
};

/// Reads the last commit and compares it with the mark file. STORAGE_FAILED, with a message for a
/// person, when commits are missing or the history is another one (see storage/mark_file.hpp).
[[nodiscard]] proto::Result<RecoveredLog> recover_log(const storage::KeyValueStore& store,
                                                      const std::string& mark_path,
                                                      storage::MissingCommits missing);
/// The same without a mark, for a store in memory.
[[nodiscard]] proto::Result<RecoveredLog> recover_log(const storage::KeyValueStore& store);

/// One commit, for histograms.
struct CommitSample {
  std::chrono::nanoseconds took{0};  // write and sync
  std::size_t bytes = 0;             // keys and values
  std::size_t units = 0;
};

struct LocalLogOptions {
  /// Runs the function later on the shard's executor; never inline. Called on the log's threads.
  std::function<void(std::function<void()>)> post = {};
  /// Hears of every commit, on the commit thread. May be empty.
  std::function<void(const CommitSample&)> on_commit = {};
  /// What gathers while a commit is outstanding goes when it is this much, or this old. A sync
  /// costs about 130 us of CPU and is where the disk stalls, so smaller ones cost more than they
  /// save.
  std::size_t gather_bytes = std::size_t{64} << 10;
  std::chrono::microseconds gather_time{300};
  /// One commit takes no more units once it has this many bytes: bounds the copy that the database
  /// makes of it.
  std::size_t max_commit_bytes = std::size_t{8} << 20;
  /// A wait that is likely to be over within this is spent awake, giving way to whoever can run.
  /// Zero turns that off.
  std::chrono::microseconds spin_time{0};
  /// With the write itself this keeps the mark at most 100 ms behind, unless the disk stalls.
  std::chrono::milliseconds mark_delay{80};
  /// A commit that takes longer hangs: an ordinary one takes milliseconds.
  std::chrono::milliseconds stalled_after{1'000};
};

/// The log of a broker that stands alone: one disk. A thread takes everything submitted, commits it
/// as one change with one sync, and posts one completion.
///
/// An idle log commits at once; while a commit is outstanding the next one gathers. The first
/// failure, of the store or of the mark file, is final: on_log_failed, and nothing is written after
/// it. Constructed, called and destroyed on the shard's executor (or where that no longer runs).
class LocalLog final : public ReplicatedLog {
 public:
  /// The leadership of epoch 0 is posted first. `store` and `listener` outlive the log.
  LocalLog(storage::KeyValueStore& store, RecoveredLog recovered, CommitListener& listener,
           LocalLogOptions options);
  /// stop(); completions that were posted and did not run yet are dropped.
  ~LocalLog() override;
  LocalLog(const LocalLog&) = delete;
  LocalLog& operator=(const LocalLog&) = delete;

  void submit(CommitUnit unit) override;
  [[nodiscard]] std::size_t backlog_bytes() const override;
  [[nodiscard]] bool wants_records() const override { return false; }

  /// True while a commit is outstanding that is likely to be told within options.spin_time: the
  /// executor does well to stay awake for it.
  [[nodiscard]] bool tells_soon() const;

  /// How long the commit that is under way has been; zero between commits.
  [[nodiscard]] std::chrono::steady_clock::duration waits_for() const;
  /// That is longer than options.stalled_after: the disk hangs.
  [[nodiscard]] bool is_stalled() const { return waits_for() > options_.stalled_after; }

  /// Commits what was submitted, marks it and ends the threads. Blocks. Completions are still
  /// posted. What is submitted afterwards is dropped.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    CommitUnit unit;
    Clock::time_point submitted;
  };
  // What the commit thread is doing, and so whether a new unit has to wake it.
  enum class Phase : std::uint8_t { kIdle, kSpinning, kGathering, kCommitting };
  // Shared with posted functions, which may run after the log is gone.
  struct Executor {
    explicit Executor(std::chrono::microseconds spin_time) : told(spin_time) {}
    std::atomic<std::size_t> backlog_bytes = 0;
    // The executor's alone:
    CommitListener* listener = nullptr;
    proto::CommitIndex last_told;
    ShortWait told;
  };

  void run();
  void spin(std::unique_lock<std::mutex>& lock);
  bool wait_for_group(std::unique_lock<std::mutex>& lock, bool was_gathering);
  std::vector<CommitUnit> take_group();
  proto::Result<std::size_t> commit(const std::vector<CommitUnit>& group);
  void post_committed(std::size_t bytes);
  void fail(const proto::Error& error);

  storage::KeyValueStore& store_;
  const LocalLogOptions options_;
  const std::shared_ptr<Executor> executor_;
  proto::CommitIndex last_submitted_;

  // The commit thread's.
  storage::CommitPoint last_;
  ShortWait work_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> pending_;
  std::size_t pending_bytes_ = 0;
  Phase phase_ = Phase::kIdle;
  /// When the commit under way began, in ticks of Clock; 0 between commits.
  std::atomic<Clock::rep> commit_began_ = 0;
  std::atomic<bool> has_news_ = false;  // something is pending, or the end; seen without the lock
  bool stopping_ = false;
  bool failed_ = false;

  std::optional<MarkKeeper> keeper_;
  std::thread thread_;
};

}  // namespace weir::shard
