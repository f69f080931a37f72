#include "broker/core/dead_letter_batch.hpp"
#include "broker/core/row_codec.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/limits.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"
#include "weir/storage/v1/rows.pb.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

// What a handler says of a message that it could not do, what counts against the message, and what
// is remembered of it.
namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::values_of;

constexpr std::uint32_t kMaxFailures = 3;

class FailureClasses : public ::testing::Test {
 protected:
  FailureClasses()
      : dead(rig.create_queue("dead")),
        queue(rig.create_queue("work", {1000, kMaxFailures, "dead"})),
        alone(rig.create_queue("alone", {1000, kMaxFailures, ""})) {}

  Delivery take(proto::QueueId from, bool started = false, proto::TimeMs now = kNow) {
    auto wish = rig.wish(from, 1);
    wish.started = started;
    wish.holder = std::make_shared<const std::string>("mailer 10.0.0.7:4000");
    return rig.take(wish, now).value();
  }
  void give_back(SettleKind kind, std::string_view reason = {}, std::uint32_t value = 0) {
    const Delivery held = take(queue);
    EXPECT_TRUE(rig.settle(queue, CoreRig::range(held, kind, value), kNow, reason).empty());
  }
  /// Of the only message that died.
  std::map<std::string, std::string> dead_headers() {
    rig.apply(rig.dead_letters(queue, kNow).value());
    const CachedBatch* batch = rig.batches.find(proto::LogId{dead.value}, 0);
    const auto record = proto::decode_record(
        batch->batch.view().substr(batch->records.at(0).position, batch->records.at(0).bytes));
    std::map<std::string, std::string> headers;
    for (const proto::Header& header : record->record.headers) {
      headers[std::string(header.key)] = header.value.value_or("");
    }
    return headers;
  }
  std::vector<std::uint16_t> stored_attempts() {
    rig.commit(store);
    const std::string prefix = storage::object_prefix(storage::KeyKind::kAttempt, queue.value);
    const auto reader = store.snapshot();
    const auto rows =
        reader->scan(storage::Family::kState, prefix, storage::prefix_end(prefix), {});
    std::vector<std::uint16_t> numbers;
    for (; rows->valid(); rows->next()) {
      numbers.push_back(storage::parse_attempt_key(rows->key()).value().attempt);
    }
    return numbers;
  }

  CoreRig rig;
  proto::QueueId dead;
  proto::QueueId queue;
  proto::QueueId alone;
  storage::MemoryStore store;
};

TEST_F(FailureClasses, OnlyFailuresCountAgainstAMessage) {
  rig.send(queue, values_of(1));
  for (int i = 0; i < 5; ++i) {
    give_back(SettleKind::kTransient);
    give_back(SettleKind::kNotNow);
    give_back(SettleKind::kRelease);
  }
  give_back(SettleKind::kNack);
  give_back(SettleKind::kNack);
  const Delivery held = take(queue);
  EXPECT_EQ(held.attempts, 12) << "handed out unused is no attempt";
  EXPECT_EQ(held.failures, 2);
  rig.settle(queue, CoreRig::range(held, SettleKind::kNack), kNow);
  EXPECT_EQ(rig.info(queue, kNow).dying, 1U);
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
}

TEST_F(FailureClasses, AnEndedLeaseIsAFailureOnceItsHandlerHadBegun) {
  rig.send(queue, values_of(1));
  (void)take(queue);
  rig.expire(kNow + 1000);
  Delivery held = take(queue, true, kNow + 1000);
  EXPECT_EQ(held.attempts, 0);
  rig.expire(kNow + 2000);
  held = take(queue, true, kNow + 2000);
  EXPECT_EQ(held.attempts, 1);
  EXPECT_EQ(held.failures, 1);
  rig.expire(kNow + 3000, /*holders_live=*/false);
  held = take(queue, true, kNow + 3000);
  EXPECT_EQ(held.failures, 2);
  const std::vector<Attempt>& history = *rig.attempts.find(queue, 0, 2);
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0],
            (Attempt{1, kNow + 2000, ReturnCause::kExpired, "mailer 10.0.0.7:4000", ""}));
  EXPECT_EQ(history[1].outcome, ReturnCause::kLost);
}

TEST_F(FailureClasses, AReleaseOfBegunWorkIsAnAttemptAndNoFailure) {
  rig.send(queue, values_of(1));
  const Delivery held = take(queue, true);
  EXPECT_TRUE(rig.settle(queue, CoreRig::range(held, SettleKind::kRelease, 500), kNow).empty());
  EXPECT_EQ(rig.info(queue, kNow).delayed, 1U) << "also after a delay";
  const Delivery again = take(queue, false, kNow + 500);
  EXPECT_EQ(again.attempts, 1);
  EXPECT_EQ(again.failures, 0);
}

