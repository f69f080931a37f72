#include "tests/unit/shard/shard_rig.hpp"

#include <gmock/gmock.h>
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
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class ShardMetricsTest : public testing::Test {
 protected:
  ShardMetricsTest() {
    rig.open(client);
    dead = rig.create_queue(client, "dead");
    work = rig.create_queue(client, "work", {1'000, 2, "dead"});
  }
  void send(proto::QueueId queue, std::uint32_t messages) {
    rig.send(client, LogId{queue.value}, ++sends, values_of(messages));
    rig.settle_down();
  }
  void subscribe(std::uint32_t messages) {
    rig.ask(client, 1, core::Subscribe{"default", "work", 1, 1'000, messages, 1 << 20});
    rig.settle_down();
  }
  void settle(const core::Delivery& held, SettleKind kind) {
    rig.settle(client, held, kind);
    rig.settle_down();
  }
  static std::vector<std::pair<Errc, std::uint64_t>> listed(const RefusalCounts& counts) {
    std::vector<std::pair<Errc, std::uint64_t>> list;
    counts.visit([&list](Errc code, std::uint64_t count) { list.emplace_back(code, count); });
    return list;
  }

  ShardRig rig{1 << 20};
  Session client;
  proto::QueueId dead;
  proto::QueueId work;
  std::uint64_t sends = 0;
};

TEST_F(ShardMetricsTest, CountForEachQueueAndInAll) {
  send(work, 3);
  send(dead, 2);
  rig.now += 70;
  subscribe(10);
  ASSERT_EQ(client.deliveries.size(), 1U);
  settle(client.deliveries[0], SettleKind::kAck);
  QueueCounters counters = rig.shard.queue_counters(work);
  EXPECT_EQ(counters.sent_messages, 3U);
  EXPECT_EQ(counters.delivered_messages, 3U);
  EXPECT_EQ(counters.redelivered_messages, 0U);
  EXPECT_EQ(counters.acked_messages, 3U);
  EXPECT_EQ(rig.shard.queue_counters(dead).sent_messages, 2U);
  EXPECT_EQ(rig.shard.queue_counters(dead).delivered_messages, 0U);
  EXPECT_EQ(rig.shard.metrics().sent_messages, 5U);
  EXPECT_EQ(rig.shard.metrics().acked_messages, 3U);
  EXPECT_THAT(rig.done, ElementsAre(Pair(70, 3U)));
  // Said again, which changes nothing.
  settle(client.deliveries[0], SettleKind::kAck);
  EXPECT_EQ(rig.shard.queue_counters(work).acked_messages, 3U);
  EXPECT_EQ(rig.done.size(), 1U);
}

TEST_F(ShardMetricsTest, CountFailuresExpiriesAndDeadLetters) {
  subscribe(10);
  send(work, 2);
  settle(client.deliveries.back(), SettleKind::kStarted);
  settle(client.deliveries.back(), SettleKind::kNack);
  ASSERT_EQ(client.deliveries.size(), 2U);
  settle(client.deliveries.back(), SettleKind::kStarted);
  rig.now += 1'000;
  rig.shard.on_timer();
  rig.settle_down();
  const QueueCounters counters = rig.shard.queue_counters(work);
  EXPECT_EQ(counters.nacked_messages, 2U);
  EXPECT_EQ(counters.redelivered_messages, 2U);
  EXPECT_EQ(counters.expired_leases, 1U);
  EXPECT_EQ(counters.dead_lettered_messages, 2U);
  EXPECT_EQ(rig.info("dead").ready, 2U);
  // A move to the dead-letter queue is no end of the message.
  EXPECT_THAT(rig.done, IsEmpty());
}

TEST_F(ShardMetricsTest, CountWhatWasRefusedByItsCode) {
  rig.shard.refuse_sends(proto::make_error(Errc::kDiskFull));
  send(work, 4);
  rig.ask(client, 5, core::DescribeQueue{"default", "none"});
  rig.settle_down();
  rig.shard.refuse_sends(std::nullopt);
  send(work, 2);
  subscribe(10);
  core::Delivery forged = client.deliveries.at(0);
  forged.nonce += 1;
  settle(forged, SettleKind::kAck);
  const ShardMetrics metrics = rig.shard.metrics();
  EXPECT_THAT(listed(metrics.refused_messages), ElementsAre(Pair(Errc::kDiskFull, 4U)));
  EXPECT_THAT(listed(metrics.refused_requests), ElementsAre(Pair(Errc::kQueueNotFound, 1U)));
  EXPECT_THAT(listed(metrics.refused_settlements), ElementsAre(Pair(Errc::kReceiptInvalid, 2U)));
  EXPECT_EQ(metrics.sessions, 1U);
}

}  // namespace
}  // namespace weir::shard
