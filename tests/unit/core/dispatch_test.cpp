#include "broker/core/dead_letter_batch.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::core {
namespace {

using proto::SettleKind;
using test::CoreRig;
using test::indexes_in;
using test::kNow;
using test::values_in;
using test::values_of;

class Dispatch : public ::testing::Test {
 protected:
  Dispatch() : queue(rig.create_queue("work")) {}
  CoreRig rig;
  proto::QueueId queue;
};

TEST_F(Dispatch, HandsOutOneSliceOfOneBatch) {
  rig.send(queue, values_of(3));
  rig.send(queue, values_of(3));
  const Delivery first = *rig.take(queue, 2, kNow);
  EXPECT_EQ(first.first_index, 0U);
  EXPECT_EQ(first.count, 2U);
  const Delivery rest = *rig.take(queue, 10, kNow);
  EXPECT_EQ(rest.base_offset, 0);
  EXPECT_EQ(rest.first_index, 2U);
  EXPECT_EQ(rest.count, 1U) << "the next batch is another grant";
  const Delivery next = *rig.take(queue, 10, kNow);
  EXPECT_EQ(next.base_offset, 3);
  EXPECT_EQ(next.count, 3U);
  EXPECT_LT(first.grant, rest.grant);
  EXPECT_FALSE(rig.take(queue, 10, kNow));
  proto::for_each_record(first.records.view(), 2, [](const proto::RecordView& record) {
    EXPECT_EQ(*record.value, "v" + std::to_string(record.offset_delta));
  }).value();
}

TEST_F(Dispatch, KeepsToTheBytesButForTheFirstMessage) {
  rig.send(queue, values_of(5, std::string(100, 'x')));
  auto wanted = rig.wish(queue, 5);
  wanted.max_bytes = 1;
  EXPECT_EQ(rig.take(wanted, kNow)->count, 1U);
  wanted = rig.wish(queue, 5);
  wanted.max_bytes = 330;
  const Delivery some = *rig.take(wanted, kNow);
  EXPECT_EQ(some.count, 3U);
  EXPECT_LE(some.records.size(), 330U);
}

TEST_F(Dispatch, TakesNothingBeyondTheRoomOfOneWhoHoldsMessages) {
  rig.send(queue, values_of(1, std::string(400'000, 'x')));
  auto wanted = rig.wish(queue, 5);
  wanted.first_fits = true;
  wanted.max_bytes = 400'000;
  EXPECT_FALSE(rig.take(wanted, kNow));
  EXPECT_EQ(rig.info(queue, kNow).ready, 1U);
  wanted.max_bytes = 401'000;
  EXPECT_TRUE(rig.take(wanted, kNow)) << "a piece may be exceeded by one large message";
}

TEST_F(Dispatch, CutsPiecesOfALargeBatch) {
  rig.send(queue, values_of(20, std::string(50'000, 'x')));
  const Delivery piece = *rig.take(queue, 20, kNow);
  EXPECT_EQ(piece.count, 5U);
  EXPECT_LE(piece.records.size(), proto::kMaxPieceBytes);
}

TEST_F(Dispatch, KnowsWhenTheOldestMessageCame) {
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, 0) << "there is none";
  rig.send(queue, values_of(2), kNow + 1);
  rig.send(queue, values_of(2), kNow + 2);
  rig.send(queue, values_of(2), kNow + 3);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, kNow + 1);
  const Delivery first = *rig.take(queue, 2, kNow);
  const Delivery second = *rig.take(queue, 2, kNow);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, kNow + 1) << "it is not done";
  rig.settle(queue, CoreRig::range(first, SettleKind::kAck), kNow);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, kNow + 2);
  rig.settle(queue, CoreRig::range(second, SettleKind::kAck), kNow);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, kNow + 3) << "never handed out";
  const Delivery third = *rig.take(queue, 2, kNow);
  rig.settle(queue, CoreRig::range(third, SettleKind::kAck), kNow);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, 0);
  rig.send(queue, values_of(1), kNow + 9);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, kNow + 9);
}

