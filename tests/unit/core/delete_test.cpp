#include "proto/handle.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gtest/gtest.h>

namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::values_of;

struct DeleteTest : testing::Test {
  void remove(const std::string& name, bool force = false) {
    rig.apply(rig.state.decide(DeleteQueue{"default", name, force}).value());
  }
  void remove_topic(const std::string& name) {
    rig.apply(Record{rig.state.decide(DeleteTopic{"default", name}).value()});
  }
  void expect_same() {
    rig.commit(store);
    expect_same_after_restore(rig, store, kNow);
  }
  CoreRig rig;
  storage::MemoryStore store;
};

TEST_F(DeleteTest, LeavesNoRowOfAQueueInAnyState) {
  rig.commit(store);
  const std::size_t rows_before = store.rows(storage::Family::kState);
  rig.create_queue("dead");
  const proto::QueueId work = rig.create_queue("work", {1000, 1, "dead"});
  const ProducerStarted producer = rig.start_producer();
  rig.send(work, values_of(6), kNow, {static_cast<std::int64_t>(producer.id.value), 0, 0});
  const Delivery failed = *rig.take(work, 2, kNow);
  rig.settle(work, CoreRig::range(failed, SettleKind::kNack), kNow);
  const Delivery delayed = *rig.take(work, 1, kNow);
  rig.settle(work, CoreRig::range(delayed, SettleKind::kRelease), kNow);
  (void)rig.take(work, 2, kNow);
  expect_same();
  remove("work");
  EXPECT_EQ(rig.state.next_deadline(), TouchedBatch::kNever);
  EXPECT_TRUE(rig.state.dying_queues().empty());
  expect_same();
  EXPECT_EQ(store.rows(storage::Family::kLog), 0U);
  remove("dead");
  rig.apply(Record{ProducerForgotten{producer.id}});
  expect_same();
  EXPECT_EQ(store.rows(storage::Family::kState), rows_before);
}

TEST_F(DeleteTest, TakesAQueueThatWasMadeInTheSameUnit) {
  const proto::QueueId work = rig.create_queue("work");
  rig.send(work, values_of(3));
  (void)rig.take(work, 1, kNow);
  remove("work");
  expect_same();
  EXPECT_EQ(store.rows(storage::Family::kLog), 0U);
}

TEST_F(DeleteTest, MakesAQueueOfTheSameNameAnotherOne) {
  const proto::QueueId first = rig.create_queue("work");
  const ProducerStarted producer = rig.start_producer();
  const proto::BatchBuilder::Producer idempotent{static_cast<std::int64_t>(producer.id.value), 0,
                                                 0};
  rig.send(first, values_of(2), kNow, idempotent);
  const Delivery held = *rig.take(first, 2, kNow);
  remove("work");
  const proto::QueueId second = rig.create_queue("work");
  EXPECT_NE(first, second);
  EXPECT_EQ(rig.outcome(first, CoreRig::range(held, SettleKind::kAck), kNow), Errc::kQueueNotFound);
  proto::ReceiptHandle handle;
  handle.incarnation = rig.state.identity().incarnation;
  handle.queue = first;
  handle.generation = held.generation;
  handle.grant = held.grant;
  handle.nonce = held.nonce;
  SettleByHandle by_handle;
  by_handle.handle = proto::encode_handle(handle);
  EXPECT_EQ(rig.state.decode(by_handle).error().code, Errc::kReceiptInvalid);
  // The same batch of the same producer is a new one there.
  SendBatch again = test::a_batch(proto::LogId{second.value}, values_of(2), idempotent);
  EXPECT_TRUE(rig.decide(again, kNow)->record);
  SendBatch to_first = test::a_batch(proto::LogId{first.value}, values_of(2));
  EXPECT_EQ(rig.decide(to_first, kNow).error().code, Errc::kQueueNotFound);
  expect_same();
}

