#include "broker/core/queue/group_counts.hpp"
#include "broker/core/rebuilt_batch.hpp"
#include "proto/lanes.hpp"
#include "tests/unit/core/ranked_batch.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace weir::core {
namespace {

using proto::QueueId;
using test::kNow;
using test::LaneRig;
using test::Ranked;
using testing::ElementsAre;

struct GroupLanes : testing::Test {
  GroupLanes() { queue = rig.create_queue("work"); }
  static std::vector<Ranked> of(const std::string& group, std::size_t count) {
    return {count, Ranked{group, {}, group}};
  }
  /// Where the last message of the group comes, of all that are handed out from here on.
  static std::size_t last_of(const std::vector<std::string>& order, const std::string& group) {
    return static_cast<std::size_t>(order.rend() -
                                    std::ranges::find(order.rbegin(), order.rend(), group));
  }

  LaneRig rig;
  QueueId queue;
};

TEST_F(GroupLanes, QuietGroupsDoNotWaitForALoudOne) {
  for (int i = 0; i < 10; ++i) {
    rig.send_ranked(queue, of("loud", 1000));
  }
  for (int tenant = 0; tenant < 10; ++tenant) {
    rig.send_ranked(queue, of("quiet" + std::to_string(tenant), 10));
  }
  const std::vector<std::string> order = rig.drain(queue);
  ASSERT_EQ(order.size(), 10'100U);
  for (int tenant = 0; tenant < 10; ++tenant) {
    EXPECT_LE(last_of(order, "quiet" + std::to_string(tenant)), 120U) << tenant;
  }
}

TEST_F(GroupLanes, ALoudGroupStillGetsOn) {
  rig.send_ranked(queue, of("loud", 1000));
  for (int tenant = 0; tenant < 100; ++tenant) {
    rig.send_ranked(queue, of("quiet" + std::to_string(tenant), 10));
  }
  const std::vector<std::string> order = rig.drain(queue, 1, 900);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(order, "loud")), 100, 10);
}

TEST_F(GroupLanes, LoudGroupsShare) {
  rig.send_ranked(queue, of("a", 1000));
  rig.send_ranked(queue, of("b", 1000));
  const std::vector<std::string> order = rig.drain(queue, 1, 1000);
  ASSERT_NE(proto::group_lane(proto::group_hash("a")), proto::group_lane(proto::group_hash("b")));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(order, "a")), 500, 2);
}

TEST_F(GroupLanes, AMixedBatchIsDivided) {
  std::vector<Ranked> mixed;
  for (int i = 0; i < 100; ++i) {
    mixed.push_back({"loud", {}, "loud"});
    if (i % 10 == 0) {
      mixed.push_back({"quiet", {}, "quiet"});
      mixed.push_back({"nobody's"});
    }
  }
  const auto sent = rig.send_ranked(queue, mixed);
  EXPECT_EQ(sent.elsewhere.size(), 20U);
  const std::vector<std::string> order = rig.drain(queue, 1, 30);
  EXPECT_EQ(std::ranges::count(order, "quiet"), 10);
  EXPECT_EQ(std::ranges::count(order, "nobody's"), 10);
}

TEST_F(GroupLanes, ADividedBatchSentAgainIsToldTheSame) {
  const auto producer = rig.start_producer();
  const proto::BatchBuilder::Producer from{static_cast<std::int64_t>(producer.id.value), 0, 0};
  std::vector<Ranked> mixed = of("loud", 70);
  mixed.push_back({"quiet", {}, "quiet"});
  mixed.push_back({"urgent", 9, "loud"});
  const auto sent = rig.send_ranked(queue, mixed, from);
  EXPECT_EQ(sent.elsewhere.size(), 2U);
  rig.drain(queue);
  const auto again = rig.send_ranked(queue, mixed, from);
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_EQ(again.base_offset, sent.base_offset);
  EXPECT_EQ(again.elsewhere, sent.elsewhere);
}

TEST_F(GroupLanes, AGroupIsQuietAgainWhenLittleOfItWaits) {
  rig.send_ranked(queue, of("g", 100));
  EXPECT_EQ(rig.state.lanes(queue).size(), 1U);
  rig.drain(queue);
  EXPECT_EQ(proto::lane_tag(rig.send_ranked(queue, of("g", 10)).base_offset), 0);
}

