#pragma once

#include "proto/ids.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weir::shard {

/// How many messages of a queue may be handed out once more at the moment: over ten seconds at most
/// a share of those that were handed out for the first time, and at least ten a second. What
/// exceeds it waits: where everything fails, what is new does not stand behind what failed before,
/// and what the handlers need is not asked for more than it can bear. Soft.
class RedeliveryBudget {
 public:
  static constexpr std::uint32_t kLeastPerSecond = 10;

  void note_first(proto::TimeMs now, std::uint32_t messages) { second_of(now).first += messages; }
  void note_again(proto::TimeMs now, std::uint32_t messages) { second_of(now).again += messages; }

  [[nodiscard]] std::uint32_t left(proto::TimeMs now, std::int64_t percent) const {
    if (percent >= proto::kMaxRedeliveryBudgetPercent) {
      return UINT32_MAX;
    }
    std::uint64_t first = 0;
    std::uint64_t again = 0;
    for (const Second& second : seconds_) {
      // Eleven seconds that have begun hold any ten; for what earns the share, ten are enough.
      const std::int64_t age = now / 1000 - second.number;
      first += age < kSeconds ? second.first : 0;
      again += age <= kSeconds ? second.again : 0;
    }
    const std::uint64_t allowed = std::max<std::uint64_t>(
        first * static_cast<std::uint64_t>(percent) / 100, kLeastPerSecond * kSeconds);
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(allowed > again ? allowed - again : 0, UINT32_MAX));
  }
  /// Whether it knows nothing any more that it would not know without having been there.
  [[nodiscard]] bool is_idle(proto::TimeMs now) const {
    return std::ranges::all_of(
        seconds_, [now](const Second& second) { return now / 1000 - second.number > kSeconds; });
  }
  /// When a second ends, and perhaps makes room.
  [[nodiscard]] static proto::TimeMs next_change(proto::TimeMs now) {
    return (now / 1000 + 1) * 1000;
  }

 private:
  static constexpr std::int64_t kSeconds = 10;
  struct Second {
    std::int64_t number = INT64_MIN / 2;
    std::uint64_t first = 0;
    std::uint64_t again = 0;
  };
  Second& second_of(proto::TimeMs now) {
    const std::int64_t number = now / 1000;
    Second& second = seconds_[static_cast<std::size_t>(number % (kSeconds + 1))];
    if (second.number != number) {
      second = {number, 0, 0};
    }
    return second;
  }

  std::array<Second, kSeconds + 1> seconds_{};
};

}  // namespace weir::shard
