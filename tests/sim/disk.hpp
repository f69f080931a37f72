#pragma once

#include "broker/shard/replicated_log.hpp"
#include "broker/shard/shard.hpp"
#include "storage/commit_chain.hpp"
#include "storage/memory_store.hpp"
#include "tests/sim/replica.hpp"
#include "tests/sim/world.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

namespace weir::sim {

/// Runs an event later, unless the broker's process has ended by then.
using ProcessPost = std::function<void(std::int64_t delay_us, std::function<void()>)>;

/// What the disk is about to do wrong, and what it has done. Belongs to one life of the process.
struct DiskFaults {
  bool next_sync_fails = false;
  bool next_load_fails = false;
  std::int64_t next_sync_us = 0;  // longer than usual
  std::int64_t next_load_us = 0;
  std::int64_t slow_until_us = 0;  // a sync is under way
  std::uint32_t lies = 0;          // syncs from the next one on that say more than they do
  /// See Options: no sync tells the truth, and nobody is told.
  bool planted_loss = false;
  /// An error was returned: the process will end for it.
  bool has_failed = false;
  /// Told when a commit begins to write, and when it has been synced, has failed, or is forgotten.
  std::function<void(bool is_under_way)> on_commit;
  /// Told in the moment before the shard hears that a lie is durable; `lies` came before it since
  /// the disk last told the truth.
  std::function<void(std::size_t lies)> before_false_word;
};

/// A log on the memory store: commits what has gathered, one group after another, with a write, a
/// later sync and a still later word to the shard. A crash falls into any of these gaps. The
/// replica hears every unit, and follows what is synced.
class SimLog final : public shard::ReplicatedLog {
 public:
  SimLog(World& world, storage::MemoryStore& store, Replica& replica,
         shard::CommitListener& listener, ProcessPost post, std::int64_t commit_us,
         DiskFaults& faults);

  void submit(shard::CommitUnit unit) override;
  [[nodiscard]] std::size_t backlog_bytes() const override { return backlog_bytes_; }
  [[nodiscard]] bool wants_records() const override { return true; }

  /// The last commit that the log called durable.
  [[nodiscard]] const storage::CommitPoint& told() const { return told_; }
  /// How many lies of the disk it has passed on since the disk last told the truth.
  [[nodiscard]] std::size_t false_words() const { return false_words_; }
  /// Forgets what is not durable, as a log that lost its leadership; goes on from what the store
  /// says.
  void restart_from_store();

 private:
  void begin();
  std::size_t write_group();
  void finish(std::size_t bytes);
  bool sync();
  void say_committed(std::size_t bytes);

  World& world_;
  storage::MemoryStore& store_;
  Replica& replica_;
  shard::CommitListener& listener_;
  const ProcessPost post_;
  const std::int64_t commit_us_;
  DiskFaults& faults_;
  storage::CommitPoint written_;
  storage::CommitPoint told_;
  std::int64_t last_word_us_ = 0;  // words come in their order
  std::size_t false_words_ = 0;    // since the last true sync
  proto::CommitIndex submitted_;
  std::deque<shard::CommitUnit> pending_;
  std::size_t backlog_bytes_ = 0;
  std::uint64_t life_ = 0;
  bool busy_ = false;
};

/// Loads on a snapshot that is taken late and answered later still.
class SimLoader final : public shard::Loader {
 public:
  SimLoader(World& world, storage::MemoryStore& store, ProcessPost post, std::int64_t load_us,
            DiskFaults& faults)
      : world_(world), store_(store), post_(std::move(post)), load_us_(load_us), faults_(faults) {}
  void load(Work work) override;

 private:
  World& world_;
  storage::MemoryStore& store_;
  const ProcessPost post_;
  const std::int64_t load_us_;
  DiskFaults& faults_;
};

}  // namespace weir::sim
