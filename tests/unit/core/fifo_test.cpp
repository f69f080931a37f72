#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::core {
namespace {

using proto::Errc;
using proto::QueueId;
using proto::SettleKind;
using test::CoreRig;
using test::Grouped;
using test::kNow;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Values = std::vector<std::string>;

struct FifoRig : CoreRig {
  QueueId create(QueueSettings settings = {}) {
    return create_queue("work.fifo", std::move(settings));
  }
  proto::Result<ShardState::SendDecision> try_send(QueueId queue,
                                                   const std::vector<Grouped>& messages,
                                                   proto::TimeMs now = kNow) {
    SendBatch batch = test::a_grouped_batch(proto::LogId{queue.value}, messages);
    return decide(batch, now);
  }
  void send(QueueId queue, const std::vector<Grouped>& messages, proto::TimeMs now = kNow) {
    apply(Record{*try_send(queue, messages, now).value().record});
  }
  /// The next piece that one taker gets, whom nothing was given before.
  Values take(QueueId queue, proto::TimeMs now = kNow, std::uint32_t max_messages = 100) {
    const auto delivery = CoreRig::take(queue, max_messages, now);
    if (!delivery) {
      return {};
    }
    last.push_back(*delivery);
    return test::values_in(*delivery);
  }
  /// All that one receive gets.
  Values receive(QueueId queue, std::uint32_t max_messages, proto::TimeMs now = kNow) {
    Values all;
    std::optional<proto::GrantId> since;
    std::uint64_t group = 0;
    while (all.size() < max_messages) {
      auto wanted = wish(queue, max_messages - static_cast<std::uint32_t>(all.size()));
      wanted.since = since;
      wanted.group = group;
      auto step = state.decide(wanted, batches, now);
      if (const auto* aside = std::get_if<Passed>(&step)) {
        apply(Record{*aside});
        continue;
      }
      const auto* given = std::get_if<ShardState::DispatchStep>(&step);
      if (given == nullptr) {
        break;
      }
      apply(Record{given->record});
      since = since.value_or(given->record.grant);
      group = given->group;
      for (std::string& value : test::values_in(given->delivery)) {
        all.push_back(std::move(value));
      }
      last.push_back(given->delivery);
    }
    return all;
  }
  /// One message of what was handed out.
  std::optional<Errc> settle_one(QueueId queue, const Delivery& held, std::uint32_t position,
                                 SettleKind kind, std::uint32_t value = 0,
                                 proto::TimeMs now = kNow) {
    proto::SettleRange settled = range(held, kind, value);
    settled.first_index += position;
    settled.count = 1;
    return outcome(queue, settled, now);
  }
  void expect_sound(proto::TimeMs now = kNow) {
    commit(store);
    test::expect_same_after_restore(*this, store, now);
  }
  std::vector<Delivery> last;
  storage::MemoryStore store;
};

TEST(Fifo, NeedsAGroupOfEachMessage) {
  FifoRig rig;
  const QueueId queue = rig.create();
  SendBatch plain = test::a_batch(proto::LogId{queue.value}, {"a"});
  const auto refused = rig.decide(plain, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("each message needs a group"));
}

TEST(Fifo, PutsNothingOff) {
  FifoRig rig;
  const auto refused =
      rig.state.decide(CreateQueue{"default", "late.fifo", {.delay_ms = 5}, Uuid{7}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("delay_ms is not for FIFO queues"));

  const QueueId queue = rig.create();
  UpdateQueue update{"default", "work.fifo", {}};
  update.changes.delay_ms = 5;
  EXPECT_EQ(rig.state.decide(update).error().code, Errc::kInvalidArgument);

  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  proto::RecordInput record;
  const std::array<proto::Header, 2> headers = {
      {{proto::kHeaderGroup, "a"}, {proto::kHeaderDelay, "5"}}};
  record.headers = headers;
  builder.add(record);
  SendBatch batch = test::send_of(proto::LogId{queue.value}, builder);
  const auto put_off = rig.decide(batch, kNow);
  ASSERT_FALSE(put_off);
  EXPECT_THAT(put_off.error().message, HasSubstr("cannot be put off"));
}

TEST(Fifo, HasADeadLetterQueueOfItsKind) {
  FifoRig rig;
  rig.create_queue("dead");
  rig.create_queue("dead.fifo");
  const auto create = [&](const std::string& name, const std::string& target) {
    return rig.state.decide(CreateQueue{"default", name, {.dead_letter_queue = target}, Uuid{9}});
  };
  EXPECT_EQ(create("a.fifo", "dead").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(create("a", "dead.fifo").error().code, Errc::kInvalidArgument);
  EXPECT_TRUE(create("a.fifo", "dead.fifo"));
}

TEST(Fifo, HandsOutSeveralOfAGroupInOrder) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}, {"b", "b1"}, {"a", "a3"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "a2", "b1", "a3"));
  rig.expect_sound();
}

