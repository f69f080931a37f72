#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

struct PurgeShardTest : testing::Test {
  PurgeShardTest() { begin(std::size_t{1} << 20); }
  void begin(std::size_t idle_bytes) {
    rig = std::make_unique<ShardRig>(std::size_t{1} << 20, idle_bytes);
    client = {};
    rig->open(client);
    log = LogId{rig->create_queue(client, "work").value};
  }
  void ask_purge(std::uint64_t id) { rig->ask(client, id, core::PurgeQueue{"default", "work"}); }
  std::unique_ptr<ShardRig> rig;
  Session client;
  LogId log;
};

TEST_F(PurgeShardTest, TellsWhatWasThereAndMakesRoomForMore) {
  rig->ask(client, 1, core::Subscribe{"default", "work", 1, 60'000, 4, 1 << 20});
  rig->send(client, log, 1, values_of(10));
  rig->settle_down();
  ASSERT_EQ(client.delivered(), 4U);
  ask_purge(2);
  rig->settle_down();
  EXPECT_EQ(client.reply<core::QueueInfo>(2).in_flight, 4U);
  EXPECT_EQ(client.reply<core::QueueInfo>(2).ready, 6U);
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_EQ(rig->shard.metrics().purged_messages, 10U);
  rig->send(client, log, 2, values_of(4));
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 8U) << "the window is free again";
  rig->settle(client, client.deliveries[0], SettleKind::kAck);
  rig->settle_down();
  ASSERT_EQ(client.failures.size(), 1U);
  EXPECT_EQ(client.failures[0].code, static_cast<std::uint16_t>(Errc::kReceiptExpired));
}

TEST_F(PurgeShardTest, SaysNothingOfMessagesThatWerePurgedBeforeTheyLeft) {
  rig->ask(client, 1, core::Subscribe{"default", "work", 1, 60'000, 4, 1 << 20});
  rig->settle_down();
  rig->send(client, log, 1, values_of(3));
  rig->run();
  ask_purge(2);
  rig->run();
  rig->settle_down();
  EXPECT_EQ(client.sent.at(0).code, 0);
  EXPECT_EQ(client.delivered(), 0U);
  EXPECT_EQ(rig->info("work").messages(), 0U);
}

TEST_F(PurgeShardTest, IsDoneOrNotWhenTheBrokerDies) {
  rig->send(client, log, 1, values_of(3));
  rig->settle_down();
  ask_purge(1);
  rig->run();
  EXPECT_FALSE(client.replies.contains(1)) << "not durable, so not said";
  rig->log.forget();
  rig->posted.clear();
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 3U) << "it had not been committed";
  Session again;
  rig->open(again);
  rig->ask(again, 1, core::PurgeQueue{"default", "work"});
  rig->settle_down();
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

// What was read of the life before must not come into the next one.
TEST_F(PurgeShardTest, ForgetsRowsThatWereReadForItBefore) {
  begin(0);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    rig->send(client, log, i, values_of(2));
    rig->ask(client, 10 + i, core::Receive{"default", "work", 2, 0, 0, 60'000});
  }
  rig->settle_down();
  for (std::uint64_t i = 1; i <= 4; ++i) {
    rig->settle(client, client.reply<core::Received>(10 + i).deliveries.at(0), SettleKind::kNack,
                5'000);
  }
  rig->settle_down();
  ASSERT_GT(rig->shard.metrics().paged_out_batches, 0U);
  rig->now += 5'000;
  rig->ask(client, 20, core::Receive{"default", "work", 10, 0, 20'000, 60'000});
  rig->run();
  rig->commit_all();
  ASSERT_FALSE(rig->loader.waiting.empty()) << "what is due is being read";
  ask_purge(21);
  rig->run();
  rig->settle_down();
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_FALSE(client.replies.contains(20));
  rig->send(client, log, 5, values_of(1));
  rig->settle_down();
  EXPECT_EQ(client.reply<core::Received>(20).deliveries.at(0).base_offset, 8);
  EXPECT_TRUE(core::test::check_rows(rig->store));
  EXPECT_TRUE(rig->failures.empty());
}

// A settlement that waits for rows when its queue is purged.
TEST_F(PurgeShardTest, AnswersASettlementThatWaitedForRows) {
  begin(0);
  rig->send(client, log, 1, values_of(2));
  rig->ask(client, 10, core::Receive{"default", "work", 2, 0, 0, 60'000});
  rig->settle_down();
  const core::Delivery held = client.reply<core::Received>(10).deliveries.at(0);
  rig->settle(client, held, SettleKind::kNack, 50'000);
  rig->settle_down();
  ASSERT_GT(rig->shard.metrics().paged_out_batches, 0U);
  rig->settle(client, held, SettleKind::kAck);
  rig->run();
  ASSERT_FALSE(rig->loader.waiting.empty());
  Session other;
  rig->open(other);
  rig->ask(other, 1, core::PurgeQueue{"default", "work"});
  rig->settle_down();
  EXPECT_EQ(client.settled, 2U);
  ASSERT_FALSE(client.failures.empty());
  EXPECT_EQ(client.failures.back().code, static_cast<std::uint16_t>(Errc::kReceiptExpired));
}

}  // namespace
}  // namespace weir::shard
