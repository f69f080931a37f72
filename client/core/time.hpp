#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

// Time as the machines see it: it is always handed in, and never goes back.
namespace weir::sdk {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// Whole milliseconds from `now` to `deadline`, rounded up, at least 1 and at most what fits a
/// frame's field: what remains of a patience that has not run out.
inline std::uint32_t remaining_ms(TimePoint now, TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, 0xFFFFFFFF));
}

/// The earlier of the two, where nullopt is never.
inline std::optional<TimePoint> earlier(std::optional<TimePoint> left,
                                        std::optional<TimePoint> right) {
  if (!left || !right) {
    return left ? left : right;
  }
  return std::min(*left, *right);
}

}  // namespace weir::sdk
