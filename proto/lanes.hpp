#pragma once

#include "proto/ids.hpp"

#include <cstdint>

// A queue is a log, or several: its *lanes*, one for each priority that is in use, and for each
// group of messages that is too many for the others. A lane is known by its tag, a byte, which
// stands in the upper bits of its messages' offsets and in its own id: so an offset tells the lane,
// and whoever does not care about lanes takes offsets as they come. The lane with tag 0 is the
// queue's own log, and its id is the queue's.
namespace weir::proto {

using LaneTag = std::uint8_t;

/// Numbers of objects stay below this: above it are the tags of lanes.
inline constexpr int kObjectIdBits = 40;
inline constexpr std::uint64_t kMaxObjectId = (std::uint64_t{1} << kObjectIdBits) - 1;
/// Offsets within a lane stay below this.
inline constexpr int kLaneOffsetBits = 48;
inline constexpr Offset kMaxLaneOffset = (Offset{1} << kLaneOffsetBits) - 1;

[[nodiscard]] constexpr LaneTag lane_tag(Offset offset) {
  return static_cast<LaneTag>(static_cast<std::uint64_t>(offset) >> kLaneOffsetBits);
}
[[nodiscard]] constexpr LaneTag lane_tag(QueueId id) {
  return static_cast<LaneTag>(id.value >> kObjectIdBits);
}
/// The first offset of that lane.
[[nodiscard]] constexpr Offset first_offset(LaneTag tag) {
  return static_cast<Offset>(std::uint64_t{tag} << kLaneOffsetBits);
}
/// The queue that a lane, or the log of one, is of; any other id as it is.
template <class Id>
[[nodiscard]] constexpr Id home_of(Id id) {
  return Id{id.value & kMaxObjectId};
}
/// The lane of that queue with that tag.
[[nodiscard]] constexpr QueueId lane_id(QueueId queue, LaneTag tag) {
  return QueueId{home_of(queue).value | std::uint64_t{tag} << kObjectIdBits};
}
/// The lane of that queue in which the offset lies.
[[nodiscard]] constexpr QueueId lane_of(QueueId queue, Offset offset) {
  return lane_id(queue, lane_tag(offset));
}

// ---- priorities

/// 9 is the most urgent.
inline constexpr int kPriorities = 10;
inline constexpr int kMaxPriority = kPriorities - 1;
/// Of a message that names none; its lane is the queue's own log.
inline constexpr int kDefaultPriority = 4;

/// Of groups that are too many for the others so many have lanes of their own in each priority;
/// what more there are share these.
inline constexpr int kGroupLanes = 15;

/// The lane of that priority: the common one (0), or that of some groups (1 to kGroupLanes).
[[nodiscard]] constexpr LaneTag lane_tag(int priority, int group_lane) {
  const int code = priority == kDefaultPriority ? 0 : priority + 1;
  return static_cast<LaneTag>(group_lane << 4 | code);
}
/// The lane of its own that a group has when it is too many, by its hash.
[[nodiscard]] constexpr int group_lane(std::uint64_t group) {
  return 1 + static_cast<int>(group % kGroupLanes);
}
[[nodiscard]] constexpr int priority_of(LaneTag tag) {
  const int code = tag & 0xF;
  return code == 0 ? kDefaultPriority : code - 1;
}
[[nodiscard]] constexpr int group_lane_of(LaneTag tag) {
  return tag >> 4;
}
/// Whether there can be such a lane.
[[nodiscard]] constexpr bool is_lane_tag(LaneTag tag) {
  const int code = tag & 0xF;
  return code <= kPriorities && code != kDefaultPriority + 1;
}

/// Whether that can be a lane of a queue, and the offset one of it.
[[nodiscard]] constexpr bool is_in_lane(QueueId lane, Offset offset) {
  const LaneTag tag = lane_tag(lane);
  return home_of(lane).value != 0 && is_lane_tag(tag) && lane == lane_id(lane, tag) &&
         offset >= first_offset(tag) && offset - first_offset(tag) <= kMaxLaneOffset;
}

}  // namespace weir::proto
