#pragma once

#include "client/core/time.hpp"

#include <chrono>
#include <cstdint>

namespace weir::sdk {

/// The one place where a client's code gets the time from: the system's clocks, or a hand that
/// somebody else moves, for runs in virtual time. A look costs no virtual call. Any thread, as far
/// as the hand allows.
class Clock {
 public:
  Clock() = default;
  /// `hand` outlives every copy of the clock and never goes back. Wall-clock time is what it shows,
  /// counted from its own beginning.
  explicit Clock(const TimePoint& hand) : hand_(&hand) {}

  [[nodiscard]] TimePoint now() const {
    return hand_ == nullptr ? std::chrono::steady_clock::now() : *hand_;
  }
  /// Milliseconds since 1970.
  [[nodiscard]] std::int64_t wall_ms() const {
    const auto since = hand_ == nullptr ? std::chrono::system_clock::now().time_since_epoch()
                                        : hand_->time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  }

 private:
  const TimePoint* hand_ = nullptr;
};

}  // namespace weir::sdk