TEST_F(Dispatch, GivesReturnedMessagesFirst) {
  rig.send(queue, values_of(2));
  rig.send(queue, values_of(2));
  const Delivery held = *rig.take(queue, 2, kNow);
  rig.settle(queue, CoreRig::range(held, SettleKind::kNack), kNow);
  const Delivery again = *rig.take(queue, 10, kNow);
  EXPECT_EQ(again.base_offset, 0);
  EXPECT_EQ(again.attempts, 1);
  EXPECT_EQ(rig.take(queue, 10, kNow)->base_offset, 2);
}

TEST_F(Dispatch, NeverMixesNumbersOfAttempts) {
  rig.send(queue, values_of(3));
  const Delivery held = *rig.take(queue, 3, kNow);
  proto::SettleRange one = CoreRig::range(held, SettleKind::kNack);
  one.first_index = 1;
  one.count = 1;
  rig.settle(queue, one, kNow);
  rig.settle(queue, CoreRig::range(held, SettleKind::kRelease), kNow);
  std::map<std::uint32_t, std::uint16_t> attempts;
  while (const auto given = rig.take(queue, 10, kNow)) {
    for (std::uint32_t i = 0; i < given->count; ++i) {
      attempts[given->first_index + i] = given->attempts;
    }
  }
  EXPECT_EQ(attempts, (std::map<std::uint32_t, std::uint16_t>{{0, 0}, {1, 1}, {2, 0}}));
}

TEST_F(Dispatch, LeavesOutWhatIsAcked) {
  rig.send(queue, values_of(4));
  const Delivery held = *rig.take(queue, 4, kNow);
  proto::SettleRange middle = CoreRig::range(held, SettleKind::kAck);
  middle.first_index = 1;
  middle.count = 1;
  rig.settle(queue, middle, kNow);
  rig.expire(kNow + 1000);
  const Delivery rest = *rig.take(queue, 4, kNow + 1000);
  EXPECT_EQ(rest.first_index, 0U);
  EXPECT_EQ(rest.span, 4U);
  EXPECT_EQ(indexes_in(rest), (std::vector<std::uint32_t>{0, 2, 3}));
  EXPECT_EQ(values_in(rest), (std::vector<std::string>{"v0", "v2", "v3"}));
  EXPECT_EQ(rig.info(queue, kNow).in_flight, 3U);
}

/// Ten messages, of which the even ones are done and the others come again.
class AroundWhatIsDone : public Dispatch {
 protected:
  AroundWhatIsDone() {
    rig.send(queue, values_of(10, std::string(100, 'x')));
    held = *rig.take(queue, 10, kNow);
    for (std::uint32_t i = 0; i < 10; i += 2) {
      say(i, SettleKind::kAck, kNow);
    }
  }
  void say(std::uint32_t index, SettleKind kind, proto::TimeMs now) {
    proto::SettleRange one = CoreRig::range(held, kind);
    one.first_index = index;
    one.count = 1;
    EXPECT_TRUE(rig.settle(queue, one, now).empty());
  }
  void fail_all() {
    for (std::uint32_t i = 1; i < 10; i += 2) {
      say(i, SettleKind::kNack, kNow + i);
    }
  }
  using Indexes = std::vector<std::uint32_t>;

  Delivery held;
};

