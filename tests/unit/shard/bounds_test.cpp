#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

// A queue with bounds, as those who wait for it see it.
namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

struct BoundsTest : testing::Test {
  BoundsTest() {
    for (Session* session : {&sender, &one, &other}) {
      rig->open(*session);
    }
  }
  void create(const core::QueueSettings& settings) {
    queue = rig->create_queue(sender, "work", settings);
  }
  void subscribe(Session& session, std::int64_t lease_ms = 1000) {
    rig->ask(session, 1, core::Subscribe{"default", "work", 1, lease_ms, 100, 1 << 20});
    rig->settle_down();
  }
  void send(std::uint32_t messages) {
    rig->send(sender, LogId{queue.value}, ++sends, values_of(messages));
    rig->settle_down();
  }
  /// Settles the next message that the session holds; false when it holds none.
  bool settle(Session& session, SettleKind kind = SettleKind::kAck) {
    std::size_t& done = settled[session.id];
    if (done == session.deliveries.size()) {
      return false;
    }
    rig->settle(session, session.deliveries[done++], kind);
    rig->settle_down();
    return true;
  }
  [[nodiscard]] std::uint64_t delivered() const { return one.delivered() + other.delivered(); }

  std::unique_ptr<ShardRig> rig = std::make_unique<ShardRig>();
  Session sender;
  Session one;
  Session other;
  proto::QueueId queue;
  std::uint64_t sends = 0;
  std::map<proto::SessionId, std::size_t> settled;
};

TEST_F(BoundsTest, HandsOutToAnotherConsumerWhenOneIsDone) {
  create({.max_in_flight = 1});
  subscribe(one);
  send(1);
  ASSERT_EQ(one.delivered(), 1U);
  subscribe(other);
  send(1);
  EXPECT_EQ(delivered(), 1U) << "as many are in flight as may be";
  settle(one);
  EXPECT_EQ(delivered(), 2U);
}

TEST_F(BoundsTest, ComesToTheEndOfABacklogWithSeveralConsumers) {
  create({.max_in_flight = 3});
  subscribe(one);
  subscribe(other);
  for (int i = 0; i < 10; ++i) {
    send(2);
  }
  do {
    EXPECT_LE(rig->info("work").in_flight, 3U);
    EXPECT_GT(rig->info("work").in_flight, 0U);
    settle(one) || settle(other);
  } while (rig->info("work").messages() > 0);
  EXPECT_EQ(delivered(), 20U);
  EXPECT_GT(one.delivered(), 0U);
  EXPECT_GT(other.delivered(), 0U);
}

TEST_F(BoundsTest, LetsAReceiveWaitForRoom) {
  create({.max_in_flight = 1});
  send(2);
  rig->ask(one, 1, core::Receive{"default", "work", 1, 0, 0, 1000});
  rig->ask(other, 1, core::Receive{"default", "work", 1, 0, 20'000, 1000});
  rig->settle_down();
  ASSERT_EQ(one.reply<core::Received>(1).deliveries.size(), 1U);
  EXPECT_FALSE(other.replies.contains(1)) << "waits, and hears no error";
  rig->pass(1500);
  EXPECT_EQ(other.reply<core::Received>(1).deliveries.size(), 1U) << "a lease has ended";
}

TEST_F(BoundsTest, AnAckLetsAReceiveThatWaitsGoOn) {
  create({.max_in_flight = 1});
  send(2);
  rig->ask(one, 1, core::Receive{"default", "work", 1, 0, 0, 10'000});
  rig->ask(other, 1, core::Receive{"default", "work", 1, 0, 20'000, 10'000});
  rig->settle_down();
  EXPECT_FALSE(other.replies.contains(1));
  rig->settle(one, one.reply<core::Received>(1).deliveries.at(0), SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(other.reply<core::Received>(1).deliveries.size(), 1U);
}

TEST_F(BoundsTest, GoesOnWhenWhatWasDyingHasMoved) {
  rig->create_queue(sender, "dead");
  create({.max_receive_count = 1, .dead_letter_queue = "dead", .max_in_flight = 1});
  subscribe(one);
  send(2);
  send(2);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    ASSERT_EQ(one.delivered(), i);
    rig->settle(one, one.deliveries.back(), SettleKind::kStarted);
    settle(one, SettleKind::kNack);
  }
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_EQ(rig->info("dead").ready, 4U);
}

TEST_F(BoundsTest, GoesOnWhenTheBoundIsRaised) {
  create({.max_in_flight = 1});
  subscribe(one);
  send(3);
  ASSERT_EQ(delivered(), 1U);
  core::QueueChanges changes;
  changes.max_in_flight = 2;
  rig->ask(sender, 5, core::UpdateQueue{"default", "work", changes, false});
  rig->settle_down();
  EXPECT_EQ(delivered(), 2U);
}

TEST_F(BoundsTest, RefusesSendsWithAWordWhenToComeBack) {
  create({.max_messages = 2});
  send(2);
  send(1);
  ASSERT_EQ(sender.sent.size(), 2U);
  EXPECT_EQ(sender.sent[0].code, 0);
  EXPECT_EQ(sender.sent[1].code, static_cast<std::uint16_t>(Errc::kQueueFull));
  EXPECT_GT(sender.sent[1].retry_after_ms, 0U);
  subscribe(one);
  settle(one);
  send(1);
  EXPECT_EQ(sender.sent[2].code, 0);
  EXPECT_EQ(rig->info("work").messages(), 1U);
}

TEST_F(BoundsTest, OutlastARestartOfTheShard) {
  create({.max_messages = 2, .max_in_flight = 1});
  send(2);
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(rig->info("work").settings.max_messages, 2);
  Session again;
  rig->open(again);
  rig->send(again, LogId{queue.value}, 1, values_of(1));
  rig->ask(again, 1, core::Subscribe{"default", "work", 1, 1000, 100, 1 << 20});
  rig->settle_down();
  EXPECT_EQ(again.sent.at(0).code, static_cast<std::uint16_t>(Errc::kQueueFull));
  EXPECT_EQ(again.delivered(), 1U);
}

}  // namespace
}  // namespace weir::shard