TEST(Fifo, AGroupThatIsHeldHoldsUpItselfAlone) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}});
  rig.send(queue, {{"a", "a2"}, {"b", "b1"}, {"a", "a3"}, {"c", "c1"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1"));
  EXPECT_THAT(rig.take(queue), ElementsAre("b1"));
  EXPECT_THAT(rig.take(queue), ElementsAre("c1"));
  EXPECT_THAT(rig.take(queue), IsEmpty());
  EXPECT_EQ(rig.info(queue, kNow).ready, 2U) << "those that wait for their group";
  rig.expect_sound();

  EXPECT_EQ(rig.outcome(queue, CoreRig::range(rig.last[1], SettleKind::kAck), kNow), std::nullopt);
  EXPECT_THAT(rig.take(queue), IsEmpty()) << "another group";
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(rig.last[0], SettleKind::kAck), kNow), std::nullopt);
  EXPECT_THAT(rig.take(queue), ElementsAre("a2"));
  EXPECT_THAT(rig.take(queue), IsEmpty()) << "a3 is in another piece";
  rig.expect_sound();
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(rig.last[3], SettleKind::kAck), kNow), std::nullopt);
  EXPECT_THAT(rig.take(queue), ElementsAre("a3"));
}

TEST(Fifo, OneReceiveGetsMoreOfItsGroupsFirst) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1"));
  rig.send(queue, {{"b", "b1"}, {"a", "a2"}, {"c", "c1"}, {"a", "a3"}});
  rig.send(queue, {{"a", "a4"}, {"d", "d1"}});
  EXPECT_THAT(rig.receive(queue, 1), ElementsAre("b1"));
  EXPECT_THAT(rig.receive(queue, 1), ElementsAre("c1"));
  EXPECT_THAT(rig.receive(queue, 1), ElementsAre("d1"));
  rig.settle(queue, CoreRig::range(rig.last[0], SettleKind::kAck), kNow);
  EXPECT_THAT(rig.receive(queue, 10), ElementsAre("a2", "a3", "a4"));
  rig.expect_sound();
}

TEST(Fifo, OneReceiveIsFilledFromOneGroupBeforeOthers) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a0"}, {"b", "b0"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a0", "b0"));
  rig.send(queue, {{"a", "a1"}});
  rig.send(queue, {{"b", "b1"}});
  rig.send(queue, {{"a", "a2"}});
  EXPECT_THAT(rig.receive(queue, 10), IsEmpty());
  rig.settle(queue, CoreRig::range(rig.last[0], SettleKind::kAck), kNow);
  EXPECT_THAT(rig.receive(queue, 10), ElementsAre("a1", "a2", "b1"));
  rig.expect_sound();
}

TEST(Fifo, WhatWaitsGoesOutInPieces) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}, {"b", "b1"}});
  rig.send(queue, {{"a", "a2"}, {"b", "b2"}, {"a", "a3"}, {"c", "c1"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "b1"));
  EXPECT_THAT(rig.take(queue), ElementsAre("c1"));
  rig.settle(queue, CoreRig::range(rig.last[0], SettleKind::kAck), kNow);
  EXPECT_THAT(rig.take(queue), ElementsAre("a2", "b2", "a3"))
      << "neighbours of groups that are free";
}

TEST(Fifo, WhatFailsTakesThoseBehindItAlong) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"a", "a3"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "b1", "a2", "a3"));
  const Delivery held = rig.last[0];
  EXPECT_EQ(rig.settle_one(queue, held, 2, SettleKind::kAck), std::nullopt) << "before the first";
  EXPECT_EQ(rig.settle_one(queue, held, 0, SettleKind::kNack, 500), std::nullopt);
  EXPECT_EQ(rig.settle_one(queue, held, 3, SettleKind::kAck), Errc::kReceiptExpired);
  EXPECT_EQ(rig.settle_one(queue, held, 1, SettleKind::kAck), std::nullopt) << "another group";
  EXPECT_EQ(rig.effects.freed.size(), 4U);
  rig.expect_sound();
  EXPECT_THAT(rig.take(queue, kNow + 499), IsEmpty()) << "a3 waits for a1";
  EXPECT_THAT(rig.take(queue, kNow + 500), ElementsAre("a1"));
  EXPECT_EQ(rig.last.back().failures, 1U);
  EXPECT_THAT(rig.take(queue, kNow + 500), IsEmpty());
  rig.settle(queue, CoreRig::range(rig.last.back(), SettleKind::kAck), kNow + 500);
  EXPECT_THAT(rig.take(queue, kNow + 500), ElementsAre("a3"));
  EXPECT_EQ(rig.last.back().attempts, 0U) << "nobody had begun it";
}

