#include "proto/lanes.hpp"

#include "broker/core/rebuilt_batch.hpp"
#include "tests/unit/core/ranked_batch.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::core {
namespace {

using proto::Errc;
using proto::first_offset;
using proto::lane_id;
using proto::lane_tag;
using proto::QueueId;
using proto::SettleKind;
using Place = proto::SentEntry::Place;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::LaneRig;
using test::Ranked;
using testing::ElementsAre;

struct Lanes : testing::Test {
  explicit Lanes(std::int64_t strict = 0) {
    rig.create_queue("dead");
    QueueSettings settings{1000, 2, "dead"};
    settings.strict_priority = strict;
    queue = rig.create_queue("work", std::move(settings));
    rig.commit(store);
  }
  [[nodiscard]] static proto::LaneTag tag(int priority) { return lane_tag(priority, 0); }
  void restart() {
    rig.commit(store);
    expect_same_after_restore(rig, store, kNow);
    rig.state = ShardState(100);
    ASSERT_TRUE(rig.state.restore(*store.snapshot()));
  }

  LaneRig rig;
  storage::MemoryStore store;
  QueueId queue;
};
struct StrictLanes : Lanes {
  StrictLanes() : Lanes(1) {}
};

TEST_F(StrictLanes, HandOutTheMostUrgentFirst) {
  rig.send_ranked(queue, {{"low", 0}, {"plain"}, {"high", 9}, {"mid", 5}, {"high too", 9}});
  EXPECT_THAT(rig.drain(queue), ElementsAre("high", "high too", "mid", "plain", "low"));
}

TEST_F(StrictLanes, WhatFailedComesBeforeWhatIsLessUrgent) {
  rig.send_ranked(queue, {{"low", 0}, {"high", 9}});
  const auto held = rig.hand_out(queue, 1);
  rig.settle(queue, CoreRig::range(*held, SettleKind::kNack), kNow);
  EXPECT_THAT(rig.drain(queue), ElementsAre("high", "low"));
}

TEST_F(StrictLanes, ALargeMessageIsNotPassedByWhatIsLessUrgent) {
  rig.send_ranked(queue, {{"small", 0}, {std::string(1000, 'x'), 9}});
  auto wish = rig.wish(queue, 10);
  wish.max_bytes = 100;
  wish.first_fits = true;  // its taker holds others
  const auto step = rig.state.decide(wish, rig.batches, kNow);
  EXPECT_TRUE(std::holds_alternative<ShardState::NoRoom>(step));
}

TEST_F(Lanes, SharesFollowTheSquaresOfPriorities) {
  for (int i = 0; i < 30; ++i) {
    std::vector<Ranked> batch(1000, Ranked{"v", 0});
    for (std::size_t m = 0; m < batch.size(); ++m) {
      batch[m] = Ranked{std::to_string(std::array{0, 4, 9}[m % 3]), std::array{0, 4, 9}[m % 3]};
    }
    rig.send_ranked(queue, batch);
  }
  constexpr int kDeliveries = 10'000;
  std::array<double, 10> got{};
  for (const std::string& value : rig.drain(queue, 100, kDeliveries)) {
    ++got[static_cast<std::size_t>(value.front() - '0')];
  }
  const double all = 1 + 25 + 100;
  EXPECT_NEAR(got[0] / kDeliveries, 1 / all, 0.05);
  EXPECT_NEAR(got[4] / kDeliveries, 25 / all, 0.05);
  EXPECT_NEAR(got[9] / kDeliveries, 100 / all, 0.05);
  EXPECT_GT(got[0], 0) << "nothing waits for ever";
}

TEST_F(Lanes, WhoHadNothingHasNoClaimToWhatOthersGotMeanwhile) {
  rig.send_ranked(queue, std::vector<Ranked>(1000, Ranked{"9", 9}));
  rig.drain(queue, 100);
  rig.send_ranked(queue, std::vector<Ranked>(1000, Ranked{"9", 9}));
  rig.send_ranked(queue, std::vector<Ranked>(1000, Ranked{"0", 0}));
  const auto first = rig.drain(queue, 1, 100);
  EXPECT_LE(std::ranges::count(first, "0"), 2);
}

TEST_F(Lanes, TheAnswerTellsWhereEachMessageIs) {
  const auto sent =
      rig.send_ranked(queue, {{"a", 9}, {"b"}, {"c", 9}, {"d", 0}, {"e", 9}, {"f", 4}});
  EXPECT_EQ(sent.base_offset, first_offset(tag(9)));
  EXPECT_THAT(sent.elsewhere,
              ElementsAre(Place{1, 0}, Place{3, first_offset(tag(0))}, Place{5, 1}));
  const auto all_low = rig.send_ranked(queue, {{"g", 0}, {"h", 0}});
  EXPECT_EQ(all_low.base_offset, first_offset(tag(0)) + 1);
  EXPECT_TRUE(all_low.elsewhere.empty());
}

TEST_F(Lanes, ADuplicateIsToldTheSame) {
  const auto producer = rig.start_producer();
  const proto::BatchBuilder::Producer first{static_cast<std::int64_t>(producer.id.value), 0, 0};
  const proto::BatchBuilder::Producer second{first.id, 0, 3};
  const std::vector<Ranked> mixed = {{"a", 1}, {"b", 9}, {"c"}};
  const std::vector<Ranked> all_high = {{"d", 9}, {"e", 9}};
  const auto sent = rig.send_ranked(queue, mixed, first);
  const auto uniform = rig.send_ranked(queue, all_high, second);
  for (int life = 0; life < 2; ++life) {
    const auto again = rig.send_ranked(queue, mixed, first);
    EXPECT_TRUE(again.is_duplicate);
    EXPECT_EQ(again.base_offset, sent.base_offset);
    EXPECT_EQ(again.elsewhere, sent.elsewhere);
    EXPECT_EQ(rig.send_ranked(queue, all_high, second).base_offset, uniform.base_offset);
    restart();
  }
  EXPECT_EQ(rig.info(queue, kNow).ready, 5U);
}

TEST_F(Lanes, AreSettledLikeAnyMessage) {
  rig.send_ranked(queue, {{"high", 9}, {"high too", 9}});
  const auto held = rig.hand_out(queue, 1);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->queue, queue);
  EXPECT_EQ(held->base_offset, first_offset(tag(9)));
  EXPECT_TRUE(rig.state.is_worth_saying(*held, kNow));
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(*held, SettleKind::kExtend, 5000), kNow),
            std::nullopt);
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(*held, SettleKind::kAck), kNow), std::nullopt);
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(*held, SettleKind::kAck), kNow), std::nullopt);
  proto::SettleRange foreign = CoreRig::range(*held, SettleKind::kAck);
  foreign.base_offset = first_offset(tag(8));
  EXPECT_EQ(rig.outcome(queue, foreign, kNow), Errc::kReceiptInvalid) << "of a lane without a log";
  foreign.base_offset = 0;
  EXPECT_EQ(rig.outcome(queue, foreign, kNow), Errc::kReceiptInvalid) << "of another lane";
  EXPECT_EQ(rig.info(queue, kNow).ready, 1U);
}

