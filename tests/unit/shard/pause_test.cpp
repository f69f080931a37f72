#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using test::Session;
using test::ShardRig;
using test::values_of;

struct PauseTest : testing::Test {
  PauseTest() {
    rig->open(client);
    queue = rig->create_queue(client, "work");
  }
  core::QueueUpdate pause(std::optional<bool> receives, std::optional<bool> sends,
                          bool dry_run = false) {
    core::UpdateQueue update;
    update.name_space = "default";
    update.name = "work";
    update.changes.receives_paused = receives;
    update.changes.sends_paused = sends;
    update.dry_run = dry_run;
    rig->ask(client, 100, update);
    rig->settle_down();
    return client.reply<core::QueueUpdate>(100);
  }
  void subscribe() {
    rig->ask(client, 1, core::Subscribe{"default", "work", 1, 1000, 100, 1 << 20});
    rig->settle_down();
  }
  std::unique_ptr<ShardRig> rig = std::make_unique<ShardRig>();
  Session client;
  proto::QueueId queue;
};

TEST_F(PauseTest, HoldsSubscriptionsAndReceivesUntilItIsResumed) {
  pause(true, std::nullopt);
  subscribe();
  rig->ask(client, 2, core::Receive{"default", "work", 10, 0, 20'000, 1000});
  rig->ask(client, 3, core::Receive{"default", "work", 10, 0, 0, 1000});
  rig->send(client, LogId{queue.value}, 1, values_of(3));
  rig->settle_down();
  EXPECT_EQ(client.sent.at(0).code, 0) << "sends are not paused";
  EXPECT_EQ(client.delivered(), 0U);
  EXPECT_FALSE(client.replies.contains(2));
  EXPECT_TRUE(client.reply<core::Received>(3).deliveries.empty());
  const core::QueueUpdate resumed = pause(false, std::nullopt);
  EXPECT_EQ(resumed.changes.size(), 1U);
  EXPECT_EQ(client.reply<core::Received>(2).deliveries.at(0).count, 3U)
      << "whoever waited is served as soon as it is resumed";
}

TEST_F(PauseTest, LetsLeasesEndMeanwhile) {
  subscribe();
  rig->send(client, LogId{queue.value}, 1, values_of(1));
  rig->settle_down();
  ASSERT_EQ(client.delivered(), 1U);
  pause(true, std::nullopt);
  rig->pass(2000);
  EXPECT_EQ(rig->info("work").in_flight, 0U);
  EXPECT_EQ(rig->info("work").ready, 1U);
  EXPECT_EQ(client.delivered(), 1U);
  pause(false, std::nullopt);
  EXPECT_EQ(client.delivered(), 2U);
}

TEST_F(PauseTest, RefusesSendsWithAWordWhenToComeBack) {
  pause(std::nullopt, true);
  rig->send(client, LogId{queue.value}, 1, values_of(1));
  rig->settle_down();
  EXPECT_EQ(client.sent.at(0).code, static_cast<std::uint16_t>(Errc::kPaused));
  EXPECT_GT(client.sent.at(0).retry_after_ms, 0U);
  EXPECT_EQ(rig->info("work").ready, 0U);
}

TEST_F(PauseTest, OutlastsARestartOfTheShard) {
  pause(true, true);
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(rig->info("work").pause, (core::QueuePause{true, true}));
}

TEST_F(PauseTest, TellsWhatADryRunWouldDoAndDoesNothing) {
  const core::QueueUpdate told = pause(true, true, true);
  EXPECT_EQ(told.changes.size(), 2U);
  EXPECT_EQ(told.queue.pause, core::QueuePause{});
  EXPECT_EQ(rig->info("work").pause, core::QueuePause{});
}

}  // namespace
}  // namespace weir::shard
