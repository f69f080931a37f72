#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

namespace weir::core {
namespace {

using proto::Errc;
using test::a_batch;
using test::CoreRig;
using test::kNow;
using test::values_of;

Errc refusal(const CoreRig& rig, const std::string& name, QueueSettings settings = {},
             const std::string& name_space = "default") {
  return rig.state.decide(CreateQueue{name_space, name, std::move(settings), {}}).error().code;
}

TEST(Catalog, BeginsWithTheDefaultNamespaceOnce) {
  CoreRig rig;
  EXPECT_TRUE(rig.state.catalog().name_space("default"));
  EXPECT_TRUE(rig.state.decide_start().empty());
  EXPECT_EQ(rig.state.catalog().name_space("other").error().code, Errc::kNamespaceNotFound);
  EXPECT_EQ(rig.state.catalog().name_space("Bad Name").error().code, Errc::kInvalidName);
}

TEST(Catalog, MakesAFifoQueueOfANameThatAsksForOne) {
  CoreRig rig;
  EXPECT_TRUE(rig.state.queue(rig.create_queue("work.fifo"))->is_fifo());
  EXPECT_FALSE(rig.state.queue(rig.create_queue("work"))->is_fifo());
}

TEST(Catalog, FillsInTheDefaultsOfAQueue) {
  CoreRig rig;
  const QueueInfo info = rig.info(rig.create_queue("work"), kNow);
  EXPECT_EQ(info.settings.lease_ms, proto::kDefaultLeaseMs);
  EXPECT_EQ(info.settings.max_receive_count, proto::kDefaultMaxReceiveCount);
}

TEST(Catalog, CreatesAgainWithEqualSettingsOnly) {
  CoreRig rig;
  rig.create_queue("dead");
  rig.create_queue("work", {500, 3, "dead"});
  EXPECT_TRUE(
      rig.state.decide(CreateQueue{"default", "work", {500, 3, "dead"}, {}}).value().empty());
  const auto other = rig.state.decide(CreateQueue{"default", "work", {501, 4, ""}, {}});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kAlreadyExists);
  for (const char* part : {"lease_ms is 500, not 501", "max_receive_count is 3, not 4", "'dead'"}) {
    EXPECT_NE(other.error().message.find(part), std::string::npos) << other.error().message;
  }
}

TEST(Catalog, RefusesQueuesThatCannotBe) {
  CoreRig rig;
  EXPECT_EQ(refusal(rig, "a b"), Errc::kInvalidName);
  EXPECT_EQ(refusal(rig, "__mine"), Errc::kInvalidName);
  EXPECT_EQ(refusal(rig, "work", {}, "nowhere"), Errc::kNamespaceNotFound);
  EXPECT_EQ(refusal(rig, "work", {-1, 0, ""}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(rig, "work", {proto::kMaxLeaseMs + 1, 0, ""}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(rig, "work", {0, proto::kMaxReceiveCountLimit + 1, ""}),
            Errc::kInvalidArgument);
  EXPECT_EQ(refusal(rig, "work", {0, 0, "work"}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(rig, "work", {0, 0, "missing"}), Errc::kQueueNotFound);
}

TEST(Catalog, KeepsQueuesAndTopicsApart) {
  CoreRig rig;
  rig.create_queue("same");
  const TopicCreated topic = rig.create_topic("same", 3);
  EXPECT_EQ(topic.partitions.size(), 3U);
  EXPECT_EQ(rig.state.catalog().objects(), 2U);
  EXPECT_EQ(rig.state.catalog().topic("default", "none").error().code, Errc::kTopicNotFound);
  EXPECT_EQ(rig.state.catalog().queue("default", "none").error().code, Errc::kQueueNotFound);
  EXPECT_EQ(rig.state.catalog().topic("default", "..").error().code, Errc::kInvalidName);
}

TEST(Catalog, NeverGivesANumberTwice) {
  CoreRig rig;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(numbers.insert(rig.create_queue("q" + std::to_string(i)).value).second);
    const TopicCreated topic = rig.create_topic("t" + std::to_string(i), 2);
    EXPECT_TRUE(numbers.insert(topic.id.value).second);
    for (const proto::PartitionId partition : topic.partitions) {
      EXPECT_TRUE(numbers.insert(partition.value).second);
    }
  }
}

TEST(Catalog, CreatesATopicAgainWithEqualPartitionsOnly) {
  CoreRig rig;
  rig.create_topic("news", 2);
  EXPECT_TRUE(rig.state.decide(CreateTopic{"default", "news", {2}, {}}).value().empty());
  EXPECT_EQ(rig.state.decide(CreateTopic{"default", "news", {3}, {}}).error().code,
            Errc::kAlreadyExists);
  EXPECT_EQ(rig.state.decide(CreateTopic{"default", "big", {proto::kMaxPartitionsPerTopic + 1}, {}})
                .error()
                .code,
            Errc::kInvalidArgument);
  EXPECT_EQ(rig.create_topic("small", 0).partitions.size(), 1U);
}

TEST(InitProducer, RaisesTheEpochOfAKnownProducer) {
  CoreRig rig;
  const ProducerStarted first = rig.start_producer();
  EXPECT_EQ(first.epoch, 0);
  auto records = rig.state.decide(InitProducer{first.id, 0}, kNow).value();
  rig.apply(records);
  EXPECT_EQ(std::get<ProducerStarted>(records.front()).id, first.id);
  EXPECT_EQ(std::get<ProducerStarted>(records.front()).epoch, 1);
  records = rig.state.decide(InitProducer{first.id, 0}, kNow).value();
  EXPECT_EQ(std::get<ProducerStarted>(records.front()).epoch, 2) << "its answer was lost";
  EXPECT_EQ(rig.state.decide(InitProducer{first.id, 9}, kNow).error().code, Errc::kProducerFenced);
  records = rig.state.decide(InitProducer{proto::ProducerId{77}, 1}, kNow).value();
  EXPECT_EQ(std::get<ProducerStarted>(records.front()).epoch, 0) << "forgotten: a new one";
}

TEST(InitProducer, GivesANewIdWhenTheEpochsAreUsedUp) {
  CoreRig rig;
  rig.apply(Record{ProducerStarted{proto::ProducerId{5}, INT16_MAX, kNow}});
  const auto records = rig.state.decide(InitProducer{proto::ProducerId{5}, INT16_MAX}, kNow);
  EXPECT_NE(std::get<ProducerStarted>(records.value().front()).id, proto::ProducerId{5});
}

TEST(InitProducer, ForgetsTheOldestWhereThereIsNoRoom) {
  CoreRig rig;
  rig.state = ShardState(2);
  rig.apply(rig.state.decide_start());
  const ProducerStarted first = rig.start_producer(kNow);
  rig.start_producer(kNow + 1);
  rig.start_producer(kNow + 2);
  EXPECT_EQ(rig.state.producers().size(), 2U);
  EXPECT_EQ(rig.state.producers().find(first.id), nullptr);
}

TEST(InitProducer, IsForgottenAfterSevenDays) {
  CoreRig rig;
  const ProducerStarted first = rig.start_producer(kNow);
  constexpr proto::TimeMs kWeek = proto::TimeMs{7} * 24 * 3600 * 1000;
  EXPECT_FALSE(rig.state.decide_forget(kNow + kWeek - 1));
  EXPECT_EQ(rig.state.decide_forget(kNow + kWeek)->id, first.id);
}

TEST(Send, GivesDenseOffsetsAndAppendTimes) {
  CoreRig rig;
  const proto::QueueId queue = rig.create_queue("work");
  EXPECT_EQ(rig.send(queue, values_of(3), kNow), 0);
  EXPECT_EQ(rig.send(queue, values_of(2), kNow + 5), 3);
  const CachedBatch* second = rig.batches.find(proto::LogId{queue.value}, 4);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->base_offset, 3);
  EXPECT_EQ(second->append_time, kNow + 5);
  EXPECT_EQ(rig.info(queue, kNow).ready, 5U);
}

TEST(Send, ChainsEachBatchToTheOneBefore) {
  CoreRig rig;
  const TopicCreated topic = rig.create_topic("news", 1);
  const proto::LogId log{topic.partitions[0].value};
  proto::Offset expected = -1;
  for (int i = 0; i < 3; ++i) {
    SendBatch batch = a_batch(log, values_of(2), {}, true);
    const auto decision = rig.decide(batch, kNow).value();
    EXPECT_EQ(proto::parse_stored_batch(decision.record->stored.view(), true)
                  .value()
                  .header.prev_last_offset,
              expected);
    rig.apply(Record{*decision.record});
    expected += 2;
  }
  EXPECT_EQ(rig.state.partition(topic.partitions[0])->next_offset, 6);
  EXPECT_EQ(rig.state.partition(topic.partitions[0])->high_watermark, 0) << "nothing is committed";
  rig.state.publish(topic.partitions[0], 6);
  rig.state.publish(topic.partitions[0], 4);
  EXPECT_EQ(rig.state.partition(topic.partitions[0])->high_watermark, 6) << "never back";
}

TEST(Send, AnswersADuplicateWithItsFirstOffsetAndTime) {
  CoreRig rig;
  const proto::QueueId queue = rig.create_queue("work");
  const ProducerStarted producer = rig.start_producer();
  const proto::BatchBuilder::Producer first{static_cast<std::int64_t>(producer.id.value), 0, 0};
  rig.send(queue, values_of(1), kNow);
  EXPECT_EQ(rig.send(queue, values_of(2), kNow + 1, first), 1);
  SendBatch again = a_batch(proto::LogId{queue.value}, values_of(2), first);
  const auto decision = rig.decide(again, kNow + 50).value();
  EXPECT_FALSE(decision.record);
  EXPECT_EQ(decision.base_offset, 1);
  EXPECT_EQ(decision.append_time, kNow + 1);
}

TEST(Send, RefusesALogThatIsGone) {
  CoreRig rig;
  SendBatch to_queue = a_batch(proto::LogId{99}, values_of(1));
  EXPECT_EQ(rig.decide(to_queue, kNow).error().code, Errc::kQueueNotFound);
  SendBatch to_topic = a_batch(proto::LogId{99}, values_of(1), {}, true);
  EXPECT_EQ(rig.decide(to_topic, kNow).error().code, Errc::kTopicNotFound);
}

TEST(CreateTopic, FixesTheEpochOfItsPartitionsInTheRecord) {
  CoreRig rig;
  rig.state.set_place(0, 5);
  const TopicCreated topic = rig.create_topic("news", 2);
  EXPECT_EQ(rig.state.partition(topic.partitions[1])->leader_epoch, 5U);
  ShardState elsewhere(100);
  Queue::Effects effects;
  elsewhere.apply(topic, effects);
  EXPECT_EQ(elsewhere.partition(topic.partitions[1])->leader_epoch, 5U)
      << "whoever applies it, in whichever epoch";
}

TEST(Incarnation, IsRaisedByARecordAndKept) {
  CoreRig rig;
  storage::MemoryStore store;
  rig.commit(store);
  rig.apply(Record{rig.state.decide_new_incarnation()});
  rig.commit(store);
  ShardState again(100);
  const auto reader = store.snapshot();
  ASSERT_TRUE(again.restore(*reader));
  EXPECT_EQ(again.identity().incarnation, 2U);
  EXPECT_EQ(again.decide_new_incarnation().incarnation, 3U);
}

}  // namespace
}  // namespace weir::core