TEST_F(FailureClasses, PoisonDiesAtOnceAndSaysWhy) {
  rig.send(queue, values_of(2));
  give_back(SettleKind::kPoison, "no such customer");
  EXPECT_EQ(rig.info(queue, kNow).dying, 1U);
  auto headers = dead_headers();
  EXPECT_EQ(headers["weir.dead-reason"], "poison");
  EXPECT_EQ(headers["weir.dead-error"], "no such customer");
  EXPECT_EQ(headers["weir.dead-attempts"], "1");
  EXPECT_EQ(headers["weir.dead-failures"], "1");
  EXPECT_EQ(headers["weir.dead-history"],
            "[{\"attempt\":1,\"time\":" + std::to_string(kNow) +
                ",\"outcome\":\"poison\",\"consumer\":\"mailer 10.0.0.7:4000\"}]");
  EXPECT_EQ(rig.info(queue, kNow).ready, 1U) << "its neighbour is no poison";
  EXPECT_TRUE(stored_attempts().empty()) << "history goes with the message";
}

TEST_F(FailureClasses, PoisonIsParkedWithoutADeadLetterQueue) {
  rig.send(alone, values_of(1));
  const Delivery held = take(alone);
  rig.settle(alone, CoreRig::range(held, SettleKind::kPoison), kNow);
  EXPECT_EQ(rig.info(alone, kNow).parked, 1U);
}

TEST_F(FailureClasses, PoisonStaysPutAsideWhenItsDeadLetterQueueIsTakenAway) {
  rig.send(queue, values_of(1));
  give_back(SettleKind::kPoison);
  UpdateQueue update;
  update.name_space = "default";
  update.name = "work";
  update.changes.dead_letter_queue = "";
  rig.apply(Record{*rig.state.decide(update).value().record});
  rig.apply(rig.dead_letters(queue, kNow).value());
  EXPECT_EQ(rig.info(queue, kNow).parked, 1U);
}

TEST_F(FailureClasses, TheDeadLetterTellsOfEachAttempt) {
  rig.send(queue, values_of(1));
  give_back(SettleKind::kTransient, "the database is away");
  give_back(SettleKind::kNack, "timeout \"twice\"");
  give_back(SettleKind::kNack);
  give_back(SettleKind::kNack);
  auto headers = dead_headers();
  EXPECT_EQ(headers["weir.dead-reason"], "max_receive_count");
  EXPECT_EQ(headers["weir.dead-attempts"], "4");
  EXPECT_EQ(headers["weir.dead-failures"], "3");
  EXPECT_EQ(headers["weir.dead-error"], "timeout \"twice\"") << "the last that was said";
  const std::string& history = headers["weir.dead-history"];
  EXPECT_NE(history.find("\"attempt\":1"), std::string::npos);
  EXPECT_NE(history.find("\"outcome\":\"transient\""), std::string::npos);
  EXPECT_NE(history.find("\"attempt\":4"), std::string::npos);
}

TEST_F(FailureClasses, TheFirstAndTheLastAttemptsAreKept) {
  rig.send(queue, values_of(1));
  for (int i = 0; i < 40; ++i) {
    give_back(SettleKind::kTransient);
  }
  std::vector<std::uint16_t> expected = {1};
  for (std::uint16_t number = 10; number <= 40; ++number) {
    expected.push_back(number);
  }
  EXPECT_EQ(stored_attempts(), expected);
  EXPECT_TRUE(test::check_rows(store));
  const Delivery held = take(queue);
  rig.settle(queue, CoreRig::range(held, SettleKind::kAck), kNow);
  EXPECT_TRUE(stored_attempts().empty());
}

TEST_F(FailureClasses, HistoryThatBelongsToNoMessageIsDamage) {
  rig.send(queue, values_of(1));
  give_back(SettleKind::kNack);
  rig.commit(store);
  storage::WriteBatch rows;
  rows.put(storage::Family::kState, storage::attempt_key(queue, 1, 5, 1),
           rows::encode(rows::SharedAttempt{{1, kNow, ReturnCause::kFailed, "", ""}}));
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  store.commit(all).value();
  const auto checked = test::check_rows(store);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("is damaged at offset 5"), std::string::npos)
      << checked.error().message;
}

TEST_F(FailureClasses, ThePolicyDelaysWhatItsHandlerDoesNot) {
  QueueSettings settings{1000, 10, ""};
  settings.redelivery_delay_ms = 100;
  settings.redelivery_max_delay_ms = 450;
  const proto::QueueId slow = rig.create_queue("slow", settings);
  rig.send(slow, values_of(1));
  proto::TimeMs now = kNow;
  for (const std::int64_t expected : {100, 200, 400, 450, 450}) {
    const Delivery held = take(slow, false, now);
    rig.settle(slow, CoreRig::range(held, SettleKind::kTransient, proto::kDelayByPolicy), now);
    EXPECT_FALSE(rig.take(slow, 1, now + expected - 1)) << expected;
    now += expected;
  }
  (void)take(slow, true, now);
  now += 1000;
  rig.expire(now);
  EXPECT_FALSE(rig.take(slow, 1, now + 449)) << "also after a lease that ended";
  now += 450;
  (void)take(slow, false, now);
  now += 1000;
  rig.expire(now);
  Delivery held = rig.take(slow, 1, now).value();
  rig.settle(slow, CoreRig::range(held, SettleKind::kNack, 30), now);
  held = rig.take(slow, 1, now + 30).value();
  EXPECT_EQ(held.attempts, 7) << "what was handed out unused comes at once, and a handler decides";
}

