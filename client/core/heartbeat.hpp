#pragma once

#include "client/core/time.hpp"

namespace weir::sdk {

/// Keeps one connection alive and notices when it is dead: a ping each interval, and the end after
/// a time without a byte. A stall of this process (stopped, or a callback that blocked) is not held
/// against the peer: when a tick comes late, the deadline moves by as much.
class Heartbeat {
 public:
  enum class Verdict : std::uint8_t { kFine, kPing, kDead };

  Heartbeat(Duration interval, Duration dead_after, TimePoint now)
      : interval_(interval), dead_after_(dead_after), heard_(now), ping_at_(now + interval) {}

  /// Bytes came from the peer.
  void on_bytes(TimePoint now) { heard_ = std::max(heard_, now); }

  /// To be called at next_tick(), or soon after.
  Verdict on_tick(TimePoint now) {
    const Duration late = now - next_tick();
    if (late > kStall) {
      heard_ += late;
    }
    if (now - heard_ >= dead_after_) {
      return Verdict::kDead;
    }
    if (now >= ping_at_) {
      ping_at_ = now + interval_;
      return Verdict::kPing;
    }
    return Verdict::kFine;
  }

  [[nodiscard]] TimePoint next_tick() const { return std::min(ping_at_, heard_ + dead_after_); }

 private:
  static constexpr Duration kStall = std::chrono::seconds(1);

  Duration interval_;
  Duration dead_after_;
  TimePoint heard_;
  TimePoint ping_at_;
};

}  // namespace weir::sdk
