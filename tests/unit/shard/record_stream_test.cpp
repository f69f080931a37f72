#include "broker/core/record_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <set>

namespace weir::shard {
namespace {

using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

/// A state that knows nothing but the records of the units; every unit must change the same rows.
class Follower {
 public:
  explicit Follower(const storage::Reader& from) { state_.restore(from).value(); }

  void follow(const std::vector<CommitUnit>& units) {
    for (const CommitUnit& unit : units) {
      SCOPED_TRACE(unit.index.value);
      EXPECT_FALSE(unit.records.empty());
      for (const std::string& bytes : unit.records) {
        const core::Record record = core::records::decode(bytes).value();
        seen_.insert(record.index());
        core::Queue::Effects effects;
        state_.apply(record, effects);
      }
      const storage::WriteBatch rows = state_.take_rows();
      EXPECT_EQ(rows.size(), unit.rows.size());
      EXPECT_EQ(storage::operations_crc(rows), storage::operations_crc(unit.rows));
    }
  }
  template <class T>
  [[nodiscard]] bool has_seen() const {
    return seen_.contains(core::Record(T{}).index());
  }

 private:
  core::ShardState state_{100};
  std::set<std::size_t> seen_;
};

TEST(RecordStream, GivesAFollowerTheSameRowsUnitByUnit) {
  ShardRig rig;
  Follower follower(*rig.store.snapshot());
  rig.log.keeps_records = true;
  Session client;
  rig.open(client);
  rig.create_queue(client, "dead");
  const proto::QueueId queue = rig.create_queue(client, "work", {1000, 2, "dead"});
  const LogId log{queue.value};
  const LogId topic = rig.create_topic(client, "news");
  rig.ask(client, 1, core::InitProducer{});
  rig.settle_down();
  const auto id = static_cast<std::int64_t>(client.reply<core::ProducerInfo>(1).id.value);
  rig.send(client, log, 1, values_of(6), {id, 0, 0});
  rig.send(client, log, 2, values_of(4));
  rig.send(client, topic, 3, values_of(3), {id, 0, 0}, true);
  rig.settle_down();
  rig.ask(client, 2, core::Subscribe{"default", "work", 1, 1000, 100, 1 << 20});
  rig.settle_down();
  ASSERT_EQ(client.deliveries.size(), 2U);
  rig.settle(client, client.deliveries[0], SettleKind::kStarted);
  rig.settle(client, client.deliveries[0], SettleKind::kExtend, 5000);
  rig.settle(client, client.deliveries[1], SettleKind::kAck);
  rig.settle_down();
  rig.settle(client, client.deliveries[0], SettleKind::kNack);
  rig.settle_down();
  ASSERT_EQ(client.deliveries.size(), 3U);
  rig.settle(client, client.deliveries[2], SettleKind::kNack);
  rig.settle_down();
  EXPECT_EQ(rig.info("dead").ready, 6U);
  rig.pass(std::int64_t{8} * 24 * 3600 * 1000);
  follower.follow(rig.log.kept);
  EXPECT_TRUE(follower.has_seen<core::QueueCreated>());
  EXPECT_TRUE(follower.has_seen<core::TopicCreated>());
  EXPECT_TRUE(follower.has_seen<core::ProducerStarted>());
  EXPECT_TRUE(follower.has_seen<core::ProducerForgotten>());
  EXPECT_TRUE(follower.has_seen<core::BatchAppended>());
  EXPECT_TRUE(follower.has_seen<core::Leased>());
  EXPECT_TRUE(follower.has_seen<core::Started>());
  EXPECT_TRUE(follower.has_seen<core::Extended>());
  EXPECT_TRUE(follower.has_seen<core::Acked>());
  EXPECT_TRUE(follower.has_seen<core::Returned>());
  EXPECT_TRUE(follower.has_seen<core::DeadLettered>());
}

TEST(RecordStream, GoesOnBehindAReset) {
  ShardRig rig;
  Follower follower(*rig.store.snapshot());
  rig.log.keeps_records = true;
  Session client;
  rig.open(client);
  const LogId log{rig.create_queue(client, "work").value};
  rig.ask(client, 1, core::Subscribe{"default", "work", 1, 1000, 100, 1 << 20});
  rig.send(client, log, 1, values_of(3));
  rig.settle_down();
  ASSERT_EQ(client.deliveries.size(), 1U);
  rig.log.keeps_records = false;
  rig.settle(client, client.deliveries[0], SettleKind::kAck);
  rig.run();
  rig.log.forget();
  rig.log.keeps_records = true;
  ASSERT_TRUE(rig.shard.reset());
  rig.settle_down();
  rig.open(client);
  rig.ask(client, 1, core::Subscribe{"default", "work", 1, 1000, 100, 1 << 20});
  rig.settle_down();
  ASSERT_EQ(client.deliveries.size(), 2U);
  rig.settle(client, client.deliveries[1], SettleKind::kAck);
  rig.settle_down();
  EXPECT_EQ(rig.info("work").ready + rig.info("work").in_flight, 0U);
  follower.follow(rig.log.kept);
}

TEST(RecordStream, IsLeftOutWhereTheLogDoesNotWantIt) {
  ShardRig rig;
  Session client;
  rig.open(client);
  rig.ask(client, 1, core::CreateQueue{"default", "work", {}, {}});
  rig.run();
  ASSERT_EQ(rig.log.waiting.size(), 1U);
  EXPECT_TRUE(rig.log.waiting.front().records.empty());
  EXPECT_FALSE(rig.log.waiting.front().rows.empty());
}

TEST(RecordStream, HoldsTheNewIncarnation) {
  ShardRig rig;
  storage::MemoryStore store;
  test::FakeLog log(store);
  log.keeps_records = true;
  Ports ports = rig.ports();
  ports.store = &store;
  ShardOptions options = ShardRig::options(1 << 20);
  options.raise_incarnation = true;
  Shard shard(options, ports);
  ASSERT_TRUE(shard.start(log));
  EXPECT_EQ(shard.incarnation(), 2U);
  ASSERT_EQ(log.kept.size(), 1U);
  const auto first = core::records::decode(log.kept.front().records.front()).value();
  EXPECT_EQ(std::get<core::IncarnationRaised>(first).incarnation, 2U);
  Follower follower(*store.snapshot());
  follower.follow(log.kept);
}

}  // namespace
}  // namespace weir::shard
