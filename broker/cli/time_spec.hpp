#pragma once

#include "weir/message.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::cli {

/// A moment as people and scripts write it, without the leading `@`:
///   2026-05-01T12:00:00.250+02:00   RFC 3339, a zone is required; digits past the ms are dropped
///   1777629600250                   milliseconds since 1970
///   -1h30m                          before `now`; units d h m s ms, the longer first or not
/// INVALID_ARGUMENT for anything else.
[[nodiscard]] Result<Timestamp> parse_time(std::string_view text, Timestamp now);

/// `start`, `end`, an offset, or `@` and a moment. INVALID_ARGUMENT for anything else.
[[nodiscard]] Result<StartPosition> parse_from(std::string_view text, Timestamp now);

/// Where a replay ends: in front of `offset`, or, without one, at the high watermark that each
/// partition has when the command begins.
struct StopPosition {
  std::optional<std::int64_t> offset;
};

/// `end` or an offset. INVALID_ARGUMENT for anything else.
[[nodiscard]] Result<StopPosition> parse_to(std::string_view text);

}  // namespace weir::cli
