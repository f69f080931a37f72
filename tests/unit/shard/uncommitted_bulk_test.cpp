#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <string>

// What a session is given stays within its room, and what is counted is what was said, however
// long the commits in between take.
namespace weir::shard {
namespace {

using proto::LogId;
using test::Session;
using test::ShardRig;
using test::values_of;

constexpr std::int64_t kLeaseMs = 1000;

class UncommittedHandOuts : public ::testing::Test {
 protected:
  UncommittedHandOuts() {
    rig.open(client);
    log = LogId{rig.create_queue(client, "work").value};
    rig.ask(client, 1, core::Subscribe{"default", "work", 1, kLeaseMs, 1000, 1 << 20});
    rig.settle_down();
    client.room = 1000;  // takes three of the messages below
  }
  void send(LogId to, bool topic = false) {
    rig.send(client, to, ++sends, values_of(1, std::string(300, 'x')), {}, topic);
  }
  /// Tells the shard of every commit, and lets it do nothing of its own.
  void commit_without_a_turn() {
    while (const auto index = rig.log.commit_one()) {
      rig.shard.on_committed(*index);
    }
  }

  ShardRig rig;
  Session client;
  LogId log;
  std::uint64_t sends = 0;
};

TEST_F(UncommittedHandOuts, OfOneTurnKeepToTheRoom) {
  for (int i = 0; i < 10; ++i) {
    send(log);
  }
  rig.run();
  commit_without_a_turn();
  EXPECT_EQ(client.delivered(), 3U);
  rig.settle_down();
  EXPECT_EQ(client.delivered(), 10U) << "the session never says that it has room again: it had";
}

TEST_F(UncommittedHandOuts, OfSeveralUnitsKeepToTheRoom) {
  for (int i = 0; i < 10; ++i) {
    send(log);
    rig.run();
  }
  EXPECT_GT(rig.log.waiting.size(), 3U);
  commit_without_a_turn();
  EXPECT_EQ(client.delivered(), 3U);
  rig.settle_down();
  EXPECT_EQ(client.delivered(), 10U);
}

TEST_F(UncommittedHandOuts, HoldNothingBackOnceTheyAreTakenBack) {
  for (int i = 0; i < 10; ++i) {
    send(log);
  }
  rig.run();
  rig.now += kLeaseMs * 3 / 4;
  commit_without_a_turn();
  EXPECT_EQ(client.delivered(), 0U) << "too little is left of the leases";
  rig.settle_down();
  EXPECT_EQ(client.delivered(), 10U);
}

TEST_F(UncommittedHandOuts, TakeTheRoomOfATopicToo) {
  const LogId events = rig.create_topic(client, "events");
  send(events, true);
  rig.ask(client, 2, core::SubscribeTopic{"default", "events", 2, {}, {}, 0, 1 << 20});
  rig.settle_down();
  for (int i = 0; i < 3; ++i) {
    send(log);
  }
  rig.run();
  rig.shard.set_credit(client.id, {2, 10, 1 << 20, 0, 0});
  rig.run();
  EXPECT_TRUE(client.topic_batches.empty());
  rig.settle_down();
  EXPECT_EQ(client.topic_batches.size(), 1U);
  EXPECT_EQ(client.delivered(), 3U);
}

TEST_F(UncommittedHandOuts, OfASessionThatIsGoneTakeNoRoomOfOthers) {
  send(log);
  rig.run();
  rig.shard.close_session(client.id);
  Session other;
  rig.open(other);
  other.room = 1000;
  rig.ask(other, 1, core::Subscribe{"default", "work", 1, kLeaseMs, 1000, 1 << 20});
  rig.settle_down();
  EXPECT_EQ(other.delivered(), 1U);
}

TEST_F(UncommittedHandOuts, AreCountedWhenTheyAreSaid) {
  send(log);
  send(log);
  rig.run();
  EXPECT_EQ(rig.shard.metrics().delivered_messages, 0U);
  rig.now += kLeaseMs * 3 / 4;
  commit_without_a_turn();
  EXPECT_EQ(rig.shard.metrics().delivered_messages, 0U) << "they could not leave";
  rig.settle_down();
  EXPECT_EQ(client.delivered(), 2U);
  EXPECT_EQ(rig.shard.metrics().delivered_messages, 2U);

  const std::uint64_t again = rig.shard.metrics().redelivered_messages;
  rig.settle(client, client.deliveries[0], proto::SettleKind::kNack);
  rig.run();
  EXPECT_EQ(rig.shard.metrics().redelivered_messages, again);
  rig.settle_down();
  EXPECT_EQ(client.delivered(), 3U);
  EXPECT_EQ(rig.shard.metrics().delivered_messages, 3U);
  EXPECT_EQ(rig.shard.metrics().redelivered_messages, again + 1);
}

TEST_F(UncommittedHandOuts, OfAReceiveAreCountedWhenTheyAreSaid) {
  Session other;
  rig.open(other);
  rig.create_queue(other, "single");
  const LogId single{other.reply<core::QueueInfo>(9000).id.value};
  rig.send(client, single, ++sends, values_of(4));
  rig.settle_down();
  rig.ask(other, 1, core::Receive{"default", "single", 10, 0, 0, kLeaseMs});
  rig.run();
  rig.shard.close_session(other.id);
  rig.settle_down();
  EXPECT_EQ(rig.shard.metrics().delivered_messages, 0U) << "nobody heard of them";
  rig.ask(client, 5, core::Receive{"default", "single", 10, 0, 0, kLeaseMs});
  rig.settle_down();
  EXPECT_EQ(rig.shard.metrics().delivered_messages, 4U);
}

}  // namespace
}  // namespace weir::shard
