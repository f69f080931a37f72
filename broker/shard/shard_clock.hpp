#pragma once

#include "proto/ids.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace weir::shard {

/// Broker time: begins at the larger of the wall clock and the last committed time, then follows
/// the monotonic clock, is drawn towards the wall clock by at most 1 %, and never goes back. A gap
/// of more than a second between two looks - a stopped process - does not count, and neither does
/// what the caller says is a stall of the disk: a stall of ours must not look like the death of a
/// peer. Pure; the caller looks at the clocks.
class ShardClock {
 public:
  explicit ShardClock(proto::TimeMs last_committed) : broker_(last_committed) {}

  static constexpr std::int64_t kGapMs = 1000;
  static constexpr std::int64_t kSlewDivisor = 100;

  /// `mono_ms` must not go back; call it at least every half second. `is_stalled`: what passed
  /// since the last look does not count.
  proto::TimeMs now(std::int64_t wall_ms, std::int64_t mono_ms, bool is_stalled = false) {
    if (!mono_) {
      mono_ = mono_ms;
      broker_ = std::max(broker_, wall_ms);
      return broker_;
    }
    const std::int64_t passed = std::max<std::int64_t>(mono_ms - *mono_, 0);
    mono_ = mono_ms;
    if (WEIR_PLANTED(follow_the_wall_clock)) {
      broker_ = std::max(broker_, wall_ms);
      return broker_;
    }
    const bool hangs = is_stalled && !WEIR_PLANTED(a_hanging_disk_counts);
    if ((passed > kGapMs || hangs) && !WEIR_PLANTED(a_stall_counts)) {
      return broker_;
    }
    // Whole milliseconds are slewed out of a running remainder, so that frequent looks slew as
    // much as rare ones.
    slew_ += passed;
    std::int64_t step = passed;
    const std::int64_t off = wall_ms - (broker_ + passed);
    if (slew_ >= kSlewDivisor) {
      const std::int64_t most = slew_ / kSlewDivisor;
      slew_ %= kSlewDivisor;
      step += std::clamp(off, -most, most);
    }
    broker_ += std::max<std::int64_t>(step, 0);
    return broker_;
  }

 private:
  proto::TimeMs broker_;
  std::optional<std::int64_t> mono_;
  std::int64_t slew_ = 0;
};

}  // namespace weir::shard
