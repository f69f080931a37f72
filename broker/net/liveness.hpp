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

}  // namespace weir::net
