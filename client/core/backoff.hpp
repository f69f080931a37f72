#pragma once

#include "client/core/random.hpp"
#include "client/core/time.hpp"

#include <algorithm>
#include <cstdint>

namespace weir::sdk {

/// Pauses between tries: first * 2^n up to a cap, each shortened by up to a half, so that many
/// clients that lost the same broker do not come back in step.
class Backoff {
 public:
  Backoff(Duration first, Duration cap) : first_(first), cap_(cap) {}

  /// The pause in front of the next try.
  Duration next(Random& random) {
    const Duration pause = Backoff::pause(first_, cap_, exponent_, random);
    exponent_ = std::min(exponent_ + 1, kMaxExponent);
    last_ = pause;
    return pause;
  }
  /// The pause behind `exponent` others.
  static Duration pause(Duration first, Duration cap, std::uint32_t exponent, Random& random) {
    Duration full = std::max(first, Duration{1});
    for (std::uint32_t i = std::min(exponent, kMaxExponent); i > 0 && full < cap; --i) {
      full *= 2;
    }
    full = std::min(full, cap);
    const auto half = static_cast<std::uint64_t>((full / 2).count());
    return full - Duration(static_cast<Duration::rep>(random.next() % (half + 1)));
  }
  /// After a success.
  void reset() { exponent_ = 0; }
  /// The pause that next() gave last; none at first.
  [[nodiscard]] Duration last() const { return last_; }

 private:
  static constexpr std::uint32_t kMaxExponent = 20;

  Duration first_;
  Duration cap_;
  std::uint32_t exponent_ = 0;
  Duration last_{};
};

}  // namespace weir::sdk