TEST(RedeliveryDelay, GrowsWithSomeChanceInIt) {
  QueueSettings settings;
  EXPECT_EQ(redelivery_delay_ms(settings, 5, 77), 0);
  settings.redelivery_delay_ms = 100;
  EXPECT_EQ(redelivery_delay_ms(settings, 5, 77), 100) << "fixed";
  settings.redelivery_max_delay_ms = proto::kMaxDelayMs;
  EXPECT_EQ(redelivery_delay_ms(settings, 0, 0), 100);
  EXPECT_EQ(redelivery_delay_ms(settings, 0, 100), 200);
  EXPECT_EQ(redelivery_delay_ms(settings, 0, 101), 100);
  EXPECT_EQ(redelivery_delay_ms(settings, 3, 7), 807);
  EXPECT_EQ(redelivery_delay_ms(settings, UINT16_MAX, UINT64_MAX), proto::kMaxDelayMs);
  settings.redelivery_delay_ms = proto::kMaxDelayMs;
  EXPECT_EQ(redelivery_delay_ms(settings, UINT16_MAX, UINT64_MAX), proto::kMaxDelayMs);
}

TEST(RedeliveryDelay, IsNotMoreThanItsMost) {
  CoreRig rig;
  QueueSettings settings;
  settings.redelivery_delay_ms = 100;
  settings.redelivery_max_delay_ms = 99;
  const auto refused = rig.state.decide(CreateQueue{"default", "work", settings, {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("redelivery_max_delay_ms must not be less"),
            std::string::npos);
}

TEST_F(FailureClasses, ALeaseEndsTwelveHoursAfterItsHandOut) {
  rig.send(queue, values_of(1));
  auto wish = rig.wish(queue, 1);
  wish.lease_ms = proto::kMaxLeaseMs;
  const Delivery held = rig.take(wish, kNow).value();
  const auto extend = [&](std::uint32_t lease_ms, proto::TimeMs now) {
    return rig.outcome(queue, CoreRig::range(held, SettleKind::kExtend, lease_ms), now);
  };
  EXPECT_EQ(extend(proto::kMaxLeaseMs, kNow + 1), Errc::kLimitExceeded);
  EXPECT_EQ(extend(proto::kMaxLeaseMs - 5, kNow + 5), std::nullopt);
  EXPECT_EQ(extend(1, kNow + proto::kMaxLeaseMs - 1), std::nullopt);
  EXPECT_EQ(extend(2, kNow + proto::kMaxLeaseMs - 1), Errc::kLimitExceeded);
}

TEST_F(FailureClasses, ValuesThatNoKindTakesAreRefused) {
  rig.send(queue, values_of(1));
  const Delivery held = take(queue);
  const auto with = [&](SettleKind kind, std::uint32_t value) {
    return rig.outcome(queue, CoreRig::range(held, kind, value), kNow);
  };
  constexpr auto kTooLong = static_cast<std::uint32_t>(proto::kMaxDelayMs) + 1;
  for (const SettleKind kind :
       {SettleKind::kNack, SettleKind::kTransient, SettleKind::kNotNow, SettleKind::kRelease}) {
    EXPECT_EQ(with(kind, kTooLong), Errc::kInvalidArgument);
  }
  EXPECT_EQ(with(SettleKind::kNotNow, proto::kDelayByPolicy), Errc::kInvalidArgument);
  EXPECT_EQ(with(SettleKind::kRelease, proto::kDelayByPolicy), Errc::kInvalidArgument);
  EXPECT_EQ(with(SettleKind::kNack, proto::kDelayByPolicy), std::nullopt);
}

TEST_F(FailureClasses, RowsOfTheFirstFormatCountAttemptsAsFailures) {
  const auto read = [](std::uint32_t attempts, bool started) {
    storage::v1::TouchedBatchRow row;
    row.set_bytes(100);
    storage::v1::RunRow& run = *row.add_runs();
    run.set_count(1);
    run.set_state(started ? storage::v1::RUN_STATE_LEASED : storage::v1::RUN_STATE_RETURNED);
    run.set_started(started);
    run.set_attempts(attempts);
    return rows::decode_touched(row.SerializeAsString(), 0).value().batch.runs().front();
  };
  EXPECT_EQ(read(2, false).failures, 2);
  EXPECT_EQ(read(2, true).failures, 1) << "one of them is still being handled";
  EXPECT_EQ(read(2, true).attempts, 2);
}

}  // namespace
}  // namespace weir::core
