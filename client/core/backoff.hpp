#pragma once

#include "client/core/random.hpp"
#include "client/core/time.hpp"

#include <algorithm>

namespace weir::sdk {

/// Pauses between tries: first * 2^n up to a cap, each shortened by up to a half, so that many
/// clients that lost the same broker do not come back in step.
class Backoff {
 public:
  Backoff(Duration first, Duration cap) : first_(std::max(first, Duration{1})), cap_(cap) {}

  /// The pause in front of the next try.
  Duration next(Random& random) {
    const Duration full = std::min(cap_, first_ * (std::int64_t{1} << exponent_));
    if (full < cap_ && exponent_ < kMaxExponent) {
      ++exponent_;
    }
    const auto half = static_cast<std::uint64_t>((full / 2).count());
    return full - Duration(static_cast<Duration::rep>(random.next() % (half + 1)));
  }
  /// After a success.
  void reset() { exponent_ = 0; }

 private:
  static constexpr unsigned kMaxExponent = 20;

  Duration first_;
  Duration cap_;
  unsigned exponent_ = 0;
};

}  // namespace weir::sdk
