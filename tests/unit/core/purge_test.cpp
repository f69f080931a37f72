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

/// A queue with messages in every state there is.
struct PurgeTest : testing::Test {
  PurgeTest() {
    rig.create_queue("dead");
    work = rig.create_queue("work", {1000, 1, "dead"});
    parking = rig.create_queue("parking", {1000, 1, ""});
    for (const proto::QueueId queue : {work, parking}) {
      rig.send(queue, values_of(4));
      const Delivery failed = *rig.take(queue, 2, kNow);  // dying, or parked
      rig.settle(queue, CoreRig::range(failed, SettleKind::kNack), kNow);
      released = *rig.take(queue, 1, kNow);
      rig.settle(queue, CoreRig::range(released, SettleKind::kRelease), kNow);
      rig.send(queue, values_of(6));
      leased.push_back(*rig.take(queue, 1, kNow));
      leased.push_back(*rig.take(queue, 3, kNow));
    }
    rig.commit(store);
  }
  void purge(proto::QueueId queue) {
    rig.apply(Record{QueuePurged{queue}});
    rig.commit(store);
  }
  void expect_empty(proto::QueueId queue) {
    const QueueInfo info = rig.info(queue, kNow + 5000);
    EXPECT_EQ(info.messages(), 0U);
    EXPECT_EQ(info.bytes, 0U);
    EXPECT_EQ(info.oldest_append_time, 0);
    EXPECT_FALSE(rig.take(queue, 10, kNow + 5000));
  }
  [[nodiscard]] std::string handle_of(proto::QueueId queue, const Delivery& held,
                                      std::uint32_t generation) const {
    proto::ReceiptHandle handle;
    handle.incarnation = rig.state.identity().incarnation;
    handle.queue = queue;
    handle.generation = generation;
    handle.grant = held.grant;
    handle.nonce = held.nonce;
    handle.base_offset = held.base_offset;
    return proto::encode_handle(handle);
  }
  CoreRig rig;
  storage::MemoryStore store;
  proto::QueueId work;
  proto::QueueId parking;
  Delivery released;
  std::vector<Delivery> leased;
};

TEST_F(PurgeTest, LeavesNothingAndCountsNothing) {
  ASSERT_EQ(rig.info(work, kNow).dying, 2U);
  ASSERT_EQ(rig.info(parking, kNow).parked, 2U);
  purge(work);
  expect_empty(work);
  EXPECT_EQ(rig.info(parking, kNow).messages(), 10U) << "another queue keeps its messages";
  expect_same_after_restore(rig, store, kNow);
  purge(parking);
  expect_empty(parking);
  EXPECT_EQ(store.rows(storage::Family::kLog), 0U);
  EXPECT_TRUE(rig.state.dying_queues().empty());
  EXPECT_EQ(rig.state.next_deadline(), TouchedBatch::kNever);
  EXPECT_EQ(rig.state.idle_bytes(), 0U);
  expect_same_after_restore(rig, store, kNow);
}

TEST_F(PurgeTest, TakesAFewRowsHoweverMuchWaits) {
  for (int i = 0; i < 500; ++i) {
    rig.send(work, values_of(1));
  }
  rig.commit(store);
  rig.apply(Record{QueuePurged{work}});
  EXPECT_LT(rig.state.take_rows().size(), 10U);
}

TEST_F(PurgeTest, FreesWhatConsumersHold) {
  rig.effects.freed.clear();
  purge(work);
  std::uint32_t freed = 0;
  for (const auto& [grant, count] : rig.effects.freed) {
    EXPECT_TRUE(grant == leased[0].grant || grant == leased[1].grant);
    freed += count;
  }
  EXPECT_EQ(freed, leased[0].count + leased[1].count);
}

