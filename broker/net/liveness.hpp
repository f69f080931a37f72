#pragma once

#include "proto/limits.hpp"

#include <algorithm>
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

/// Notices from the ticks of a few times a second that this process did not run.
class StallWatch {
 public:
  static constexpr MonoMs kTickMs = 250;

  explicit StallWatch(MonoMs now) : ticked_at_(now) {}

  /// To be called every kTickMs: how much time was lost since the last call, 0 for a tick that came
  /// about in time.
  [[nodiscard]] MonoMs on_tick(MonoMs now) {
    const MonoMs late = now - ticked_at_ - kTickMs;
    ticked_at_ = now;
    return late > kStallMs ? late : 0;
  }

 private:
  static constexpr MonoMs kStallMs = 1'000;

  MonoMs ticked_at_;
};

}  // namespace weir::net
