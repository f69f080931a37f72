#include "proto/lanes.hpp"

#include "proto/limits.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/ranked_batch.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

// Queues with several lanes: priorities, and groups of which too much waits.
namespace weir::shard {
namespace {

using core::test::Ranked;
using core::test::values_in;
using proto::first_offset;
using proto::lane_tag;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using ::testing::ElementsAre;

class LanesShard : public ::testing::Test {
 protected:
  explicit LanesShard(std::size_t tail_cache_bytes = std::size_t{1} << 20,
                      std::size_t idle_batch_bytes = std::size_t{1} << 20)
      : rig(tail_cache_bytes, idle_batch_bytes) {
    rig.open(client);
    rig.create_queue(client, "dead");
    core::QueueSettings settings{60'000, 2, "dead"};
    settings.strict_priority = 1;
    settings.redelivery_budget_percent = proto::kMaxRedeliveryBudgetPercent;
    queue = rig.create_queue(client, "work", settings);
  }
  void send(const std::vector<Ranked>& messages) {
    core::SendBatch batch = core::test::a_ranked_batch(proto::LogId{queue.value}, messages);
    batch.send_number = ++sends;
    rig.shard.send(client.id, std::move(batch), 0);
    rig.settle_down();
  }
  /// What one receive brings, in its order.
  std::vector<core::Delivery> receive(std::uint32_t max_messages) {
    rig.ask(client, ++requests, core::Receive{"default", "work", max_messages, 0, 0, 60'000});
    rig.settle_down();
    return client.reply<core::Received>(requests).deliveries;
  }
  /// The same where the batches are read one by one, until there are so many.
  std::vector<core::Delivery> receive_all(std::uint32_t messages) {
    std::vector<core::Delivery> all;
    std::uint32_t count = 0;
    for (std::uint32_t tries = 0; tries < 3 * messages && count < messages; ++tries) {
      for (core::Delivery& one : receive(messages - count)) {
        count += one.count;
        all.push_back(std::move(one));
      }
    }
    return all;
  }

  ShardRig rig;
  Session client;
  proto::QueueId queue;
  std::uint64_t sends = 0;
  std::uint64_t requests = 100;
};

class LanesShardWithLittleMemory : public LanesShard {
 protected:
  LanesShardWithLittleMemory() : LanesShard(0, 0) {}
};

TEST_F(LanesShard, OneReceiveBringsTheMostUrgentOfSeveralLanes) {
  send({{"low", 1}, {"plain"}, {"high", 9}, {"higher", 9}});
  EXPECT_EQ(client.sent[0].elsewhere.size(), 2U);
  EXPECT_THAT(values_in(receive(3)), ElementsAre("high", "higher", "plain"));
  EXPECT_THAT(values_in(receive(3)), ElementsAre("low"));
  EXPECT_EQ(rig.info("work").in_flight, 4U);
}

TEST_F(LanesShard, AConsumerThatMakesRoomGetsWhatIsUrgentNow) {
  send({{"low", 0}, {"low", 0}});
  rig.ask(client, 1, core::Subscribe{"default", "work", 1, std::nullopt, 1, 1 << 20});
  rig.settle_down();
  send({{"high", 9}});
  ASSERT_EQ(client.deliveries.size(), 1U);
  rig.settle(client, client.deliveries[0], SettleKind::kAck);
  rig.settle_down();
  EXPECT_THAT(values_in(client.deliveries), ElementsAre("low", "high"));
  rig.settle(client, client.deliveries[1], SettleKind::kAck);
  rig.settle_down();
  EXPECT_THAT(values_in(client.deliveries), ElementsAre("low", "high", "low"));
}

TEST_F(LanesShard, AHandleSettlesWhereverItsMessageIs) {
  send({{"high", 9}, {"low", 0}});
  const auto held = receive(2);
  ASSERT_EQ(held.size(), 2U);
  for (const core::Delivery& one : held) {
    rig.ask(client, ++requests,
            core::SettleByHandle{test::handle_of(one, 1), SettleKind::kAck, 0, "default", "work"});
    rig.settle_down();
    EXPECT_TRUE(client.replies.at(requests));
  }
  EXPECT_EQ(rig.info("work").messages(), 0U);
}

TEST_F(LanesShard, ALookGoesThroughAllLanesPageByPage) {
  send({{"a", 9}, {"b"}, {"c", 0}, {"d", 9}, {"e"}});
  const auto held = receive(1);
  std::vector<proto::Offset> seen;
  proto::Offset from = 0;
  for (bool is_end = false; !is_end;) {
    rig.ask(client, ++requests,
            core::PeekQueue{"default", "work", core::MessageState::kAny, from, 2});
    rig.settle_down();
    const auto page = client.reply<core::Peeked>(requests);
    for (const core::PeekedMessage& message : page.messages) {
      seen.push_back(message.base_offset + message.index);
    }
    from = page.next_offset;
    is_end = page.is_end;
  }
  const proto::Offset low = first_offset(lane_tag(0, 0));
  const proto::Offset high = first_offset(lane_tag(9, 0));
  EXPECT_THAT(seen, ElementsAre(0, 1, low, high, high + 1));
}

TEST_F(LanesShard, ALoudGroupDoesNotHoldUpTheOthers) {
  rig.ask(client, ++requests, core::UpdateQueue{"default", "work", {.strict_priority = 0}, false});
  for (int i = 0; i < 3; ++i) {
    send({1000, Ranked{"loud", {}, "loud"}});
  }
  send({{"quiet", {}, "one"}, {"quiet", {}, "two"}});
  const std::vector<std::string> first = values_in(receive(10));
  EXPECT_EQ(std::ranges::count(first, "quiet"), 2);
}

TEST_F(LanesShard, WhatHandOutsTakeIsQuietAgain) {
  send({60, Ranked{"v", {}, "g"}});
  receive(60);
  send({60, Ranked{"v", {}, "g"}});
  EXPECT_EQ(lane_tag(client.sent[1].base_offset), 0);
  send({60, Ranked{"v", {}, "g"}});
  EXPECT_NE(lane_tag(client.sent[2].base_offset), 0);
}

TEST_F(LanesShardWithLittleMemory, ReadsWhatItDoesNotHoldOfEachLane) {
  for (int i = 0; i < 20; ++i) {
    send({{"low", 0}, {"plain"}, {"high", 9}});
  }
  const auto held = receive_all(60);
  for (const core::Delivery& one : held) {
    rig.settle(client, one, SettleKind::kNack, 10);
  }
  rig.settle_down();
  EXPECT_EQ(rig.shard.metrics().idle_bytes, 0U) << "what waits is not in memory";
  EXPECT_EQ(rig.info("work").delayed, 60U);
  rig.pass(10);
  const std::vector<std::string> again = values_in(receive_all(60));
  EXPECT_EQ(again.size(), 60U);
  EXPECT_EQ(std::ranges::count(again, "high"), 20);
}

TEST_F(LanesShardWithLittleMemory, AReadOfOneLaneForAnotherPurposeHoldsUpNobody) {
  rig.ask(client, ++requests,
          core::UpdateQueue{"default", "work", {.retention_ms = proto::kMinRetentionMs}, false});
  rig.settle_down();
  send({{"low", 0}});
  const proto::QueueId other = rig.create_queue(client, "other");
  rig.send(client, proto::LogId{other.value}, ++sends, {"takes its place in memory"});
  rig.settle_down();
  rig.now += proto::kMinRetentionMs;
  rig.shard.on_timer();
  rig.run();
  ASSERT_FALSE(rig.loader.waiting.empty()) << "what is too old is read, to go";
  rig.ask(client, 1, core::Subscribe{"default", "work", 1, std::nullopt, 1, 1 << 20});
  core::SendBatch batch = core::test::a_ranked_batch(proto::LogId{queue.value}, {{"high", 9}});
  batch.send_number = ++sends;
  rig.shard.send(client.id, std::move(batch), 0);
  rig.run();
  rig.commit_all();
  EXPECT_THAT(values_in(client.deliveries), ElementsAre("high"));
}

TEST_F(LanesShardWithLittleMemory, WhatCannotBeReadHoldsUpItsLaneAlone) {
  send({{"damaged", 9}});
  send({{"low", 0}});
  storage::WriteBatch rows;
  const proto::LaneTag tag = lane_tag(9, 0);
  rows.remove(storage::Family::kLog,
              storage::batch_key(storage::KeyKind::kBatch, proto::lane_id(queue, tag).value, 1,
                                 first_offset(tag)));
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  rig.store.commit(all).value();
  std::vector<std::string> got;
  for (int i = 0; i < 3 && got.empty(); ++i) {
    rig.ask(client, ++requests, core::Receive{"default", "work", 1, 0, 0, 60'000});
    rig.settle_down();
    ASSERT_TRUE(client.replies.at(requests)) << client.replies.at(requests).error().to_string();
    got = values_in(client.reply<core::Received>(requests).deliveries);
  }
  EXPECT_THAT(got, ElementsAre("low"));
  EXPECT_EQ(rig.damages.size(), 1U);
  rig.ask(client, ++requests, core::Receive{"default", "work", 1, 0, 0, 60'000});
  rig.settle_down();
  EXPECT_EQ(client.replies.at(requests).error().code, proto::Errc::kCorruptBatch)
      << "nothing else is there";
}

TEST_F(LanesShard, WhatExpiresIsNoMoreOfItsGroup) {
  rig.ask(client, ++requests,
          core::UpdateQueue{"default", "work", {.retention_ms = proto::kMinRetentionMs}, false});
  rig.settle_down();
  send({60, Ranked{"v", {}, "g"}});
  rig.pass(proto::kMinRetentionMs - 1);
  send({Ranked{"keeps the queue from being empty"}});
  rig.pass(1);
  ASSERT_EQ(rig.info("work").ready, 1U);
  send({60, Ranked{"v", {}, "g"}});
  EXPECT_EQ(lane_tag(client.sent.back().base_offset), 0);
}

TEST_F(LanesShardWithLittleMemory, SettlesWhatIsReadForIt) {
  send({{"high", 9}, {"high", 9}, {"low", 0}});
  const auto held = receive_all(3);
  for (const core::Delivery& one : held) {
    rig.settle(client, one, SettleKind::kNack, 100'000);
  }
  rig.settle_down();
  for (const core::Delivery& one : held) {
    rig.settle(client, one, SettleKind::kAck);  // late, while nobody else has it
  }
  rig.settle_down();
  EXPECT_TRUE(client.failures.empty());
  EXPECT_EQ(rig.info("work").messages(), 0U);
}

TEST_F(LanesShardWithLittleMemory, DiesInEachLaneAndComesBackByARedrive) {
  for (int i = 0; i < 5; ++i) {
    send({{"low", 0}, {"plain"}, {"high", 9}});
  }
  for (int round = 0; round < 2; ++round) {
    for (const core::Delivery& one : receive_all(15)) {
      rig.settle(client, one, SettleKind::kNack);
    }
    rig.settle_down();
  }
  EXPECT_EQ(rig.info("work").messages(), 0U);
  EXPECT_EQ(rig.info("dead").ready, 15U);
  rig.ask(client, ++requests, core::StartRedrive{"default", "dead"});
  rig.settle_down();
  EXPECT_EQ(rig.info("work").ready, 15U);
  EXPECT_THAT(values_in(receive_all(5)), ElementsAre("high", "high", "high", "high", "high"));
  rig.ask(client, ++requests, core::StartRedrive{"default", "work", "dead"});
  rig.settle_down();
  EXPECT_EQ(rig.info("work").messages(), 5U) << "what is held stays";
  EXPECT_EQ(rig.info("dead").ready, 10U);
  rig.ask(client, ++requests, core::PurgeQueue{"default", "work"});
  rig.settle_down();
  EXPECT_EQ(rig.info("work").messages(), 0U);
  EXPECT_TRUE(rig.failures.empty());
}

}  // namespace
}  // namespace weir::shard
