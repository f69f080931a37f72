#pragma once

#include "broker/shard/shard.hpp"
#include "broker/shard/shard_clock.hpp"
#include "storage/commit_chain.hpp"
#include "storage/memory_store.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/replica.hpp"
#include "tests/sim/world.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace weir::sim {

/// What ended: the process, or the memory of its shard alone (reset); or the process, and with it
/// what the disk had called durable.
struct Loss {
  bool process = true;
  /// Where the disk lost what the shard had been told to be durable: the lies before that which
  /// turned out to be true.
  std::optional<std::size_t> true_lies = std::nullopt;
};

/// The machine that the broker runs on: one shard, its disk and clocks, and what can befall them.
class BrokerHost {
 public:
  struct Hears {
    /// All sessions are gone, and what was not durable may be. Told when it happens.
    std::function<void(const Loss&)> lost;
    /// A lie of the disk is about to be told: what is known now is what is truly there, as far as
    /// `lies` lies before it turn out to be true.
    std::function<void(std::size_t lies)> before_false_word;
    /// The broker is about to close in order: everything that it heard must be answered.
    std::function<void()> all_answered;
  };

  BrokerHost(World& world, const Options& options);

  void start(Hears hears);
  /// Ends the process, as a kill or a loss of power would; it comes back after a while.
  void crash();
  /// Ends the process in order: it says what it has to say, then it comes back after a while.
  void stop();
  void reset();
  /// The replica, which is another machine, ends and starts again.
  void restart_replica();
  /// What the replica made of the records against what the primary's store holds, row by row.
  void check_replica();
  /// The process stands still: nothing that reaches it has an effect until it goes on.
  void stall(std::int64_t ms);
  void move_wall(std::int64_t ms);
  /// Sends are refused, as when the disk is full.
  void refuse_sends(std::int64_t lasts_us);
  /// What the disk will do wrong next.
  DiskFaults& disk() { return disk_; }
  /// No more faults: what was planned does not happen any more.
  void heal();

  /// Does what reaches the process from outside: now, or when it no longer stands still.
  void reach(std::function<void()> event);
  /// How long the process still stands still.
  [[nodiscard]] std::int64_t stalled_us() const;
  /// The same for its disk, or both.
  [[nodiscard]] std::int64_t waits_us() const;

  /// nullptr while the process is down.
  [[nodiscard]] shard::Shard* shard() { return shard_.get(); }
  /// Whether it takes new connections.
  [[nodiscard]] bool is_open() const { return shard_ != nullptr && !is_stopping_; }
  [[nodiscard]] proto::TimeMs now();
  [[nodiscard]] std::int64_t wall_ms() const { return wall_ms_ + mono_ms(); }
  /// The monotonic clock of its system.
  [[nodiscard]] std::int64_t mono_ms() const { return world_.now_us() / 1000; }
  [[nodiscard]] storage::MemoryStore& store() { return *store_; }
  /// Adds what the running process has done besides answering to the report.
  void count_work();

  /// The moment of a lease: by broker time, by what of it passed with a process there (see
  /// away_ms_), and by the time that the process was awake in its life and its disk did not hang.
  struct Moment {
    proto::TimeMs time = 0;
    proto::TimeMs present = 0;
    std::int64_t awake_us = 0;
    std::uint64_t life = 0;
  };
  [[nodiscard]] Moment moment();
  /// When the lease with this nonce was given out.
  [[nodiscard]] std::optional<Moment> drawn_at(std::uint64_t nonce) const;
  /// In which incarnation that was, and whether it is the shard's still. The nonce was drawn once.
  [[nodiscard]] std::uint32_t incarnation_of(std::uint64_t nonce) const;
  [[nodiscard]] bool is_of_this_incarnation(std::uint64_t nonce) const;

 private:
  struct Drawn {
    Moment moment;
    std::uint32_t incarnation = 0;
  };
  void boot();
  void note_end();
  void note_start();
  void note_commit(bool is_under_way);
  [[nodiscard]] bool disk_hangs() const;
  [[nodiscard]] std::int64_t awake_us() const;
  [[nodiscard]] std::int64_t hanging_us() const;
  [[nodiscard]] bool check_mark(const storage::CommitPoint& recovered);
  void move_to_copy();
  [[nodiscard]] shard::Ports ports(const ProcessPost& post);
  void check_incarnation(bool has_lost);
  void break_start();
  void close();
  void end_process();
  enum class End : std::uint8_t { kInOrder, kSudden };
  Loss leave_process(End end);
  Loss lose_power(End end, std::size_t false_words);
  void settle_replica();
  void write_mark();
  void wake();
  void arm(proto::TimeMs when);
  void watch(std::uint64_t armed);
  void tick();

  World& world_;
  const Options& options_;
  std::unique_ptr<storage::MemoryStore> store_ = std::make_unique<storage::MemoryStore>();
  Replica replica_;
  Hears hears_;
  std::uint32_t epoch_ = 0;  // of the leadership: a new one with every start
  std::uint64_t life_ = 0;   // of the process: what an earlier one posted never runs
  std::int64_t wall_ms_ = 1'700'000'000'000;
  std::int64_t stalled_until_us_ = 0;
  std::int64_t slept_us_ = 0;  // in all stalls that are over
  std::int64_t stall_began_us_ = 0;
  struct Commit {
    std::int64_t began_us = 0;
    std::int64_t awake_us = 0;  // when it began
  };
  std::optional<Commit> commit_;            // under way
  std::int64_t hung_us_ = 0;                // in all commits that are over
  std::deque<std::function<void()>> held_;  // what reached it while it stood still
  proto::TimeMs last_now_ = 0;
  /// Broker time that passed without a process, in all starts. No lease counts it, as far as it was
  /// no longer than kMostAwayMs at once.
  std::int64_t away_ms_ = 0;
  std::int64_t away_before_ms_ = 0;        // the same without the last time
  std::optional<proto::TimeMs> ended_at_;  // the last process that has left a commit
  std::optional<shard::ShardClock> clock_;
  DiskFaults disk_;
  /// The mark file: what it knows to be committed. It lies elsewhere, and its own syncs are true.
  storage::CommitPoint mark_;
  proto::CommitIndex recovered_;  // what this life began with
  /// The lies of the disk came to light, and the mark does not know it yet.
  bool has_lost_ = false;
  std::unique_ptr<SimLoader> loader_;
  std::unique_ptr<shard::Shard> shard_;
  std::unique_ptr<SimLog> log_;
  std::uint64_t armed_ = 0;
  proto::TimeMs armed_for_ = 0;
  std::uint64_t refusals_ = 0;
  bool is_stopping_ = false;
  bool is_healed_ = false;
  std::map<std::uint64_t, Drawn> drawn_;
};

}  // namespace weir::sim