TEST_F(Lanes, OutliveARestartWithAllThatIsKnownOfThem) {
  rig.send_ranked(queue, {{"a", 9}, {"b", 9}, {"c", 0}, {"d"}, {"e", 7}});
  const auto held = rig.hand_out(queue, 1);
  rig.settle(queue, CoreRig::range(*held, SettleKind::kStarted), kNow);
  const auto failed = rig.hand_out(queue, 1);
  rig.settle(queue, CoreRig::range(*failed, SettleKind::kNack, 50), kNow);
  restart();
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(*held, SettleKind::kAck), kNow), std::nullopt);
  EXPECT_EQ(rig.state.next_due(queue), kNow + 50);
  EXPECT_EQ(rig.info(queue, kNow).ready + rig.info(queue, kNow).delayed, 4U);
  restart();
}

/// A message of that priority that two consumers were lost with.
struct LoneInALane : Lanes {
  void lose_twice(int priority) {
    rig.apply(
        Record{*rig.state.decide(UpdateQueue{"default", "work", {.max_receive_count = 10}, false})
                    .value()
                    .record});
    rig.send_ranked(queue, {{"lone", priority}}, {}, kNow - 2000);
    for (const proto::TimeMs now : {kNow - 2000, kNow - 1000}) {
      const auto held = rig.hand_out(queue, 1, now);
      rig.settle(queue, CoreRig::range(*held, SettleKind::kStarted), now);
      rig.expire(now + 1000, false);
    }
  }
};

TEST_F(LoneInALane, IsToldWhoeverTakesFromAnotherLane) {
  lose_twice(9);
  rig.send_ranked(queue, {10, Ranked{"plain"}});
  auto wish = rig.wish(queue, 5);
  wish.is_alone = false;
  const auto step = rig.state.decide(wish, rig.batches, kNow);
  const auto* given = std::get_if<ShardState::DispatchStep>(&step);
  ASSERT_NE(given, nullptr);
  EXPECT_TRUE(given->passed_lone);
}