TEST_F(GroupLanes, ManyQuietGroupsNeedNoLanes) {
  for (int i = 0; i < 20; ++i) {
    std::vector<Ranked> batch;
    for (int tenant = 0; tenant < 1000; ++tenant) {
      batch.push_back({"v", {}, "tenant" + std::to_string(tenant)});
    }
    rig.send_ranked(queue, batch);
  }
  EXPECT_TRUE(rig.state.lanes(queue).empty());
}

TEST_F(GroupLanes, WhatABrokerAppendsOfALoudGroupIsNotInTheWayEither) {
  std::vector<Ranked> late = of("loud", 100);
  for (Ranked& message : late) {
    message.delay_ms = 10;
  }
  rig.send_ranked(queue, of("loud", 64));
  rig.send_ranked(queue, late);
  rig.move_due(queue, kNow + 10);
  EXPECT_EQ(rig.state.lanes(queue).size(), 1U);
  EXPECT_EQ(rig.state.queue(queue)->fresh(), 64U);
}

TEST_F(GroupLanes, GoOnAfterARestart) {
  storage::MemoryStore store;
  rig.send_ranked(queue, of("loud", 1000));
  rig.send_ranked(queue, of("quiet", 3));
  rig.commit(store);
  test::expect_same_after_restore(rig, store, kNow);
  rig.state = ShardState(100);
  ASSERT_TRUE(rig.state.restore(*store.snapshot()));
  const std::vector<std::string> order = rig.drain(queue);
  EXPECT_EQ(order.size(), 1003U);
  EXPECT_LE(last_of(order, "quiet"), 5U);
}

TEST_F(GroupLanes, WhatWasThereBeforeARestartDoesNotCountAgainstWhatCameSince) {
  storage::MemoryStore store;
  for (int tenant = 0; tenant < 100; ++tenant) {
    rig.send_ranked(queue, of("g", 1));
    rig.send_ranked(queue, of("other" + std::to_string(tenant), 1));
  }
  rig.commit(store);
  rig.state = ShardState(100);
  ASSERT_TRUE(rig.state.restore(*store.snapshot()));
  rig.send_ranked(queue, of("g", 64));
  rig.drain(queue, 1, 60);
  EXPECT_NE(proto::lane_tag(rig.send_ranked(queue, of("g", 1)).base_offset), 0);
}

TEST_F(GroupLanes, APurgeForgetsThem) {
  rig.send_ranked(queue, of("g", 1000));
  rig.apply(Record{QueuePurged{queue}});
  EXPECT_EQ(proto::lane_tag(rig.send_ranked(queue, of("g", 10)).base_offset), 0);
}

TEST_F(GroupLanes, AGroupIsCountedByPriority) {
  std::vector<Ranked> batch = of("g", 64);
  batch.push_back({"urgent", 9, "g"});
  EXPECT_EQ(rig.send_ranked(queue, batch).base_offset, 0);
  EXPECT_THAT(rig.state.lanes(queue), ElementsAre(proto::lane_tag(9, 0)));
}

TEST_F(GroupLanes, ABatchIsDividedIntoABoundedNumberOfParts) {
  std::vector<Ranked> batch;
  for (int tenant = 0; tenant < 100; ++tenant) {
    for (int i = 0; i < 70; ++i) {
      batch.push_back({"v", {}, "tenant" + std::to_string(tenant)});
    }
  }
  const auto sent = rig.send_ranked(queue, batch);
  EXPECT_LE(sent.more.size(), 34U);
  EXPECT_EQ(rig.drain(queue, 100).size(), 7000U);
}

TEST(GroupCounts, ForgetWhatIsHandedOutAndCountNoMoreThanTheyMay) {
  GroupCounts counts;
  const std::array<std::uint64_t, 3> groups = {7, 7, proto::kNoGroup};
  counts.note_sent(4, groups);
  EXPECT_EQ(counts.waiting(4, 7), 2U);
  EXPECT_EQ(counts.waiting(5, 7), 0U);
  counts.note_handed_out(4, std::array<std::uint64_t, 1>{7});
  EXPECT_EQ(counts.waiting(4, 7), 1U);
  counts.note_handed_out(4, groups);
  EXPECT_EQ(counts.waiting(4, 7), 0U);
  for (std::uint64_t group = 1; group <= GroupCounts::kMaxGroups + 10; ++group) {
    counts.note_sent(4, std::array<std::uint64_t, 1>{group});
  }
  EXPECT_EQ(counts.waiting(4, 1), 1U);
  EXPECT_EQ(counts.waiting(4, GroupCounts::kMaxGroups + 5), 0U);
  counts.clear(4);
  EXPECT_EQ(counts.waiting(4, 1), 0U);
}

}  // namespace
}  // namespace weir::core
