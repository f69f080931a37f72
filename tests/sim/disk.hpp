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

/// A log on the memory store: commits what has gathered, one group after another, with a write, a
/// later sync and a still later word to the shard. A crash falls into any of these gaps. The
/// replica hears every unit, and follows what is synced.
class SimLog final : public shard::ReplicatedLog {
 public:
  SimLog(World& world, storage::MemoryStore& store, Replica& replica,
         shard::CommitListener& listener, ProcessPost post, std::int64_t commit_us);

  void submit(shard::CommitUnit unit) override;
  [[nodiscard]] std::size_t backlog_bytes() const override { return backlog_bytes_; }
  [[nodiscard]] bool wants_records() const override { return true; }

  /// The next sync fails, and with it the log.
  void fail_next_sync() { failing_ = true; }
  /// Forgets what is not durable, as a log that lost its leadership; goes on from what the store
  /// says.
  void restart_from_store();

 private:
  void begin();
  std::size_t write_group();
  void finish(std::size_t bytes);

  World& world_;
  storage::MemoryStore& store_;
  Replica& replica_;
  shard::CommitListener& listener_;
  const ProcessPost post_;
  const std::int64_t commit_us_;
  storage::CommitPoint written_;
  proto::CommitIndex submitted_;
  std::deque<shard::CommitUnit> pending_;
  std::size_t backlog_bytes_ = 0;
  std::uint64_t life_ = 0;
  bool busy_ = false;
  bool failing_ = false;
};

/// Loads on a snapshot that is taken late and answered later still.
class SimLoader final : public shard::Loader {
 public:
  SimLoader(World& world, const storage::MemoryStore& store, ProcessPost post, std::int64_t load_us)
      : world_(world), store_(store), post_(std::move(post)), load_us_(load_us) {}
  void load(Work work) override;

 private:
  World& world_;
  const storage::MemoryStore& store_;
  const ProcessPost post_;
  const std::int64_t load_us_;
};

}  // namespace weir::sim
