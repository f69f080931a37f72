#include "storage/key_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace weir::shard {
namespace {

using proto::LogId;
using test::kNow;
using test::Session;
using test::ShardRig;
using test::values_of;

constexpr std::int64_t kRetentionMs = 60'000;

struct ExpiryShardTest : testing::Test {
  void begin(std::size_t cache_bytes, std::size_t idle_bytes, bool dead_letters = false) {
    rig = std::make_unique<ShardRig>(cache_bytes, idle_bytes);
    client = {};
    rig->open(client);
    core::QueueSettings settings{1000, 5, dead_letters ? "dead" : ""};
    settings.retention_ms = kRetentionMs;
    settings.dead_letter_expired = dead_letters ? 1 : 0;
    settings.redelivery_budget_percent = proto::kMaxRedeliveryBudgetPercent;
    if (dead_letters) {
      rig->create_queue(client, "dead", {});
    }
    queue = rig->create_queue(client, "work", settings);
  }
  void send(std::uint32_t batches) {
    for (std::uint32_t i = 0; i < batches; ++i) {
      rig->send(client, LogId{queue.value}, ++sends, values_of(3));
    }
    rig->settle_down();
  }
  /// Takes all that is ready, and gives it back.
  void touch_all() {
    for (std::uint64_t id = 100;; ++id) {
      rig->ask(client, id, core::Receive{"default", "work", 1000, 1 << 20, 0, std::nullopt});
      rig->settle_down();
      const auto received = client.reply<core::Received>(id);
      if (received.deliveries.empty()) {
        return;
      }
      for (const core::Delivery& held : received.deliveries) {
        rig->settle(client, held, proto::SettleKind::kNack, 1'000'000);
      }
      rig->settle_down();
    }
  }

  std::unique_ptr<ShardRig> rig;
  Session client;
  proto::QueueId queue;
  std::uint64_t sends = 0;
};

TEST_F(ExpiryShardTest, DropsWhatIsTooOldByTheClock) {
  begin(1 << 20, 1 << 20);
  send(100);
  EXPECT_EQ(rig->timer, kNow + kRetentionMs);
  rig->pass(kRetentionMs - 1);
  EXPECT_EQ(rig->info("work").ready, 300U);
  rig->pass(1);
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_EQ(rig->shard.metrics().expired_messages, 300U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(ExpiryShardTest, ReadsWhatLiesInTheStoreAlone) {
  begin(1, 0);
  send(200);
  touch_all();
  ASSERT_GE(rig->shard.metrics().paged_out_batches, 200U);
  send(200);
  rig->pass(kRetentionMs);
  for (int i = 0; i < 300 && rig->info("work").messages() > 0; ++i) {
    rig->pass(1'000);
  }
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(ExpiryShardTest, MovesWhatIsTooOldToTheDeadLetterQueue) {
  begin(1 << 20, 1 << 20, true);
  send(50);
  rig->pass(kRetentionMs);
  EXPECT_EQ(rig->info("work").messages(), 0U);
  EXPECT_EQ(rig->info("dead").ready, 150U);
  EXPECT_EQ(rig->shard.metrics().expired_messages, 0U);
  EXPECT_EQ(rig->shard.metrics().dead_lettered_messages, 150U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(ExpiryShardTest, HandsOutNothingThatIsTooOld) {
  begin(1 << 20, 1 << 20);
  send(1'000);
  rig->now += kRetentionMs;
  rig->ask(client, 5, core::Subscribe{"default", "work", 1, 60'000, 10'000, 1 << 20});
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 0U);
  EXPECT_EQ(rig->info("work").messages(), 0U);
  send(1);
  EXPECT_EQ(client.delivered(), 3U);
}

TEST_F(ExpiryShardTest, GivesWhatIsBehindItToWhoDoesNotWait) {
  begin(1 << 20, 1 << 20);
  send(1'000);
  rig->now += kRetentionMs;
  rig->send(client, LogId{queue.value}, ++sends, values_of(3));
  rig->ask(client, 5, core::Receive{"default", "work", 1000, 1 << 20, 0, std::nullopt});
  rig->settle_down();
  const auto received = client.reply<core::Received>(5);
  ASSERT_EQ(received.deliveries.size(), 1U);
  EXPECT_EQ(received.deliveries[0].count, 3U);
}

// What is dying is in memory, and counts as in flight.
TEST_F(ExpiryShardTest, LetsNoMoreDieThanAreMoved) {
  begin(1 << 20, 1 << 20, true);
  send(300);
  rig->now += kRetentionMs;
  rig->shard.on_timer();
  std::uint64_t most = 0;
  while (!rig->posted.empty()) {
    const auto work = std::move(rig->posted.front());
    rig->posted.pop_front();
    work();
    most = std::max(most, rig->info("work").dying);
  }
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, 3 * 16U);
  rig->pass(5'000);
  EXPECT_EQ(rig->info("dead").ready, 900U);
}

TEST_F(ExpiryShardTest, LooksAgainLaterAtWhatSomebodyHolds) {
  begin(1 << 20, 1 << 20);
  send(1);
  rig->ask(client, 5, core::Receive{"default", "work", 1000, 1 << 20, 0, 300'000});
  rig->settle_down();
  rig->pass(kRetentionMs);
  EXPECT_EQ(rig->info("work").in_flight, 3U);
  ASSERT_TRUE(rig->timer);
  EXPECT_EQ(*rig->timer, rig->now + 1'000);
  rig->settle(client, client.reply<core::Received>(5).deliveries.at(0), proto::SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(rig->info("work").messages(), 0U);
}

TEST_F(ExpiryShardTest, LeavesWhatCannotBeReadToTheNextStart) {
  begin(1, 1 << 20);
  send(3);
  storage::WriteBatch damage;
  damage.put(storage::Family::kLog, storage::batch_key(storage::KeyKind::kBatch, queue.value, 1, 2),
             "no batch");
  const std::array<const storage::WriteBatch*, 1> all = {&damage};
  ASSERT_TRUE(rig->store.commit(all));
  rig->pass(kRetentionMs);
  rig->pass(kRetentionMs);
  EXPECT_EQ(rig->info("work").messages(), 9U);
  EXPECT_EQ(rig->damages.size(), 1U);
  EXPECT_TRUE(rig->failures.empty());
}

}  // namespace
}  // namespace weir::shard
