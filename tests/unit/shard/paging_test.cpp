#include "broker/core/row_codec.hpp"
#include "proto/limits.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::kNow;
using test::Session;
using test::ShardRig;
using test::values_of;

/// Memory for about two idle batches of one message.
constexpr std::size_t kIdleBytes = 1200;

class ShardPaging : public ::testing::Test {
 protected:
  ShardPaging() {
    rig.open(client);
    rig.create_queue(client, "dead");
    core::QueueSettings settings{1000, 10, "dead"};
    settings.redelivery_budget_percent = proto::kMaxRedeliveryBudgetPercent;
    queue = rig.create_queue(client, "work", settings);
    log = LogId{queue.value};
  }
  void subscribe(std::uint32_t messages, std::int64_t lease_ms = 600'000) {
    rig.ask(client, 1, core::Subscribe{"default", "work", 1, lease_ms, messages, 1 << 20});
    rig.settle_down();
  }
  /// That many batches of one message, given back with a delay that grows by a second each.
  void returned(std::uint32_t batches) {
    subscribe(batches);
    for (std::uint32_t i = 0; i < batches; ++i) {
      rig.send(client, log, ++sends, values_of(1));
      rig.settle_down();
      rig.settle(client, client.deliveries.back(), SettleKind::kNack, 60'000 + i * 1000);
      rig.settle_down();
    }
    rig.ask(client, 2, core::Unsubscribe{1});
    rig.settle_down();
  }
  std::uint64_t row_loads() { return rig.shard.metrics().paged_in_batches; }

  ShardRig rig{std::size_t{1} << 20, kIdleBytes};
  Session client;
  proto::QueueId queue;
  LogId log;
  std::uint64_t sends = 0;
};

TEST_F(ShardPaging, KeepsMemoryWithinTheBoundAndForgetsNothing) {
  returned(50);
  EXPECT_LE(rig.shard.metrics().idle_bytes, kIdleBytes);
  EXPECT_GT(rig.shard.metrics().paged_out_batches, 40U);
  EXPECT_EQ(rig.info("work").delayed, 50U);
  client.deliveries.clear();
  subscribe(100);
  EXPECT_EQ(client.delivered(), 0U);
  rig.pass(60'000 + 24'000);
  EXPECT_EQ(client.delivered(), 25U) << "what is due, and no more";
  rig.pass(999);
  EXPECT_EQ(client.delivered(), 25U);
  rig.pass(1);
  EXPECT_EQ(client.delivered(), 26U);
  for (std::size_t i = 0; i < client.deliveries.size(); ++i) {
    EXPECT_EQ(client.deliveries[i].base_offset, static_cast<proto::Offset>(i)) << "soonest first";
    EXPECT_EQ(client.deliveries[i].attempts, 1);
  }
}

TEST_F(ShardPaging, WakesTheConsumerThatWaitsForWhatIsInTheStore) {
  returned(20);
  subscribe(100);
  ASSERT_TRUE(rig.timer);
  EXPECT_EQ(*rig.timer, kNow + 60'000);
}

TEST_F(ShardPaging, ReadsNothingWhileNobodyTakesMessages) {
  returned(20);
  const std::uint64_t before = row_loads();
  rig.pass(3'600'000);
  EXPECT_EQ(row_loads(), before);
  EXPECT_EQ(rig.info("work").ready, 20U) << "but they count as ready";
}

TEST_F(ShardPaging, GivesOutMoreThanOneLoadBrings) {
  returned(300);
  client.deliveries.clear();
  rig.now += 3'600'000;
  subscribe(1000);
  EXPECT_EQ(client.delivered(), 300U);
}

TEST_F(ShardPaging, ReadsARowThatASettlementNames) {
  returned(20);
  const core::Delivery late = client.deliveries[15];
  const std::size_t failures = client.failures.size();
  rig.settle(client, late, SettleKind::kAck);
  rig.run();
  EXPECT_FALSE(rig.loader.waiting.empty());
  rig.settle_down();
  EXPECT_EQ(client.settled, rig.settles);
  EXPECT_EQ(client.failures.size(), failures) << "nobody else has it: a late ack is accepted";
  EXPECT_EQ(rig.info("work").delayed, 19U);
  rig.settle(client, late, SettleKind::kAck);
  rig.settle(client, late, SettleKind::kNack);
  rig.settle_down();
  ASSERT_EQ(client.failures.size(), failures + 1) << "a second ack is fine, a nack is not";
  EXPECT_EQ(client.failures.back().code, static_cast<std::uint16_t>(Errc::kReceiptExpired));
  core::Delivery altered = client.deliveries[14];
  altered.nonce ^= 1;
  rig.settle(client, altered, SettleKind::kAck);
  rig.settle_down();
  EXPECT_EQ(client.failures.back().code, static_cast<std::uint16_t>(Errc::kReceiptInvalid));
  core::Delivery overlapping = client.deliveries[13];
  overlapping.base_offset -= 1;
  overlapping.span = 2;
  overlapping.first_index = 0;
  rig.settle(client, overlapping, SettleKind::kAck);
  rig.settle_down();
  EXPECT_EQ(client.failures.back().code, static_cast<std::uint16_t>(Errc::kReceiptInvalid));
  EXPECT_EQ(rig.info("work").delayed, 19U);
}

/// Between its slices a batch may be paged out again, and one that is out is not one that is done.
TEST_F(ShardPaging, ReadsARowAgainThatALargeSettlementNamesInALaterSlice) {
  returned(20);
  const core::Delivery& late = client.deliveries[15];
  const std::size_t refused = ShardOptions().settles_per_turn;
  const std::size_t failures = client.failures.size();
  std::vector<proto::SettleRange> ranges(
      refused, core::test::CoreRig::range(late, SettleKind::kNack, 0));  // which it was already
  ranges.push_back(core::test::CoreRig::range(late, SettleKind::kAck, 0));
  rig.shard.settle(client.id, queue, {++rig.settles, 1, std::move(ranges)});
  rig.settle_down();
  EXPECT_EQ(client.settled, rig.settles);
  EXPECT_EQ(client.failures.size(), failures + refused);
  EXPECT_EQ(rig.info("work").delayed, 19U);
}

TEST_F(ShardPaging, ReadsARowThatAHandleNames) {
  returned(20);
  const core::Delivery& late = client.deliveries[15];
  const std::string handle = test::handle_of(late, rig.shard.incarnation());
  rig.ask(client, 5, core::SettleByHandle{handle, SettleKind::kAck, 0, {}, {}});
  rig.run();
  EXPECT_FALSE(client.replies.contains(5));
  rig.settle_down();
  EXPECT_TRUE(client.replies.at(5));
  EXPECT_EQ(rig.info("work").delayed, 19U);
}

TEST_F(ShardPaging, KeepsTheOrderOfASessionBehindWhatWaits) {
  returned(20);
  const core::Delivery late = client.deliveries[15];
  Session other;
  rig.open(other);
  rig.settle(client, late, SettleKind::kAck);
  rig.ask(client, 6, core::DescribeQueue{"default", "work"});
  rig.ask(other, 7, core::DescribeQueue{"default", "work"});
  rig.run();
  rig.commit_all();
  EXPECT_FALSE(client.replies.contains(6));
  EXPECT_EQ(other.reply<core::QueueInfo>(7).delayed, 20U) << "others do not wait";
  rig.settle_down();
  EXPECT_EQ(client.reply<core::QueueInfo>(6).delayed, 19U);
}

TEST_F(ShardPaging, ExpiresNothingThatAWaitingInputExtends) {
  returned(20);
  const core::Delivery late = client.deliveries[15];
  subscribe(10, 1000);
  rig.send(client, log, ++sends, values_of(1));
  rig.settle_down();
  const core::Delivery held = client.deliveries.back();
  rig.settle(client, late, SettleKind::kAck);
  rig.settle(client, held, SettleKind::kExtend, 5000);
  rig.run();
  const std::size_t failures = client.failures.size();
  rig.now += 2000;
  rig.shard.on_timer();
  rig.settle_down();
  EXPECT_EQ(client.failures.size(), failures) << "it came in time";
  EXPECT_EQ(rig.info("work").in_flight, 1U);
}

TEST_F(ShardPaging, ReadsWhatIsNamedHoweverMuchIsPagedOut) {
  returned(20);
  const core::Delivery late = client.deliveries[15];
  client.deliveries.clear();
  Session other;  // whose settlements do not wait behind the one that does
  rig.open(other);
  subscribe(10);
  const std::size_t failures = client.failures.size();
  const auto give_back = [&] {
    rig.send(client, log, ++sends, values_of(1));
    for (const core::Delivery& held : std::exchange(client.deliveries, {})) {
      rig.settle(other, held, SettleKind::kNack, 3'600'000);
    }
    rig.run();
    // The disk is always one unit behind, and each has something that was paged out.
    while (rig.log.waiting.size() > 1) {
      rig.shard.on_committed(*rig.log.commit_one());
    }
    rig.load_one();
  };
  for (int i = 0; i < 10; ++i) {
    give_back();
  }
  rig.settle(client, late, SettleKind::kAck);
  const std::uint64_t asked = rig.settles;
  const std::uint64_t paged_out = rig.shard.metrics().paged_out_batches;
  for (int i = 0; i < 100 && client.settled < asked; ++i) {
    give_back();
  }
  EXPECT_GE(client.settled, asked);
  EXPECT_GT(rig.shard.metrics().paged_out_batches, paged_out);
  EXPECT_EQ(client.failures.size(), failures);
}

TEST_F(ShardPaging, ComesBackAfterAReset) {
  returned(20);
  ASSERT_TRUE(rig.shard.reset());
  rig.open(client);
  rig.settle_down();
  EXPECT_LE(rig.shard.metrics().idle_bytes, kIdleBytes);
  EXPECT_EQ(rig.info("work").delayed, 20U);
  client.deliveries.clear();
  rig.now += 3'600'000;
  subscribe(100);
  EXPECT_EQ(client.delivered(), 20U);
}

TEST_F(ShardPaging, ForgetsWhatWaitsWhenItIsReset) {
  returned(20);
  rig.settle(client, client.deliveries[15], SettleKind::kAck);
  rig.run();
  ASSERT_FALSE(rig.loader.waiting.empty());
  ASSERT_TRUE(rig.shard.reset());
  rig.settle_down();
  EXPECT_EQ(rig.info("work").delayed, 20U) << "the load of an earlier life changes nothing";
}

TEST_F(ShardPaging, KnowsTheOldestMessageOfTheStore) {
  for (int i = 0; i < 5; ++i) {
    returned(1);
    rig.now += 10'000;
  }
  rig.now += 3'600'000;
  subscribe(1);
  for (std::size_t done = 0; done < 5; ++done) {
    EXPECT_EQ(rig.info("work").oldest_append_time, kNow + static_cast<std::int64_t>(done) * 10'000);
    rig.settle(client, client.deliveries.back(), SettleKind::kAck);
    rig.settle_down();
  }
  EXPECT_EQ(rig.info("work").oldest_append_time, 0);
}

TEST_F(ShardPaging, StopsWhenTheStoreCannotBeRead) {
  returned(20);
  rig.store.fail_reads(true);
  rig.settle(client, client.deliveries[15], SettleKind::kAck);
  rig.settle_down();
  ASSERT_EQ(rig.failures.size(), 1U);
  EXPECT_EQ(rig.failures[0].code, Errc::kStorageFailed);
}

TEST_F(ShardPaging, StopsWhenIndexAndBatchContradictEachOther) {
  returned(20);
  storage::WriteBatch rows;
  rows.remove(storage::Family::kState,
              storage::batch_key(storage::KeyKind::kTouchedBatch, queue.value, 1, 15));
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  ASSERT_TRUE(rig.store.commit(all));
  rig.now += 3'600'000;
  subscribe(100);
  ASSERT_EQ(rig.failures.size(), 1U);
  EXPECT_EQ(rig.failures[0].code, Errc::kCorruptBatch);
}

}  // namespace
}  // namespace weir::shard
