#pragma once

#include "proto/lanes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::core {

/// Shares a sequence of turns out by weight: the next one who takes some is who has got least for
/// its weight so far. Who had nothing to take has no claim to what the others got meanwhile.
/// Source: Goyal, Vin, Cheng, "Start-time Fair Queueing" (SIGCOMM 1996).
template <std::size_t kCount>
class FairTurns {
 public:
  /// The smallest one is next.
  [[nodiscard]] std::uint64_t turn_of(std::size_t who) const { return std::max(next_[who], now_); }
  /// It has taken so much.
  void take(std::size_t who, std::uint64_t amount, std::uint64_t weight) {
    now_ = turn_of(who);
    next_[who] = now_ + amount * kScale / weight;
  }

 private:
  /// So that a small amount is something for any weight.
  static constexpr std::uint64_t kScale = std::uint64_t{1} << 20;
  std::array<std::uint64_t, kCount> next_{};
  std::uint64_t now_ = 0;  // where the one began that has taken last
};

/// Whose turn it is among the lanes of a queue: of two priorities that have something to hand out
/// each gets in proportion to (priority + 1)^2, so that none waits for ever, or the more urgent one
/// all; within a priority what is common to all comes kCommonWeight times as often as each of the
/// groups that have lanes of their own. Soft: not stored, and made anew after a restart.
class LaneTurns {
 public:
  static constexpr std::uint64_t kCommonWeight = 8;

  /// Brings lanes with something to hand out into the order in which they are asked for it.
  void sort(std::vector<proto::LaneTag>& tags, bool is_strict) const;
  /// So many messages of the lane were handed out.
  void note_handed_out(proto::LaneTag tag, std::uint32_t messages);

 private:
  FairTurns<proto::kPriorities> priorities_;
  std::array<FairTurns<proto::kGroupLanes + 1>, proto::kPriorities> lanes_;  // of each priority
};

}  // namespace weir::core
