#pragma once

#include "weir/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace weir::cli {

/// Milliseconds since 1970, as JSON has them; 0 is no time at all.
[[nodiscard]] inline std::int64_t ms_of(Timestamp time) {
  return time.time_since_epoch().count();
}

/// The same, but nothing for no time at all.
[[nodiscard]] inline std::optional<std::int64_t> told_ms(Timestamp time) {
  return ms_of(time) != 0 ? std::optional(ms_of(time)) : std::nullopt;
}

/// What this machine's clock says.
[[nodiscard]] inline Timestamp wall_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace weir::cli