TEST_F(AroundWhatIsDone, OneGrantHasAllThatCameBackAlike) {
  fail_all();
  const Delivery again = *rig.take(queue, 100, kNow + 9);
  EXPECT_EQ(indexes_in(again), (Indexes{1, 3, 5, 7, 9})) << "though not due at one moment";
  EXPECT_EQ(again.first_index, 1U);
  EXPECT_EQ(again.span, 9U);
  EXPECT_EQ(again.attempts, 1U);
  EXPECT_EQ(again.failures, 1U);
  EXPECT_EQ(again.losses, 0U);
  EXPECT_EQ(rig.info(queue, kNow).in_flight, 5U);
  proto::SettleRange all = CoreRig::range(again, SettleKind::kStarted);
  EXPECT_TRUE(rig.settle(queue, all, kNow + 9).empty()) << "what is done may be named along";
  all.kind = SettleKind::kAck;
  EXPECT_TRUE(rig.settle(queue, all, kNow + 9).empty());
  EXPECT_EQ(rig.info(queue, kNow).messages(), 0U);
}

TEST_F(AroundWhatIsDone, MessagesAndBytesBoundAGrant) {
  fail_all();
  EXPECT_EQ(indexes_in(*rig.take(queue, 2, kNow + 9)), (Indexes{1, 3}));
  auto wanted = rig.wish(queue, 100);
  wanted.max_redeliveries = 1;
  EXPECT_EQ(indexes_in(*rig.take(wanted, kNow + 9)), (Indexes{5}));
  wanted = rig.wish(queue, 100);
  wanted.max_bytes = 150;
  EXPECT_EQ(indexes_in(*rig.take(wanted, kNow + 9)), (Indexes{7}));
}

TEST_F(AroundWhatIsDone, WhatIsNotDueOrHeldOrAnotherCaseEndsAGrant) {
  say(1, SettleKind::kNack, kNow);
  say(3, SettleKind::kNack, kNow);
  say(7, SettleKind::kNack, kNow);
  EXPECT_EQ(indexes_in(*rig.take(queue, 100, kNow)), (Indexes{1, 3})) << "5 is held";
  say(5, SettleKind::kRelease, kNow);
  EXPECT_EQ(indexes_in(*rig.take(queue, 100, kNow)), (Indexes{5})) << "it has not failed";
  say(9, SettleKind::kNack, kNow + 50);
  EXPECT_EQ(indexes_in(*rig.take(queue, 100, kNow)), (Indexes{7})) << "9 is not due";
  EXPECT_EQ(indexes_in(*rig.take(queue, 100, kNow + 50)), (Indexes{9}));
}

TEST_F(AroundWhatIsDone, OnlyAcksAndStartsMayNameIt) {
  fail_all();
  const Delivery again = *rig.take(queue, 100, kNow + 9);
  for (const SettleKind kind : {SettleKind::kExtend, SettleKind::kNack}) {
    const auto failed = rig.settle(queue, CoreRig::range(again, kind, 1000), kNow + 9);
    ASSERT_EQ(failed.size(), 4U);
    EXPECT_EQ(failed.front().first, 2U);
    EXPECT_EQ(failed.front().code, proto::Errc::kReceiptExpired);
  }
  EXPECT_EQ(rig.info(queue, kNow + 9).in_flight, 0U) << "the others went back";
}

TEST_F(AroundWhatIsDone, LeasesEndAndAreCountedByMessage) {
  fail_all();
  const Delivery again = *rig.take(queue, 100, kNow + 9);
  rig.settle(queue, CoreRig::range(again, SettleKind::kStarted), kNow + 9);
  rig.expire(kNow + 9 + again.lease_ms);
  EXPECT_EQ(rig.info(queue, kNow).in_flight, 0U);
  const Delivery last = *rig.take(queue, 100, kNow + 9 + again.lease_ms);
  EXPECT_EQ(indexes_in(last), (Indexes{1, 3, 5, 7, 9}));
  EXPECT_EQ(last.attempts, 2U);
  EXPECT_EQ(last.losses, 1U) << "the client is told that nobody said a word";
}

TEST_F(Dispatch, SaysWhichBatchItNeeds) {
  rig.send(queue, values_of(3));
  rig.take(queue, 1, kNow);
  rig.batches.clear();
  const auto step = rig.state.decide(rig.wish(queue, 1), rig.batches, kNow);
  const auto* need = std::get_if<Need>(&step);
  ASSERT_NE(need, nullptr);
  EXPECT_EQ(need->log, proto::LogId{queue.value});
  EXPECT_EQ(need->generation, 1U);
  EXPECT_EQ(need->offset, 1);
}

