#include "broker/core/queue/cold_batches.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

#include <set>

namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::kNow;
using test::values_of;

class Paging : public ::testing::Test {
 protected:
  /// One message in a batch of its own, handed out and given back; its delivery.
  Delivery a_returned(std::uint32_t delay_ms, proto::TimeMs now = kNow) {
    rig.send(queue, values_of(1), now);
    const Delivery held = *rig.take(queue, 1, now);
    rig.settle(queue, CoreRig::range(held, SettleKind::kNack, delay_ms), now);
    return held;
  }
  std::optional<proto::Offset> candidate(proto::TimeMs now = kNow) {
    const auto record = rig.state.decide_page_out(0, {}, now);
    return record ? std::optional(record->last_offset) : std::nullopt;
  }
  void page_out_all(proto::TimeMs now = kNow) {
    while (const auto record = rig.state.decide_page_out(0, {}, now)) {
      rig.apply(Record{*record});
    }
  }
  [[nodiscard]] const Queue& target() const { return *rig.state.queue(queue); }

  CoreRig rig;
  proto::QueueId queue = rig.create_queue("work", {1000, 2, ""});
};

TEST_F(Paging, TakesWhatIsNeededLastFirst) {
  a_returned(1000);
  a_returned(9000);
  a_returned(5000);
  const Delivery parked = a_returned(0);
  rig.settle(queue, CoreRig::range(*rig.take(queue, 1, kNow), SettleKind::kNack), kNow);
  ASSERT_EQ(rig.info(queue, kNow).parked, 1U);
  std::vector<proto::Offset> order;
  while (const auto last = candidate()) {
    order.push_back(*last);
    rig.apply(Record{PagedOut{queue, *last}});
  }
  EXPECT_EQ(order, (std::vector<proto::Offset>{parked.base_offset, 1, 2, 0}));
  EXPECT_EQ(rig.state.idle_bytes(), 0U);
}

TEST_F(Paging, LeavesWhatIsUnderWay) {
  rig.send(queue, values_of(4));
  const Delivery half = *rig.take(queue, 2, kNow);
  rig.settle(queue, CoreRig::range(half, SettleKind::kNack, 5000), kNow);
  EXPECT_FALSE(candidate()) << "the cursor stands inside the batch";
  const Delivery rest = *rig.take(queue, 2, kNow);
  EXPECT_FALSE(candidate()) << "leased in part";
  rig.settle(queue, CoreRig::range(rest, SettleKind::kAck), kNow);
  EXPECT_TRUE(candidate());
}

TEST_F(Paging, LeavesWhatIsHandedOutNext) {
  a_returned(1000);
  EXPECT_TRUE(candidate(kNow + 999));
  EXPECT_FALSE(candidate(kNow + 1000)) << "it would have to come back at once";
}

TEST_F(Paging, LeavesWhatWaitsForTheDeadLetterQueue) {
  rig.create_queue("dead");
  queue = rig.create_queue("fragile", {1000, 1, "dead"});
  a_returned(0);
  ASSERT_EQ(rig.info(queue, kNow).dying, 1U);
  EXPECT_FALSE(candidate());
}

TEST_F(Paging, KeepsToItsBoundAndPassesOverQueuesThatAreRead) {
  a_returned(1000);
  const std::size_t one = rig.state.idle_bytes();
  a_returned(2000);
  EXPECT_EQ(rig.state.idle_bytes(), 2 * one);
  EXPECT_FALSE(rig.state.decide_page_out(2 * one, {}, kNow));
  EXPECT_TRUE(rig.state.decide_page_out(2 * one - 1, {}, kNow));
  EXPECT_FALSE(rig.state.decide_page_out(0, {queue}, kNow));
}

TEST_F(Paging, ChangesNoCount) {
  a_returned(1000);
  a_returned(9000);
  const auto before = target().counters();
  page_out_all();
  EXPECT_EQ(target().counters(), before);
  EXPECT_TRUE(target().touched_batches().empty());
  EXPECT_EQ(rig.info(queue, kNow).delayed, 2U);
  EXPECT_EQ(rig.info(queue, kNow).ready, 0U);
  EXPECT_EQ(target().next_due(), kNow + 1000);
  EXPECT_FALSE(rig.state.decide_page_in(queue, kNow + 999));
  const auto need = rig.state.decide_page_in(queue, kNow + 1000);
  ASSERT_TRUE(need);
  EXPECT_EQ(need->what, NeedRows::What::kDue);
  EXPECT_EQ(need->until, kNow + 1000);
}

TEST_F(Paging, WritesARowForWhatIsDueAndTakesItBack) {
  storage::MemoryStore store;
  a_returned(1000);
  rig.commit(store);
  const std::size_t rows = store.rows(storage::Family::kState);
  const TouchedBatch batch = target().touched_batches().begin()->second;
  page_out_all();
  rig.commit(store);
  EXPECT_EQ(store.rows(storage::Family::kState), rows + 1);
  rig.apply(Record{PagedIn{queue, batch}});
  EXPECT_TRUE(target().cold().empty());
  rig.commit(store);
  EXPECT_EQ(store.rows(storage::Family::kState), rows);
  const Delivery again = *rig.take(queue, 1, kNow + 1000);
  EXPECT_EQ(again.attempts, 1);
}