TEST(Fifo, WhatFailsTakesAlongWhatLiesInOtherBatches) {
  FifoRig rig;
  const QueueId queue = rig.create();
  for (const char* value : {"a1", "a2", "a3"}) {
    rig.send(queue, {{"a", value}});
  }
  EXPECT_THAT(rig.receive(queue, 10), ElementsAre("a1", "a2", "a3"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 0, SettleKind::kNack), std::nullopt);
  EXPECT_EQ(rig.settle_one(queue, rig.last[1], 0, SettleKind::kAck), Errc::kReceiptExpired);
  EXPECT_EQ(rig.settle_one(queue, rig.last[2], 0, SettleKind::kAck), Errc::kReceiptExpired);
  rig.expect_sound();
  EXPECT_THAT(rig.receive(queue, 1), ElementsAre("a1"));
}

TEST(Fifo, WhatIsSaidOfOneIsDoneBeforeTheNextIsLookedAt) {
  FifoRig rig;
  const QueueId fifo = rig.create();
  const QueueId standard = rig.create_queue("standard");
  proto::SettleRange first;
  first.kind = SettleKind::kNack;
  first.count = 1;
  proto::SettleRange next = first;
  next.first_index = 1;
  EXPECT_TRUE(rig.state.says_the_same(standard, first, next));
  EXPECT_FALSE(rig.state.says_the_same(fifo, first, next)) << "the first may take it along";
}

TEST(Fifo, AFailureIsOneOfTheFirstOfItsGroupAlone) {
  FifoRig rig;
  const QueueId queue = rig.create({.max_receive_count = 1});
  rig.send(queue, {{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"a", "a3"}, {"b", "b2"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "b1", "a2", "a3", "b2"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 2, SettleKind::kStarted), std::nullopt);
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(rig.last[0], SettleKind::kNack), kNow), std::nullopt)
      << "of several runs, since one was begun";
  EXPECT_EQ(rig.info(queue, kNow).parked, 2U) << "what nobody can have handled has not failed";
  EXPECT_THAT(rig.take(queue), ElementsAre("a2"));
  EXPECT_EQ(rig.last.back().attempts, 1U);
  EXPECT_EQ(rig.last.back().failures, 0U);
  EXPECT_THAT(rig.take(queue), ElementsAre("b2"));
  EXPECT_EQ(rig.last.back().attempts, 0U);
  rig.expect_sound();
}

TEST(Fifo, ALostLeaseIsAFailureOfTheFirstOfItsGroupAlone) {
  FifoRig rig;
  const QueueId queue = rig.create({.max_receive_count = 1});
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}, {"b", "b1"}});
  auto wanted = rig.wish(queue, 10);
  wanted.started = true;
  ASSERT_TRUE(static_cast<CoreRig&>(rig).take(wanted, kNow));
  rig.expire(kNow + 1000);
  EXPECT_EQ(rig.info(queue, kNow).parked, 2U) << "a1 and b1";
  EXPECT_THAT(rig.take(queue, kNow + 1000), ElementsAre("a2"));
  rig.expect_sound();
}

TEST(Fifo, LeasesThatEndKeepTheOrder) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}, {"a", "a3"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "a2", "a3"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 1, SettleKind::kExtend, 60'000), std::nullopt);
  rig.expire(kNow + 1000);
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 1, SettleKind::kAck, 0, kNow + 1000),
            Errc::kReceiptExpired)
      << "a1 comes before it";
  EXPECT_THAT(rig.take(queue, kNow + 1000), ElementsAre("a1", "a2", "a3"));
  rig.expect_sound();
}

TEST(Fifo, ALateAckIsRefused) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1"));
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(rig.last[0], SettleKind::kAck), kNow + 1000),
            Errc::kReceiptExpired);
}