TEST_F(LoneInALane, IsFirstForWhoHoldsNothing) {
  lose_twice(0);
  rig.send_ranked(queue, {10, Ranked{"high", 9}});
  const auto held = rig.hand_out(queue, 5);
  EXPECT_THAT(test::values_in(*held), ElementsAre("lone"));
}

TEST_F(Lanes, WhatIsDueLaterInOneIsNotHiddenByWhatIsDueInAnother) {
  rig.send_ranked(queue, {{"a", 9}, {"b", 0}});
  for (const std::uint32_t delay : {10U, 500U}) {
    const auto held = rig.hand_out(queue, 1);
    rig.settle(queue, CoreRig::range(*held, SettleKind::kTransient, delay), kNow);
  }
  EXPECT_EQ(rig.state.next_due(queue), kNow + 10);
  EXPECT_EQ(rig.state.next_due_after(queue, kNow + 10), kNow + 500);
}

TEST_F(Lanes, LeasesInThemEnd) {
  rig.send_ranked(queue, {{"a", 9}});
  ASSERT_TRUE(rig.hand_out(queue, 1));
  rig.expire(kNow + 1000);
  EXPECT_EQ(rig.info(queue, kNow + 1000).ready, 1U);
}

TEST_F(Lanes, DeadLettersKeepTheirPriorityForTheWayBack) {
  rig.send_ranked(queue, {{"low", 1}, {"high", 9}, {"plain"}});
  for (int i = 0; i < 6; ++i) {
    const auto held = rig.hand_out(queue, 1);
    rig.settle(queue, CoreRig::range(*held, SettleKind::kNack), kNow);
  }
  while (!rig.state.dying_queues().empty()) {
    rig.apply(*rig.dead_letters(*rig.state.dying_queues().begin(), kNow));
  }
  const QueueId dead = rig.state.catalog().queue("default", "dead").value();
  EXPECT_EQ(rig.info(dead, kNow).ready, 3U);
  EXPECT_TRUE(rig.state.lanes(dead).empty()) << "they come as they died";
  EXPECT_EQ(rig.state.totals(queue).messages, 0U);
  restart();

  rig.apply(Record{rig.state.decide(StartRedrive{"default", "dead"}, kNow).value()});
  while (rig.state.redrives().find(dead)->is_running()) {
    rig.apply(std::get<ShardState::Records>(rig.state.decide_redrive(dead, 0, rig.batches, kNow)));
  }
  EXPECT_EQ(rig.info(queue, kNow).ready, 3U);
  for (const int priority : {1, 4, 9}) {
    const Queue& lane = *rig.state.queue(lane_id(queue, tag(priority)));
    EXPECT_EQ(lane.fresh(), 1U) << priority;
  }
  restart();
}

TEST_F(Lanes, ARedriveGoesThroughThemAll) {
  const QueueId other = rig.create_queue("other");
  rig.send_ranked(queue, {{"a", 9}, {"b"}, {"c", 0}, {"d", 9}});
  rig.apply(Record{rig.state.decide(StartRedrive{"default", "work", "other"}, kNow).value()});
  rig.send_ranked(queue, {{"later", 9}});
  restart();
  while (rig.state.redrives().find(queue)->is_running()) {
    rig.apply(std::get<ShardState::Records>(rig.state.decide_redrive(queue, 0, rig.batches, kNow)));
    restart();
  }
  EXPECT_EQ(rig.state.redrives().find(queue)->moved, 4U);
  EXPECT_THAT(rig.drain(queue), ElementsAre("later"));
  EXPECT_EQ(rig.info(other, kNow).ready, 4U);
}

TEST_F(Lanes, WhatWasPutOffGoesToItsLaneWhenItIsDue) {
  rig.send_ranked(queue, {{"low", 0, "", 10}, {"high", 9, "", 10}, {"plain", {}, "", 10}});
  EXPECT_TRUE(rig.state.lanes(queue).empty());
  rig.move_due(queue, kNow + 10);
  rig.move_due(queue, kNow + 10);
  EXPECT_THAT(rig.state.lanes(queue), ElementsAre(tag(0), tag(9)));
  EXPECT_EQ(rig.info(queue, kNow + 10).ready, 3U);
  restart();
}

TEST_F(Lanes, CountForTheBoundsOfTheirQueue) {
  QueueSettings settings{1000, 2};
  settings.max_messages = 3;
  settings.max_in_flight = 2;
  const QueueId bounded = rig.create_queue("bounded", settings);
  rig.send_ranked(bounded, {{"a", 9}, {"b", 0}, {"c"}});
  SendBatch more = test::a_ranked_batch(proto::LogId{bounded.value}, {{"d", 5}});
  EXPECT_EQ(rig.decide(more, kNow).error().code, Errc::kQueueFull);
  EXPECT_TRUE(rig.hand_out(bounded, 1));
  EXPECT_TRUE(rig.hand_out(bounded, 1));
  EXPECT_FALSE(rig.hand_out(bounded, 1)) << "two are in flight";
}

