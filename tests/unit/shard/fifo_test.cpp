#include "tests/unit/shard/shard_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

// FIFO queues with several takers, and with more waiting than memory is for.
namespace weir::shard {
namespace {

using core::test::Grouped;
using core::test::values_in;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using ::testing::ElementsAre;

class FifoShard : public ::testing::Test {
 protected:
  explicit FifoShard(std::size_t idle_batch_bytes = std::size_t{1} << 20)
      : rig(std::size_t{1} << 20, idle_batch_bytes) {
    rig.open(client);
    queue = rig.create_queue(client, "work.fifo", {60'000});
  }
  void send(const std::vector<Grouped>& messages) {
    core::SendBatch batch = core::test::a_grouped_batch(proto::LogId{queue.value}, messages);
    batch.send_number = ++sends;
    rig.shard.send(client.id, std::move(batch), 0);
  }
  void subscribe(Session& session, std::uint32_t window) {
    rig.open(session);
    rig.ask(session, 1, core::Subscribe{"default", "work.fifo", 1, std::nullopt, window, 1 << 20});
    rig.settle_down();
  }

  ShardRig rig;
  Session client;
  proto::QueueId queue;
  std::uint64_t sends = 0;
};

class FifoShardWithLittleMemory : public FifoShard {
 protected:
  FifoShardWithLittleMemory() : FifoShard(0) {}
};

TEST_F(FifoShard, TheEndOfOnesWorkGivesItsGroupToAnother) {
  Session one;
  Session other;
  subscribe(one, 1);
  send({{"a", "a1"}, {"a", "a2"}});
  rig.settle_down();
  EXPECT_THAT(values_in(one.deliveries), ElementsAre("a1"));
  subscribe(other, 5);
  EXPECT_TRUE(other.deliveries.empty());
  rig.ask(one, 2, core::Unsubscribe{1});
  rig.settle_down();
  EXPECT_THAT(values_in(other.deliveries), ElementsAre("a1"))
      << "it had not begun, and goes back in front";
  rig.settle(other, other.deliveries[0], SettleKind::kAck);
  rig.settle_down();
  EXPECT_THAT(values_in(other.deliveries), ElementsAre("a1", "a2"));
  rig.settle(other, other.deliveries[1], SettleKind::kAck);
  rig.settle_down();
  EXPECT_EQ(rig.info("work.fifo").messages(), 0U);
}

TEST_F(FifoShard, AnAckLetsWhoeverHasRoomGoOn) {
  Session one;
  Session other;
  subscribe(one, 1);
  send({{"a", "a1"}});
  rig.settle_down();
  subscribe(other, 5);
  send({{"a", "a2"}, {"a", "a3"}});
  rig.settle_down();
  EXPECT_TRUE(other.deliveries.empty());
  one.deliveries.front().records = {};
  rig.shard.set_credit(one.id, {.alias = 1, .window_messages = 0, .window_bytes = 0});
  rig.settle(one, one.deliveries.front(), SettleKind::kAck);
  rig.settle_down();
  EXPECT_THAT(values_in(other.deliveries), ElementsAre("a2", "a3"));
}

TEST_F(FifoShard, GroupsAreSharedOutBetweenConsumers) {
  Session one;
  Session other;
  subscribe(one, 1000);
  subscribe(other, 1000);
  std::vector<Grouped> messages;
  for (int i = 0; i < 200; ++i) {
    messages.push_back({std::to_string(i % 50), "v"});
  }
  send(messages);
  rig.settle_down();
  EXPECT_GE(one.delivered(), 16U);
  EXPECT_GE(other.delivered(), 16U);
  EXPECT_EQ(one.delivered() + other.delivered(), 50U) << "one of each group";
}

TEST_F(FifoShard, WhatARedriveTakesAwayLetsTheNextGoOn) {
  rig.create_queue(client, "other.fifo");
  Session one;
  subscribe(one, 5);
  send({{"a", "a1"}, {"a", "a2"}});
  rig.settle_down();
  proto::SettleRange first = core::test::CoreRig::range(one.deliveries[0], SettleKind::kNack);
  first.count = 1;
  first.value = 3'600'000;
  rig.shard.settle(one.id, queue, {1, 1, {first}});
  rig.settle_down();
  EXPECT_EQ(one.deliveries.size(), 1U) << "a2 waits for a1";
  core::StartRedrive redrive;
  redrive.name_space = "default";
  redrive.name = "work.fifo";
  redrive.target = "other.fifo";
  redrive.max_messages = 1;
  rig.ask(client, 7, redrive);
  rig.settle_down();
  EXPECT_EQ(rig.info("other.fifo").ready, 1U);
  EXPECT_THAT(values_in(one.deliveries), ElementsAre("a1", "a2", "a2"));
}

TEST_F(FifoShard, FirstHandOutsOfWhatWasSetAsideAreFirstOnes) {
  Session one;
  subscribe(one, 1);
  send({{"a", "a1"}, {"a", "a2"}});
  rig.settle_down();
  rig.settle(one, one.deliveries[0], SettleKind::kAck);
  rig.settle_down();
  ASSERT_EQ(one.deliveries.size(), 2U);
  EXPECT_FALSE(one.deliveries[1].again);
  rig.settle(one, one.deliveries[1], SettleKind::kRelease);
  rig.settle_down();
  EXPECT_TRUE(one.deliveries[2].again);
}

TEST_F(FifoShard, OneAnswerHoldsSeveralOfAGroupInOrder) {
  Session one;
  rig.open(one);
  rig.ask(one, 1, core::Receive{"default", "work.fifo", 1, 1 << 20, 0, std::nullopt});
  send({{"a", "a0"}});
  rig.settle_down();
  send({{"a", "a1"}});
  send({{"b", "b1"}, {"a", "a2"}});
  send({{"a", "a3"}, {"c", "c1"}});
  rig.settle(one, one.reply<core::Received>(1).deliveries[0], SettleKind::kAck);
  rig.settle_down();
  rig.ask(one, 2, core::Receive{"default", "work.fifo", 10, 1 << 20, 0, std::nullopt});
  rig.settle_down();
  EXPECT_THAT(values_in(one.reply<core::Received>(2).deliveries),
              ElementsAre("a1", "b1", "a2", "a3", "c1"));
}

TEST_F(FifoShard, AStuckGroupHoldsUpItselfAloneHoweverMuchOfItWaits) {
  Session slow;
  subscribe(slow, 1);
  std::vector<Grouped> stuck;
  for (int i = 0; i < 1000; ++i) {
    stuck.push_back({"stuck", "s"});
  }
  for (int i = 0; i < 20; ++i) {
    send(stuck);
  }
  send({{"b", "b1"}});
  rig.settle_down();
  EXPECT_EQ(slow.delivered(), 1U);
  Session quick;
  subscribe(quick, 5);
  for (int i = 0; i < 12 && quick.deliveries.empty(); ++i) {
    ASSERT_TRUE(rig.timer) << "it is looked at again";
    rig.pass(250);
  }
  EXPECT_THAT(values_in(quick.deliveries), ElementsAre("b1"));
}

TEST_F(FifoShardWithLittleMemory, WhatWaitsInTheStoreComesInItsOrder) {
  Session one;
  subscribe(one, 4);
  std::map<std::string, int> next;
  std::size_t done = 0;
  for (int i = 0; i < 60; ++i) {
    send({{"a", std::to_string(i)}, {"b", std::to_string(i)}, {"a", std::to_string(i) + "+"}});
    rig.settle_down();
  }
  std::vector<std::string> seen;
  for (int i = 0; i < 1000 && seen.size() < 180; ++i) {
    for (; done < one.deliveries.size(); ++done) {
      for (const std::string& value : values_in(one.deliveries[done])) {
        seen.push_back(value);
      }
      rig.settle(one, one.deliveries[done], SettleKind::kAck);
    }
    rig.settle_down();
  }
  ASSERT_EQ(seen.size(), 180U);
  int last = -1;
  for (const std::string& value : seen) {
    if (value.back() == '+') {
      EXPECT_GT(std::stoi(value), last);
      last = std::stoi(value);
    }
  }
  EXPECT_EQ(rig.info("work.fifo").messages(), 0U);
  EXPECT_TRUE(rig.failures.empty());
}

}  // namespace
}  // namespace weir::shard