TEST(Fifo, TheGroupGoesOnWhenADeadLetterHasGone) {
  FifoRig rig;
  const QueueId dead = rig.create_queue("dead.fifo");
  const QueueId queue = rig.create({.max_receive_count = 1, .dead_letter_queue = "dead.fifo"});
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "a2"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 0, SettleKind::kNack), std::nullopt);
  EXPECT_THAT(rig.take(queue), IsEmpty()) << "a1 is on its way";
  rig.expect_sound();
  rig.apply(rig.dead_letters(queue, kNow).value());
  EXPECT_THAT(rig.take(queue), ElementsAre("a2"));
  EXPECT_THAT(rig.take(dead), ElementsAre("a1"));
  rig.expect_sound();
}

TEST(Fifo, TheGroupGoesOnWithoutWhatIsParked) {
  FifoRig rig;
  const QueueId queue = rig.create({.max_receive_count = 1});
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "a2"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 0, SettleKind::kNack), std::nullopt);
  EXPECT_EQ(rig.info(queue, kNow).parked, 1U);
  EXPECT_THAT(rig.take(queue), ElementsAre("a2"));
  rig.expect_sound();
}

TEST(Fifo, WhatWasNotBegunGoesBackAtARestartAndTakesThoseBehindItAlong) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}, {"b", "b1"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1", "a2", "b1"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 1, SettleKind::kStarted), std::nullopt);
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 2, SettleKind::kStarted), std::nullopt);
  rig.apply(rig.state.decide_restart(kNow, 500));
  EXPECT_THAT(rig.take(queue), ElementsAre("a1"));
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 1, SettleKind::kAck), Errc::kReceiptExpired);
  EXPECT_EQ(rig.settle_one(queue, rig.last[0], 2, SettleKind::kAck, 0, kNow + 1400), std::nullopt)
      << "begun, and longer by the grace";
  rig.expect_sound();
}

TEST(Fifo, APurgeForgetsItsGroups) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}, {"a", "a2"}});
  EXPECT_THAT(rig.take(queue, kNow, 1), ElementsAre("a1"));
  EXPECT_THAT(rig.take(queue), IsEmpty());
  rig.apply(Record{rig.state.decide(PurgeQueue{"default", "work.fifo"}).value()});
  rig.send(queue, {{"a", "a3"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a3"));
}

TEST(Fifo, WaitsInTheStoreAloneWhereMemoryIsShort) {
  FifoRig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", "a1"}});
  EXPECT_THAT(rig.take(queue), ElementsAre("a1"));
  for (int i = 2; i < 10; ++i) {
    rig.send(queue, {{"a", "a" + std::to_string(i)}});
  }
  EXPECT_THAT(rig.take(queue), IsEmpty());
  EXPECT_EQ(rig.state.queue(queue)->touched_batches().size(), 9U);
  std::vector<TouchedBatch> cold;
  while (const auto out = rig.state.decide_page_out(0, {}, kNow)) {
    cold.push_back(rig.state.queue(queue)->touched_batches().at(out->last_offset));
    rig.apply(Record{*out});
  }
  EXPECT_EQ(cold.size(), 8U);
  rig.settle(queue, CoreRig::range(rig.last[0], SettleKind::kAck), kNow);
  EXPECT_THAT(rig.take(queue), IsEmpty()) << "it is read first";
  const auto need = rig.state.decide_page_in(queue, kNow);
  ASSERT_TRUE(need);
  EXPECT_EQ(need->offset, 1);
  rig.apply(Record{PagedIn{queue, cold.back()}});
  EXPECT_EQ(cold.back().last_offset(), 1) << "what is needed last went first";
  EXPECT_THAT(rig.take(queue), ElementsAre("a2"));
}

TEST(Fifo, GroupsThatDoNotGetOnDoNotCrowdTheQueue) {
  FifoRig rig;
  const QueueId queue = rig.create();
  std::vector<Grouped> stuck;
  for (int i = 0; i < 1000; ++i) {
    stuck.push_back({"stuck", std::to_string(i)});
  }
  for (int i = 0; i < 18; ++i) {
    rig.send(queue, stuck);
  }
  rig.send(queue, {{"b", "b1"}});
  EXPECT_THAT(rig.take(queue, kNow, 1), ElementsAre("0"));
  EXPECT_THAT(rig.take(queue), IsEmpty()) << "16 384 are set aside, and those behind them wait";
  EXPECT_TRUE(rig.state.queue(queue)->is_crowded());
  rig.state.note_stuck(queue, kNow);
  EXPECT_TRUE(rig.state.queue(queue)->is_crowded()) << "it got on at that time";
  rig.state.note_stuck(queue, kNow + 1);
  EXPECT_FALSE(rig.state.queue(queue)->is_crowded());
  EXPECT_THAT(rig.take(queue), ElementsAre("b1"));
}

}  // namespace
}  // namespace weir::core