TEST_F(PurgeTest, MakesSettlementsTooLate) {
  purge(work);
  for (const SettleKind kind : {SettleKind::kAck, SettleKind::kNack, SettleKind::kRelease,
                                SettleKind::kExtend, SettleKind::kStarted}) {
    EXPECT_EQ(rig.outcome(work, CoreRig::range(leased[1], kind, 1), kNow), Errc::kReceiptExpired);
  }
  proto::SettleRange invented = CoreRig::range(leased[1], SettleKind::kAck);
  invented.grant = rig.state.next_grant();
  EXPECT_EQ(rig.outcome(work, invented, kNow), Errc::kReceiptInvalid);
  SettleByHandle by_handle;
  by_handle.handle = handle_of(work, leased[1], 1);
  EXPECT_EQ(rig.state.decode(by_handle).error().code, Errc::kReceiptExpired);
  by_handle.handle = handle_of(work, leased[1], 3);
  EXPECT_EQ(rig.state.decode(by_handle).error().code, Errc::kReceiptInvalid) << "never given out";
}

TEST_F(PurgeTest, KeepsWhatIsSentAfterwards) {
  purge(work);
  EXPECT_EQ(rig.send(work, values_of(2), kNow + 9), 10) << "no offset comes twice";
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
  EXPECT_EQ(rig.info(work, kNow).oldest_append_time, kNow + 9);
  const Delivery held = *rig.take(work, 10, kNow + 10);
  EXPECT_EQ(held.count, 2U);
  EXPECT_EQ(held.generation, 2U);
  SettleByHandle by_handle;
  by_handle.handle = handle_of(work, held, held.generation);
  EXPECT_TRUE(rig.state.decode(by_handle));
  EXPECT_FALSE(rig.outcome(work, CoreRig::range(held, SettleKind::kAck), kNow + 11));
  EXPECT_FALSE(rig.outcome(work, CoreRig::range(held, SettleKind::kAck), kNow + 12))
      << "acked is not purged: an ack may come again";
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
}

TEST_F(PurgeTest, TakesWhatIsSentAndHandedOutInTheSameUnit) {
  rig.send(work, values_of(3));
  (void)rig.take(work, 2, kNow);
  rig.settle(work, CoreRig::range(leased[0], SettleKind::kAck), kNow);
  rig.apply(Record{QueuePurged{work}});
  rig.send(work, values_of(1));
  (void)rig.take(work, 1, kNow);
  rig.commit(store);
  EXPECT_EQ(rig.info(work, kNow).messages(), 1U);
  expect_same_after_restore(rig, store, kNow);
}

TEST_F(PurgeTest, TakesWhatWasPagedOutAsWell) {
  rig.settle(parking, CoreRig::range(leased[2], SettleKind::kNack), kNow);
  rig.settle(parking, CoreRig::range(leased[3], SettleKind::kRelease), kNow);
  while (const auto out = rig.state.decide_page_out(0, {}, kNow - 1)) {
    rig.apply(Record{*out});
  }
  ASSERT_FALSE(rig.state.queue(parking)->cold().empty());
  // Paged out and purged in one unit: no row may be left behind.
  rig.apply(Record{QueuePurged{parking}});
  rig.commit(store);
  EXPECT_TRUE(rig.state.queue(parking)->cold().empty());
  expect_empty(parking);
  expect_same_after_restore(rig, store, kNow);
}

TEST_F(PurgeTest, KnowsSentBatchesAgain) {
  const ProducerStarted producer = rig.start_producer();
  const proto::BatchBuilder::Producer idempotent{static_cast<std::int64_t>(producer.id.value), 0,
                                                 0};
  const proto::Offset offset = rig.send(work, values_of(2), kNow, idempotent);
  purge(work);
  SendBatch twice = test::a_batch(proto::LogId{work.value}, values_of(2), idempotent);
  const auto decision = rig.decide(twice, kNow);
  EXPECT_FALSE(decision->record) << "it was stored, and somebody deleted it";
  EXPECT_EQ(decision->base_offset, offset);
}

TEST_F(PurgeTest, IsTakenAsOftenAsOneLikes) {
  for (int i = 0; i < 3; ++i) {
    rig.send(work, values_of(2));
    rig.apply(Record{rig.state.decide(PurgeQueue{"default", "work"}).value()});
    rig.commit(store);
    expect_empty(work);
  }
}

TEST_F(PurgeTest, NeedsTheQueue) {
  EXPECT_EQ(rig.state.decide(PurgeQueue{"default", "none"}).error().code, Errc::kQueueNotFound);
}

}  // namespace
}  // namespace weir::core
