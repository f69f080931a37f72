#include "broker/core/row_codec.hpp"
#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"
#include "weir/storage/v1/rows.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

// What bounds a queue: how much senders may put into it, and how much of it may be out at a time.
namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::values_of;
using testing::HasSubstr;

class Bounds : public ::testing::Test {
 protected:
  proto::QueueId create(const QueueSettings& settings) {
    queue = rig.create_queue("work", settings);
    return queue;
  }
  void update(const QueueChanges& changes) {
    const auto decision = rig.state.decide(UpdateQueue{"default", "work", changes, false}).value();
    rig.apply(Record{*decision.record});
  }
  /// Why a batch is refused; nothing of it is stored then. Otherwise it is.
  std::optional<proto::Error> try_send(const std::vector<std::string>& values,
                                       proto::BatchBuilder::Producer producer = {}) {
    SendBatch batch = test::a_batch(proto::LogId{queue.value}, values, producer);
    const auto before = rig.state.queue(queue)->counters();
    const auto decision = rig.decide(batch, kNow);
    if (!decision) {
      EXPECT_EQ(rig.state.queue(queue)->counters(), before) << "refused whole";
      EXPECT_FALSE(batch.stored.empty()) << "not taken, so not lost";
      return decision.error();
    }
    if (decision->record) {
      rig.apply(Record{*decision->record});
    }
    return std::nullopt;
  }
  Errc code_of(const std::vector<std::string>& values) {
    const auto refused = try_send(values);
    return refused ? refused->code : Errc{};
  }
  void ack(const Delivery& held) {
    ASSERT_FALSE(rig.outcome(queue, CoreRig::range(held, SettleKind::kAck), kNow));
  }
  [[nodiscard]] QueueInfo info() const { return rig.info(queue, kNow); }

  CoreRig rig;
  proto::QueueId queue;
};

TEST_F(Bounds, TakeExactlyAsManyMessages) {
  create({.max_messages = 5});
  EXPECT_FALSE(try_send(values_of(3)));
  EXPECT_EQ(code_of(values_of(3)), Errc::kQueueFull) << "three more are one too many";
  EXPECT_FALSE(try_send(values_of(2))) << "fits precisely";
  const auto refused = try_send(values_of(1));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Errc::kQueueFull);
  EXPECT_EQ(refused->message, "queue 'work' holds 5 of 5 messages: 1 more do not fit");
  EXPECT_GT(refused->retry_after_ms, 0U);
  EXPECT_EQ(info().messages(), 5U);
}

TEST_F(Bounds, CountMessagesInEveryState) {
  create({.max_receive_count = 1, .max_messages = 4});
  rig.send(queue, values_of(4));
  const Delivery parked = *rig.take(queue, 1, kNow);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(parked, SettleKind::kNack), kNow));
  const Delivery leased = *rig.take(queue, 1, kNow);
  update({.max_receive_count = 5});
  const Delivery delayed = *rig.take(queue, 1, kNow);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(delayed, SettleKind::kNack, 60'000), kNow));
  EXPECT_EQ(info().parked, 1U);
  EXPECT_EQ(info().in_flight, 1U);
  EXPECT_EQ(info().delayed, 1U);
  EXPECT_EQ(info().ready, 1U);
  EXPECT_EQ(code_of(values_of(1)), Errc::kQueueFull);
  ack(leased);
  EXPECT_FALSE(try_send(values_of(1))) << "one is done";
  EXPECT_EQ(code_of(values_of(1)), Errc::kQueueFull);
}

TEST_F(Bounds, TakeExactlyAsManyBytes) {
  const auto bytes =
      static_cast<std::int64_t>(test::a_batch(proto::LogId{1}, values_of(3)).stored.size());
  create({.max_bytes = 2 * bytes});
  EXPECT_FALSE(try_send(values_of(3)));
  EXPECT_FALSE(try_send(values_of(3))) << "fits precisely";
  EXPECT_EQ(info().bytes, static_cast<std::uint64_t>(2 * bytes));
  const auto refused = try_send(values_of(1));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Errc::kQueueFull);
  EXPECT_THAT(refused->message, HasSubstr("queue 'work' holds " + std::to_string(2 * bytes) +
                                          " of " + std::to_string(2 * bytes) + " bytes"));
  ack(*rig.take(queue, 3, kNow));
  update({.max_bytes = 2 * bytes - 1});
  EXPECT_EQ(code_of(values_of(3)), Errc::kQueueFull) << "one byte is missing";
}

