#pragma once

#include "broker/shard/shard.hpp"
#include "broker/shard/shard_clock.hpp"
#include "storage/memory_store.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/replica.hpp"
#include "tests/sim/world.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace weir::sim {

/// The machine that the broker runs on: one shard, its disk and clocks, and what can befall them.
class BrokerHost {
 public:
  /// Told of every end of the process (true) or reset of the shard (false) when it happens: all
  /// sessions are gone, and what was not durable may be.
  using Lost = std::function<void(bool process)>;

  BrokerHost(World& world, const Options& options);

  void start(Lost lost);
  /// Ends the process, as a loss of power would; it comes back after a while.
  void crash();
  void reset();
  /// The next sync fails and ends the process.
  void fail_disk();
  /// The replica, which is another machine, ends and starts again.
  void restart_replica();
  /// What the replica made of the records against what the primary's store holds, row by row.
  void check_replica();
  /// The process stands still; or the wall clock is set.
  void stall(std::int64_t ms) { stalled_ms_ += ms; }
  void move_wall(std::int64_t ms) { wall_ms_ += ms; }

  /// nullptr while the process is down.
  [[nodiscard]] shard::Shard* shard() { return shard_.get(); }
  [[nodiscard]] proto::TimeMs now();
  /// The monotonic clock of its system.
  [[nodiscard]] std::int64_t mono_ms() const { return world_.now_us() / 1000 + stalled_ms_; }
  [[nodiscard]] storage::MemoryStore& store() { return *store_; }
  /// Adds what the running process has done besides answering to the report.
  void count_work();
  /// When the lease with this nonce was given out.
  [[nodiscard]] std::optional<proto::TimeMs> drawn_at(std::uint64_t nonce) const;
  /// In which incarnation that was, and whether it is the shard's still. The nonce was drawn once.
  [[nodiscard]] std::uint32_t incarnation_of(std::uint64_t nonce) const;
  [[nodiscard]] bool is_of_this_incarnation(std::uint64_t nonce) const;

 private:
  struct Drawn {
    proto::TimeMs time = 0;
    std::uint32_t incarnation = 0;
  };
  void boot();
  void move_to_copy();
  void check_incarnation();
  void end_process();
  void settle_replica();
  void arm(proto::TimeMs when);
  void watch(std::uint64_t armed);
  void tick();

  World& world_;
  const Options& options_;
  std::unique_ptr<storage::MemoryStore> store_ = std::make_unique<storage::MemoryStore>();
  Replica replica_;
  Lost lost_;
  std::uint32_t epoch_ = 0;  // of the leadership: a new one with every start
  std::uint64_t life_ = 0;   // of the process: what an earlier one posted never runs
  std::int64_t wall_ms_ = 1'700'000'000'000;
  std::int64_t stalled_ms_ = 0;
  std::optional<shard::ShardClock> clock_;
  std::unique_ptr<SimLoader> loader_;
  std::unique_ptr<shard::Shard> shard_;
  std::unique_ptr<SimLog> log_;
  std::uint64_t armed_ = 0;
  proto::TimeMs armed_for_ = 0;
  bool failure_expected_ = false;
  std::map<std::uint64_t, Drawn> drawn_;
};

}  // namespace weir::sim