TEST_F(Lanes, ADividedBatchTakesNoMoreBytesThanThereMayBe) {
  const std::vector<Ranked> mixed = {{"a", 9}, {"b", 0}, {"c"}};
  SendBatch as_one = test::a_ranked_batch(proto::LogId{queue.value}, mixed);
  QueueSettings settings{1000, 2};
  settings.max_bytes = static_cast<std::int64_t>(as_one.stored.size()) + 10;
  const QueueId bounded = rig.create_queue("bounded", settings);
  SendBatch batch = test::a_ranked_batch(proto::LogId{bounded.value}, mixed);
  EXPECT_EQ(rig.decide(batch, kNow).error().code, Errc::kQueueFull);
}

TEST_F(Lanes, GoWithTheirQueue) {
  rig.send_ranked(queue, {{"a", 9}, {"b", 9}, {"c", 0}});
  const auto held = rig.hand_out(queue, 1);
  rig.apply(Record{QueuePurged{queue}});
  restart();
  EXPECT_EQ(rig.state.totals(queue).messages, 0U);
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(*held, SettleKind::kAck), kNow),
            Errc::kReceiptExpired);
  EXPECT_EQ(rig.send_ranked(queue, {{"d", 9}}).base_offset, first_offset(tag(9)) + 2)
      << "no offset comes twice";
  EXPECT_EQ(rig.send_ranked(queue, {{"e", 5}}).base_offset, first_offset(tag(5)));
  restart();
  rig.apply(rig.state.decide(DeleteQueue{"default", "work"}).value());
  restart();
  EXPECT_EQ(rig.state.queues().size(), 1U) << "the dead-letter queue";
}

TEST_F(Lanes, FollowAChangeOfTheirQueue) {
  rig.send_ranked(queue, {{"a", 9}});
  UpdateQueue command{"default", "work", {}, false};
  command.changes.max_receive_count = 7;
  rig.apply(Record{*rig.state.decide(command).value().record});
  restart();
  const Queue& lane = *rig.state.queue(lane_id(queue, tag(9)));
  EXPECT_EQ(lane.definition().settings.max_receive_count, 7);
  EXPECT_EQ(lane.id(), lane_id(queue, tag(9)));
}

TEST_F(Lanes, AFifoQueueRefusesPriorities) {
  const QueueId fifo = rig.create_queue("work.fifo");
  SendBatch batch = test::a_ranked_batch(proto::LogId{fifo.value}, {{"a", 9, "g"}});
  EXPECT_EQ(rig.decide(batch, kNow).error().code, Errc::kInvalidArgument);
  QueueSettings settings;
  settings.strict_priority = 1;
  EXPECT_EQ(rig.state.decide(CreateQueue{"default", "strict.fifo", settings, Uuid{7}}).error().code,
            Errc::kInvalidArgument);
}

TEST_F(Lanes, RowsOfALaneThatCannotBeAreRefused) {
  rig.send_ranked(queue, {{"a", 9}});
  rig.commit(store);
  const auto good =
      *store.snapshot()
           ->get(storage::Family::kState,
                 storage::object_key(storage::KeyKind::kQueueState, lane_id(queue, tag(9)).value))
           .value();
  const auto is_refused = [&](std::uint64_t id, const std::string& row) {
    storage::WriteBatch rows;
    const storage::Key key = storage::object_key(storage::KeyKind::kQueueState, id);
    rows.put(storage::Family::kState, key, row);
    const std::array<const storage::WriteBatch*, 1> all = {&rows};
    store.commit(all).value();
    ShardState again(100);
    const bool refused = !again.restore(*store.snapshot()) && !test::check_rows(store);
    storage::WriteBatch undo;
    undo.remove(storage::Family::kState, key);
    const std::array<const storage::WriteBatch*, 1> undone = {&undo};
    store.commit(undone).value();
    return refused;
  };
  EXPECT_TRUE(is_refused(lane_id(queue, tag(8)).value, good)) << "offsets of another lane";
  EXPECT_TRUE(is_refused(lane_id(queue, 0x0f).value, good)) << "no tag";
  EXPECT_TRUE(is_refused(lane_id(QueueId{77}, tag(9)).value, good)) << "no queue";
  Queue::Counters other = rig.state.queue(lane_id(queue, tag(9)))->counters();
  ++other.generation;
  EXPECT_TRUE(is_refused(lane_id(queue, tag(9)).value, rows::encode(other))) << "of another life";
}

}  // namespace
}  // namespace weir::core
