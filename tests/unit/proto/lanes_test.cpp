#include "proto/lanes.hpp"

#include <gtest/gtest.h>

#include <set>

namespace weir::proto {
namespace {

TEST(LaneTags, StandForOnePriorityAndOneLaneOfIt) {
  std::set<LaneTag> tags;
  for (int priority = 0; priority < kPriorities; ++priority) {
    for (int lane = 0; lane <= kGroupLanes; ++lane) {
      const LaneTag tag = lane_tag(priority, lane);
      EXPECT_TRUE(is_lane_tag(tag));
      EXPECT_TRUE(tags.insert(tag).second);
      EXPECT_EQ(priority_of(tag), priority);
      EXPECT_EQ(group_lane_of(tag), lane);
    }
  }
  EXPECT_EQ(lane_tag(kDefaultPriority, 0), 0) << "the queue's own log";
  int others = 0;
  for (int tag = 0; tag < 256; ++tag) {
    others += is_lane_tag(static_cast<LaneTag>(tag)) ? 0 : 1;
  }
  EXPECT_EQ(others, 256 - kPriorities * (kGroupLanes + 1));
}

TEST(LaneTags, StandInIdsAndOffsets) {
  const QueueId queue{kMaxObjectId};
  const LaneTag tag = lane_tag(9, kGroupLanes);
  const QueueId lane = lane_id(queue, tag);
  EXPECT_EQ(lane_tag(lane), tag);
  EXPECT_EQ(home_of(lane), queue);
  EXPECT_EQ(home_of(queue), queue);
  EXPECT_EQ(lane_id(lane, 0), queue);
  const Offset last = first_offset(tag) + kMaxLaneOffset;
  EXPECT_EQ(lane_tag(last), tag);
  EXPECT_EQ(lane_of(queue, last), lane);
  EXPECT_TRUE(is_in_lane(lane, last));
  EXPECT_TRUE(is_in_lane(lane, first_offset(tag)));
  EXPECT_FALSE(is_in_lane(lane, last + 1));
  EXPECT_FALSE(is_in_lane(lane, 0));
  EXPECT_FALSE(is_in_lane(queue, last));
  EXPECT_FALSE(is_in_lane(queue, -1));
  EXPECT_FALSE(is_in_lane(lane_id(QueueId{0}, tag), last));
  EXPECT_FALSE(is_in_lane(QueueId{lane.value | std::uint64_t{1} << 48U}, last));
}

TEST(LaneTags, GroupsHaveLanesBesideTheCommonOne) {
  std::set<int> lanes;
  for (std::uint64_t group = 0; group < 1000; ++group) {
    lanes.insert(group_lane(group * 0x9e3779b97f4a7c15U));
  }
  EXPECT_EQ(lanes.size(), static_cast<std::size_t>(kGroupLanes));
  EXPECT_EQ(*lanes.begin(), 1);
  EXPECT_EQ(*lanes.rbegin(), kGroupLanes);
}

}  // namespace
}  // namespace weir::proto