TEST_F(DeleteTest, RefusesADeadLetterQueueWithTheNamesOfWhoNeedsIt) {
  rig.create_queue("dead");
  rig.create_queue("a", {0, 0, "dead"});
  rig.create_queue("b", {0, 0, "dead"});
  const auto refused = rig.state.decide(DeleteQueue{"default", "dead", false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInUse);
  EXPECT_NE(refused.error().message.find("'a', 'b'"), std::string::npos) << refused.error().message;
  remove("a");
  remove("b");
  remove("dead");
  expect_same();
}

TEST_F(DeleteTest, NamesTenOfManyThatNeedIt) {
  rig.create_queue("dead");
  for (int i = 0; i < 25; ++i) {
    rig.create_queue("q" + std::to_string(i), {0, 0, "dead"});
  }
  const auto refused = rig.state.decide(DeleteQueue{"default", "dead", false});
  EXPECT_NE(refused.error().message.find(" and 15 more"), std::string::npos)
      << refused.error().message;
}

TEST_F(DeleteTest, TakesTheDeadLetterQueueFromOthersByForce) {
  rig.create_queue("dead");
  const proto::QueueId work = rig.create_queue("work", {1000, 1, "dead"});
  rig.send(work, values_of(2));
  const Delivery held = *rig.take(work, 2, kNow);
  rig.settle(work, CoreRig::range(held, SettleKind::kNack), kNow);
  remove("dead", true);
  EXPECT_EQ(rig.info(work, kNow).settings.dead_letter_queue, "");
  expect_same();
  // What was on its way there is parked.
  rig.apply(*rig.dead_letters(work, kNow));
  EXPECT_EQ(rig.info(work, kNow).parked, 2U);
  rig.create_queue("dead");
  EXPECT_EQ(rig.info(work, kNow).settings.dead_letter_queue, "") << "another queue";
  expect_same();
}

TEST_F(DeleteTest, ForgetsSinceARestartWhoNeededIt) {
  rig.create_queue("dead");
  rig.create_queue("work", {0, 0, "dead"});
  rig.commit(store);
  ShardState again(100);
  ASSERT_TRUE(again.restore(*store.snapshot()));
  EXPECT_EQ(again.decide(DeleteQueue{"default", "dead", false}).error().code, Errc::kInUse);
}

TEST_F(DeleteTest, LeavesNoRowOfATopic) {
  rig.commit(store);
  const std::size_t rows_before = store.rows(storage::Family::kState);
  const TopicCreated news = rig.create_topic("news", 3);
  const TopicCreated other = rig.create_topic("other", 2);
  const ProducerStarted producer = rig.start_producer();
  for (const TopicCreated& topic : {news, other}) {
    for (const proto::PartitionId partition : topic.partitions) {
      SendBatch batch = test::a_batch(proto::LogId{partition.value}, values_of(4),
                                      {static_cast<std::int64_t>(producer.id.value), 0, 0}, true);
      rig.apply(Record{*rig.decide(batch, kNow).value().record});
    }
  }
  expect_same();
  remove_topic("news");
  expect_same();
  EXPECT_EQ(rig.state.partition(news.partitions[1]), nullptr);
  EXPECT_EQ(store.rows(storage::Family::kLog), 2U) << "those of the other topic";
  EXPECT_EQ(rig.state.catalog().topic("default", "news").error().code, Errc::kTopicNotFound);
  EXPECT_EQ(rig.state.decide(DeleteTopic{"default", "news"}).error().code, Errc::kTopicNotFound);
  const TopicCreated again = rig.create_topic("news", 3);
  EXPECT_GT(again.partitions.front(), other.partitions.back()) << "no id comes twice";
  remove_topic("news");
  remove_topic("other");
  rig.apply(Record{ProducerForgotten{producer.id}});
  expect_same();
  EXPECT_EQ(store.rows(storage::Family::kLog), 0U);
  EXPECT_EQ(store.rows(storage::Family::kState), rows_before);
}

TEST_F(DeleteTest, TakesATopicThatWasWrittenInTheSameUnit) {
  const TopicCreated news = rig.create_topic("news", 2);
  SendBatch batch = test::a_batch(proto::LogId{news.partitions[0].value}, values_of(4), {}, true);
  rig.apply(Record{*rig.decide(batch, kNow).value().record});
  remove_topic("news");
  expect_same();
  EXPECT_EQ(store.rows(storage::Family::kLog), 0U);
}

TEST_F(DeleteTest, NeedsWhatIsToBeDeleted) {
  EXPECT_EQ(rig.state.decide(DeleteQueue{"default", "none", true}).error().code,
            Errc::kQueueNotFound);
  EXPECT_EQ(rig.state.decide(DeleteTopic{"default", "none"}).error().code, Errc::kTopicNotFound);
}

}  // namespace
}  // namespace weir::core