TEST_F(Paging, RestoresColdBatchesCold) {
  storage::MemoryStore store;
  a_returned(1000);
  a_returned(600'000);
  a_returned(5000);
  rig.apply(Record{PagedOut{queue, 0}});
  rig.apply(Record{PagedOut{queue, 1}});
  rig.commit(store);
  ShardState again(100);
  ASSERT_TRUE(again.restore(*store.snapshot()));
  const Queue& other = *again.queue(queue);
  EXPECT_EQ(other.counters(), target().counters());
  EXPECT_EQ(other.cold().size(), 2U);
  EXPECT_EQ(other.touched_batches().size(), 1U);
  EXPECT_EQ(other.next_due(), kNow + 1000);
  EXPECT_EQ(other.delayed(kNow), 3U);
  EXPECT_EQ(other.oldest_append_time(), target().oldest_append_time());
  EXPECT_EQ(again.idle_bytes(), rig.state.idle_bytes());
}

TEST_F(Paging, AsksForTheRowsThatASettlementNames) {
  const Delivery held = a_returned(1000);
  const proto::SettleRange late = CoreRig::range(held, SettleKind::kAck);
  page_out_all();
  const auto asked = rig.state.decide(queue, late, {}, 0, kNow, std::nullopt);
  const auto& need = std::get<NeedRows>(asked);
  EXPECT_EQ(need.what, NeedRows::What::kBatch);
  EXPECT_EQ(need.offset, held.base_offset);
  EXPECT_EQ(need.end, held.base_offset + 1);
  const auto done = rig.state.decide(queue, late, {}, 0, kNow, held.base_offset);
  EXPECT_TRUE(std::get<ShardState::SettleDecision>(done).failed.empty())
      << "it is in no row, so it was acked";
  proto::SettleRange nack = late;
  nack.kind = SettleKind::kNack;
  const auto refused = rig.state.decide(queue, nack, {}, 0, kNow, held.base_offset);
  EXPECT_EQ(std::get<ShardState::SettleDecision>(refused).failed.front().code,
            Errc::kReceiptExpired);
}

TEST_F(Paging, CountsMessagesOnTheWayToTheDeadLetterQueueAsInFlight) {
  rig.create_queue("dead");
  queue = rig.create_queue("fragile", {1000, 1, "dead"});
  constexpr std::uint32_t kBatch = 10'000;
  for (std::uint32_t sent = 0; sent < proto::kMaxInFlightPerQueue + kBatch; sent += kBatch) {
    rig.send(queue, std::vector<std::string>(kBatch, "x"));
  }
  while (const auto held = rig.take(queue, kBatch, kNow)) {
    rig.settle(queue, CoreRig::range(*held, SettleKind::kNack), kNow);
  }
  EXPECT_EQ(rig.info(queue, kNow).dying, proto::kMaxInFlightPerQueue);
  EXPECT_GT(rig.info(queue, kNow).ready, 0U);
}

TouchedBatch returned_batch(proto::Offset base, std::uint32_t count, proto::TimeMs due,
                            proto::TimeMs append_time) {
  TouchedBatch batch(base, base + count - 1, 100, append_time);
  Run like;
  like.grant = proto::GrantId{1};
  like.when = due;
  batch.lease(0, count, like);
  batch.update(0, count, [](Run& run, std::uint32_t) { run.state = RunState::kReturned; });
  return batch;
}

TEST(ColdBatchesTest, CountsWhatIsNotDueYet) {
  ColdBatches cold;
  cold.add(returned_batch(0, 3, 1'000, 1));
  cold.add(returned_batch(3, 4, 10'000'000, 2));
  EXPECT_EQ(cold.delayed(999), 7U);
  EXPECT_EQ(cold.delayed(1'000), 4U);
  cold.remove(returned_batch(0, 3, 1'000, 1));
  cold.learn_next_due(10'000'000);
  EXPECT_EQ(cold.delayed(9'999'999), 4U) << "exact while nothing is due";
  cold.remove(returned_batch(3, 4, 10'000'000, 2));
  EXPECT_TRUE(cold.empty());
  EXPECT_EQ(cold.next_due(), TouchedBatch::kNever);
}

TEST(ColdBatchesTest, LooksForTheNextWhenTheOldestIsDone) {
  ColdBatches cold;
  cold.add(returned_batch(5, 1, 1'000, 50));
  cold.add(returned_batch(2, 1, 2'000, 20));
  cold.add(returned_batch(9, 1, 3'000, 90));
  EXPECT_EQ(cold.oldest()->append_time, 20);
  cold.remove(returned_batch(2, 1, 2'000, 20));
  EXPECT_FALSE(cold.is_oldest_done()) << "in memory again, but still the oldest";
  cold.finished(2);
  EXPECT_TRUE(cold.is_oldest_done());
  cold.learn_oldest({5, 50}, true);
  EXPECT_TRUE(cold.is_oldest_done()) << "that one went meanwhile";
  cold.learn_oldest({9, 90}, false);
  EXPECT_FALSE(cold.is_oldest_done());
  EXPECT_EQ(cold.oldest()->append_time, 90);
  cold.finished(2);
  EXPECT_FALSE(cold.is_oldest_done());
}

}  // namespace
}  // namespace weir::core
