#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace weir::terminal {

/// A moment, in ms since 1970, as a person reads it: 2026-05-01T12:00:00.250Z (RFC 3339). What lies
/// outside of the years 0 to 9999 is the number with its unit.
[[nodiscard]] std::string time_text(std::int64_t ms);

/// How long that is, in the two largest units: "3d 4h", "12s". Less than nothing is "0s".
[[nodiscard]] std::string age_text(std::chrono::milliseconds age);

}  // namespace weir::terminal