TEST_F(Bounds, MeasureAMessageWithItsHeaders) {
  create({.max_message_bytes = 10});
  EXPECT_FALSE(try_send({"0123456789", "x"}));
  const auto refused = try_send({"x", "0123456789a"});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Errc::kMessageTooLarge);
  EXPECT_THAT(refused->message, HasSubstr("11 bytes"));
  EXPECT_THAT(refused->message, HasSubstr("'work' takes 10"));
  const proto::Header header{"h", "45"};
  proto::RecordInput record;
  record.key = "123";
  record.value = "4567";
  record.headers = std::span(&header, 1);
  for (const bool is_room : {false, true}) {
    update({.max_message_bytes = is_room ? 10 : 9});
    proto::BatchBuilder builder(proto::kStoredHeaderBytes);
    builder.add(record);
    SendBatch batch = test::send_of(proto::LogId{queue.value}, builder);
    EXPECT_EQ(static_cast<bool>(rig.decide(batch, kNow)), is_room);
  }
}

TEST_F(Bounds, TellDuplicatesInAFullQueue) {
  create({.max_messages = 2});
  const ProducerStarted producer = rig.start_producer();
  const auto id = static_cast<std::int64_t>(producer.id.value);
  EXPECT_FALSE(try_send(values_of(2), {id, 0, 0}));
  SendBatch twice = test::a_batch(proto::LogId{queue.value}, values_of(2), {id, 0, 0});
  const auto told = rig.decide(twice, kNow);
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->record) << "a duplicate";
  // What was refused leaves no mark: the same sequence is taken when there is room.
  EXPECT_EQ(try_send(values_of(1), {id, 0, 2})->code, Errc::kQueueFull);
  ack(*rig.take(queue, 2, kNow));
  EXPECT_FALSE(try_send(values_of(1), {id, 0, 2}));
}

TEST_F(Bounds, AreForSendersAndNotForDeadLetters) {
  const proto::QueueId dead = rig.create_queue("dead", {.max_messages = 1});
  create({.max_receive_count = 1, .dead_letter_queue = "dead"});
  rig.send(dead, values_of(1));
  rig.send(queue, values_of(3));
  const Delivery held = *rig.take(queue, 3, kNow);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(held, SettleKind::kNack), kNow));
  rig.apply(*rig.dead_letters(queue, kNow));
  EXPECT_EQ(rig.info(dead, kNow).messages(), 4U) << "none is refused, none is lost";
  EXPECT_EQ(info().messages(), 0U);
  queue = dead;
  EXPECT_EQ(code_of(values_of(1)), Errc::kQueueFull);
}

TEST_F(Bounds, CanBeSetBelowWhatIsThereAndLoseNothing) {
  create({});
  rig.send(queue, values_of(4));
  update({.max_messages = 2});
  EXPECT_EQ(info().messages(), 4U);
  EXPECT_EQ(try_send(values_of(1))->message,
            "queue 'work' holds 4 of 2 messages: 1 more do not fit");
  ack(*rig.take(queue, 2, kNow));
  EXPECT_EQ(code_of(values_of(1)), Errc::kQueueFull) << "as many as it may hold are left";
  ack(*rig.take(queue, 1, kNow));
  EXPECT_FALSE(try_send(values_of(1)));
  update({.max_messages = 0});
  EXPECT_FALSE(try_send(values_of(100))) << "without a bound";
}

TEST_F(Bounds, HandOutNoMoreThanMayBeInFlight) {
  create({.max_in_flight = 3});
  rig.send(queue, values_of(5));
  const Delivery first = *rig.take(queue, 2, kNow);
  const Delivery second = *rig.take(queue, 10, kNow);
  EXPECT_EQ(second.count, 1U) << "as many as there is room for";
  EXPECT_FALSE(rig.take(queue, 10, kNow));
  ack(first);
  EXPECT_EQ(rig.take(queue, 10, kNow)->count, 2U);
  update({.max_in_flight = 1});
  EXPECT_EQ(info().in_flight, 3U) << "leases run on";
  ack(second);
  EXPECT_FALSE(rig.take(queue, 10, kNow));
}

TEST_F(Bounds, CountWhatIsDyingAsInFlight) {
  rig.create_queue("dead");
  create({.max_receive_count = 1, .dead_letter_queue = "dead", .max_in_flight = 1});
  rig.send(queue, values_of(2));
  const Delivery held = *rig.take(queue, 2, kNow);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(held, SettleKind::kNack), kNow));
  EXPECT_EQ(info().dying, 1U);
  EXPECT_FALSE(rig.take(queue, 1, kNow));
  rig.apply(*rig.dead_letters(queue, kNow));
  EXPECT_TRUE(rig.take(queue, 1, kNow));
}