TEST_F(Dispatch, LeasesAreToTheMillisecond) {
  rig.send(queue, values_of(1));
  ShardState::DispatchWish wish = rig.wish(queue, 1);
  wish.lease_ms = 1501;
  ASSERT_TRUE(rig.take(wish, kNow));
  EXPECT_EQ(rig.state.next_deadline(), kNow + 1501);
}

TEST_F(Dispatch, StopsAtTheMostThatMayBeInFlight) {
  for (std::uint32_t sent = 0; sent < proto::kMaxInFlightPerQueue + 10'000; sent += 10'000) {
    rig.send(queue, std::vector<std::string>(10'000, "x"));
  }
  std::uint64_t taken = 0;
  Delivery last;
  while (auto given = rig.take(queue, 7'000, kNow)) {
    taken += given->count;
    last = *given;
  }
  EXPECT_EQ(taken, proto::kMaxInFlightPerQueue);
  rig.settle(queue, CoreRig::range(last, SettleKind::kAck), kNow);
  EXPECT_TRUE(rig.take(queue, 1, kNow));
}

TEST_F(Dispatch, TakesNothingFromAnEmptyOrMissingQueue) {
  EXPECT_FALSE(rig.take(queue, 1, kNow));
  EXPECT_FALSE(rig.take(proto::QueueId{99}, 1, kNow));
  rig.send(queue, values_of(1));
  EXPECT_FALSE(rig.take(queue, 0, kNow));
}

class DeadLetters : public ::testing::Test {
 protected:
  DeadLetters()
      : dead(rig.create_queue("dead")), queue(rig.create_queue("work", {1000, 1, "dead"})) {}

  void send_with_headers() {
    const std::vector<proto::Header> headers = {{"kind", "order"}, {"none", std::nullopt}};
    proto::BatchBuilder builder(proto::kStoredHeaderBytes);
    for (int i = 0; i < 3; ++i) {
      proto::RecordInput record;
      record.key = "key";
      record.value = i == 1 ? std::nullopt : std::optional<std::string_view>("body");
      record.headers = headers;
      record.timestamp = kNow - i;
      builder.add(record);
    }
    SendBatch batch = test::send_of(proto::LogId{queue.value}, builder);
    rig.apply(Record{*rig.decide(batch, kNow).value().record});
  }
  ShardState::Records move(proto::QueueId from, proto::TimeMs now) {
    const auto step = rig.state.decide_dead_letter(from, rig.batches, rig.attempts, now);
    const auto* records = std::get_if<ShardState::Records>(&step);
    if (records == nullptr) {
      return {};
    }
    rig.apply(*records);
    return *records;
  }
  void fail_all(proto::QueueId id, proto::TimeMs now) {
    while (const auto held = rig.take(id, 10, now)) {
      rig.settle(id, CoreRig::range(*held, SettleKind::kNack), now);
    }
  }

  CoreRig rig;
  proto::QueueId dead;
  proto::QueueId queue;
};

std::map<std::string, std::string> headers_of(const proto::RecordView& record) {
  std::map<std::string, std::string> headers;
  for (const proto::Header& header : record.headers) {
    headers.emplace(header.key, header.value.value_or("(none)"));
  }
  return headers;
}

TEST_F(DeadLetters, AreWholeCopiesWithTheirHistory) {
  send_with_headers();
  fail_all(queue, kNow);
  const auto records = move(queue, kNow + 7);
  EXPECT_EQ(rig.info(queue, kNow).dying, 0U);
  EXPECT_EQ(rig.info(queue, kNow).bytes, 0U);
  EXPECT_EQ(rig.info(dead, kNow).ready, 3U);
  const auto& appended = std::get<BatchAppended>(records.back());
  const auto stored = proto::parse_stored_batch(appended.stored.view(), true).value();
  EXPECT_EQ(stored.header.kind, proto::StoredKind::kRebuilt);
  EXPECT_EQ(proto::read_columns(stored.batch).value().count(), 3U);
  const Delivery copy = *rig.take(dead, 10, kNow);
  int index = 0;
  const auto read =
      proto::for_each_record(copy.records.view(), 3, [&](const proto::RecordView& record) {
        EXPECT_EQ(*record.key, "key");
        EXPECT_EQ(record.value.has_value(), index != 1) << "a tombstone stays one";
        EXPECT_EQ(copy.base_timestamp + record.timestamp_delta, kNow - index);
        const auto headers = headers_of(record);
        EXPECT_EQ(headers.at("kind"), "order");
        EXPECT_EQ(headers.at("none"), "(none)");
        EXPECT_EQ(headers.at("weir.id"), proto::message_id(1, queue.value, index));
        EXPECT_EQ(headers.at("weir.dead-from"), "work");
        EXPECT_EQ(headers.at("weir.dead-reason"), "max_receive_count");
        EXPECT_EQ(headers.at("weir.dead-attempts"), "1");
        EXPECT_EQ(headers.at("weir.dead-time"), std::to_string(kNow + 7));
        ++index;
      });
  EXPECT_TRUE(read);
}

TEST_F(DeadLetters, TakeNoInnocentMessageAlong) {
  rig.send(queue, values_of(3));
  const Delivery held = *rig.take(queue, 3, kNow);
  proto::SettleRange poison = CoreRig::range(held, SettleKind::kNack);
  poison.first_index = 1;
  poison.count = 1;
  rig.settle(queue, poison, kNow);
  move(queue, kNow);
  EXPECT_EQ(rig.info(dead, kNow).ready, 1U);
  EXPECT_EQ(rig.info(queue, kNow).in_flight, 2U);
  EXPECT_TRUE(move(queue, kNow).empty());
}

TEST_F(DeadLetters, KeepTheirFirstIdThroughASecondDeath) {
  const proto::QueueId middle = rig.create_queue("middle", {1000, 1, "dead"});
  const proto::QueueId first = rig.create_queue("first", {1000, 1, "middle"});
  rig.send(first, values_of(1));
  fail_all(first, kNow);
  move(first, kNow);
  fail_all(middle, kNow);
  move(middle, kNow);
  const Delivery copy = *rig.take(dead, 1, kNow);
  const auto record = proto::decode_record(copy.records.view()).value().record;
  const auto headers = headers_of(record);
  EXPECT_EQ(headers.at("weir.id"), proto::message_id(1, first.value, 0));
  EXPECT_EQ(headers.at("weir.dead-from"), "middle");
  EXPECT_EQ(record.headers.size(), headers.size()) << "one history, not two";
}

TEST_F(DeadLetters, SayWhichBatchTheyNeed) {
  rig.send(queue, values_of(2));
  fail_all(queue, kNow);
  rig.batches.clear();
  const auto step = rig.state.decide_dead_letter(queue, rig.batches, rig.attempts, kNow);
  ASSERT_TRUE(std::holds_alternative<Need>(step));
  EXPECT_EQ(std::get<Need>(step).offset, 0);
}

TEST_F(DeadLetters, MoveInPiecesWhenTheCopiesOutgrowABatch) {
  rig.send(queue, std::vector<std::string>(10'000, "x"));
  fail_all(queue, kNow);
  proto::Offset moved = 0;
  int steps = 0;
  while (!move(queue, kNow).empty()) {
    ++steps;
  }
  moved = static_cast<proto::Offset>(rig.info(dead, kNow).ready);
  EXPECT_EQ(moved, 10'000);
  EXPECT_GE(steps, 1);
  EXPECT_EQ(rig.info(queue, kNow).dying, 0U);
}

}  // namespace
}  // namespace weir::core
