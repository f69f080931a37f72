#include "broker/core/queue/lane_turns.hpp"

#include "proto/planted_bugs.hpp"

#include <tuple>

namespace weir::core {

void LaneTurns::sort(std::vector<proto::LaneTag>& tags, bool is_strict) const {
  const auto place = [&](proto::LaneTag tag) {
    const int priority = proto::priority_of(tag);
    const auto at = static_cast<std::size_t>(priority);
    const auto lane = static_cast<std::size_t>(proto::group_lane_of(tag));
    const bool is_by_urgency = is_strict && !WEIR_PLANTED(shares_for_strict_queues);
    return std::tuple(is_by_urgency ? 0 : priorities_.turn_of(at), -priority,
                      lanes_[at].turn_of(lane), lane);
  };
  std::ranges::sort(tags, {}, place);
}

void LaneTurns::note_handed_out(proto::LaneTag tag, std::uint32_t messages) {
  const auto priority = static_cast<std::size_t>(proto::priority_of(tag));
  const auto lane = static_cast<std::size_t>(proto::group_lane_of(tag));
  priorities_.take(priority, messages, (priority + 1) * (priority + 1));
  lanes_[priority].take(lane, messages, lane == 0 ? kCommonWeight : 1);
}

}  // namespace weir::core