TEST_F(Bounds, OfWhatIsInFlightDoNotKeepMessagesFromExpiring) {
  rig.create_queue("dead");
  QueueSettings settings{.dead_letter_queue = "dead", .max_in_flight = 1};
  settings.retention_ms = 60'000;
  settings.dead_letter_expired = 1;
  create(settings);
  rig.send(queue, values_of(3));
  const proto::TimeMs over = kNow + 60'000;
  const auto step = rig.state.decide_retention(queue, 0, rig.batches, over);
  rig.apply(Record{std::get<Expired>(step)});
  EXPECT_EQ(info().dying, 3U);
  rig.send(queue, values_of(2), over);
  EXPECT_FALSE(rig.take(queue, 1, over)) << "nothing is handed out until they are gone";
  rig.apply(*rig.dead_letters(queue, over));
  EXPECT_TRUE(rig.take(queue, 1, over));
}

TEST_F(Bounds, HoldAfterARestart) {
  create({.max_messages = 3, .max_bytes = 4000, .max_message_bytes = 500, .max_in_flight = 2});
  rig.send(queue, values_of(3));
  rig.take(queue, 2, kNow);
  storage::MemoryStore store;
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
  ShardState again(100);
  ASSERT_TRUE(again.restore(*store.snapshot()));
  SendBatch batch = test::a_batch(proto::LogId{queue.value}, values_of(1));
  EXPECT_EQ(again.decide(batch, test::MemoryIds(), kNow).error().code, Errc::kQueueFull);
  EXPECT_TRUE(
      std::holds_alternative<std::monostate>(again.decide(rig.wish(queue, 1), rig.batches, kNow)));
}

/// A queue that may have that setting: what is of order is for others than what is of time.
std::string queue_with(const NumericSetting& setting) {
  return setting.value == &QueueSettings::delay_ms ||
                 setting.value == &QueueSettings::strict_priority
             ? "work"
             : "work.fifo";
}

TEST(QueueSettings, AreCheckedByTheirNames) {
  const CoreRig rig;
  for (const NumericSetting& setting : kNumericSettings) {
    for (const std::int64_t value : {std::int64_t{-1}, setting.most + 1}) {
      QueueSettings settings;
      settings.*setting.value = value;
      const auto refused = rig.state.decide(CreateQueue{"default", "work", settings, {}});
      ASSERT_FALSE(refused) << setting.name;
      EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
      EXPECT_EQ(refused.error().message, std::string(setting.name) + " must lie between " +
                                             std::to_string(setting.least) + " and " +
                                             std::to_string(setting.most));
    }
    QueueSettings settings;
    settings.*setting.value = setting.most;
    EXPECT_TRUE(check(settings, queue_with(setting))) << setting.name;
  }
}

TEST(QueueSettings, AreToldApartAndChangedByTheirNames) {
  for (const NumericSetting& setting : kNumericSettings) {
    CoreRig rig;
    const std::string name = queue_with(setting);
    const proto::QueueId id = rig.create_queue(name);
    const std::string has = std::to_string(setting.standard);
    const std::int64_t other = std::clamp<std::int64_t>(7, setting.least, setting.most);
    QueueSettings settings;
    settings.*setting.value = other;
    EXPECT_EQ(rig.state.decide(CreateQueue{"default", name, settings, {}}).error().message,
              "queue '" + name + "' exists with other settings: " + std::string(setting.name) +
                  " is " + has + ", not " + std::to_string(other));
    QueueChanges changes;
    changes.*setting.change = other;
    const auto decision = rig.state.decide(UpdateQueue{"default", name, changes, false}).value();
    EXPECT_EQ(decision.changes,
              (std::vector<SettingChange>{{setting.name, has, std::to_string(other)}}));
    rig.apply(Record{*decision.record});
    EXPECT_EQ(rig.info(id, kNow).settings.*setting.value, other);
    EXPECT_TRUE(rig.state.decide(CreateQueue{"default", name, settings, {}}).value().empty());
  }
}

TEST(QueueSettings, OfOlderRowsHaveDefaults) {
  storage::v1::QueueRow row;
  row.set_id(3);
  row.set_namespace_id(1);
  row.set_name("work");
  row.set_uuid(std::string(16, 'u'));
  row.set_lease_ms(500);
  row.set_max_receive_count(4);
  const QueueCreated queue = rows::decode_queue(row.SerializeAsString()).value();
  EXPECT_EQ(queue.settings.lease_ms, 500);
  EXPECT_EQ(queue.settings.max_receive_count, 4);
  EXPECT_EQ(queue.settings.max_messages, 0);
  EXPECT_EQ(queue.settings.max_bytes, 0);
  EXPECT_EQ(queue.settings.max_message_bytes, std::int64_t{proto::kMaxMessageBytes});
  EXPECT_EQ(queue.settings.max_in_flight, proto::kMaxInFlightPerQueue);
  row.set_max_in_flight(std::int64_t{proto::kMaxInFlightPerQueue} + 1);
  EXPECT_FALSE(rows::decode_queue(row.SerializeAsString()));
}

}  // namespace
}  // namespace weir::core
