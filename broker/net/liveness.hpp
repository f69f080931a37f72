#pragma once

#include "proto/limits.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir::net {

/// Milliseconds of a clock that never goes back; where it begins does not matter.
using MonoMs = std::int64_t;

/// Whether the peer of one connection still lives: Hello within its time, then bytes or, where it
/// is silent, an answer to our ping.
class Liveness {
 public:
  enum class Verdict : std::uint8_t { kFine, kPing, kHelloLate, kDead };

  explicit Liveness(MonoMs now) : opened_(now), heard_(now), pinged_(now) {}

  void on_hello(MonoMs now) {
    greeted_ = true;
    on_bytes(now);
  }
  void on_bytes(MonoMs now) { heard_ = std::max(heard_, now); }
  /// This process did not run for that long: it is not held against the peer.
  void on_stall(MonoMs lost) {
    opened_ += lost;
    heard_ += lost;
  }

  /// To be asked a few times a second.
  [[nodiscard]] Verdict check(MonoMs now) {
    if (!greeted_) {
      return now - opened_ >= proto::kHelloTimeoutMs ? Verdict::kHelloLate : Verdict::kFine;
    }
    if (now - heard_ >= proto::kDeadAfterMs) {
      return Verdict::kDead;
    }
    if (now - std::max(heard_, pinged_) >= proto::kHeartbeatMs) {
      pinged_ = now;
      return Verdict::kPing;
    }
    return Verdict::kFine;
  }

 private:
  bool greeted_ = false;
  MonoMs opened_;
  MonoMs heard_;
  MonoMs pinged_;
};

/// Each connection is asked once a round. Many take turns within it, a slice at each tick: closing
/// or pinging thousands at once would keep everyone else waiting for as long as that takes.
struct TickRound {
  static constexpr MonoMs kRoundMs = 250;
  static constexpr std::size_t kSlice = 128;

  /// How many of `connections` to ask at one tick.
  [[nodiscard]] static constexpr std::size_t slice(std::size_t connections) {
    return std::max(kSlice, connections / static_cast<std::size_t>(kRoundMs) + 1);
  }
  /// How long to wait until the next tick, at least a millisecond.
  [[nodiscard]] static constexpr MonoMs pause_ms(std::size_t connections) {
    const std::size_t ticks = (connections + kSlice - 1) / kSlice;
    return std::max<MonoMs>(1, kRoundMs / static_cast<MonoMs>(std::max<std::size_t>(ticks, 1)));
  }
};

/// Notices from the ticks of a few times a second that this process did not run.
class StallWatch {
 public:
  explicit StallWatch(MonoMs now) : ticked_at_(now) {}

  /// To be called at each tick, with the pause that was meant to lie before it: how much time was
  /// lost since the last call, 0 for a tick that came about in time.
  [[nodiscard]] MonoMs on_tick(MonoMs now, MonoMs pause_ms) {
    const MonoMs late = now - ticked_at_ - pause_ms;
    ticked_at_ = now;
    return late > kStallMs ? late : 0;
  }

 private:
  static constexpr MonoMs kStallMs = 1'000;

  MonoMs ticked_at_;
};

}  // namespace weir::net
