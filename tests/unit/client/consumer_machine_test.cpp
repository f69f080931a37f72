#include "client/core/consumer_machine.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "tests/unit/client/consumer_machine_rig.hpp"
#include "tests/unit/client/start_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::sdk {
namespace {

using proto::SettleKind;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Grant, IsMadeOfWhatABatchMayHoldAlone) {
  proto::Deliver frame;
  frame.span = 1;
  frame.count = 1;
  EXPECT_TRUE(is_sound(frame));
  frame.count = 0;
  EXPECT_FALSE(is_sound(frame));
  frame.count = 2;
  EXPECT_FALSE(is_sound(frame)) << "more messages than places";
  frame.span = proto::kMaxBatchRecords + 1;
  EXPECT_FALSE(is_sound(frame));
  frame.count = proto::kMaxBatchRecords + 1;
  EXPECT_FALSE(is_sound(frame));
  frame.span = 1;
  frame.count = 1;
  frame.first_index = proto::kMaxBatchRecords + 1;
  EXPECT_FALSE(is_sound(frame));
  frame.first_index = 0;
  for (const proto::Offset none :
       {proto::Offset{-1}, proto::Offset{INT64_MIN}, proto::Offset{INT64_MAX}}) {
    frame.base_offset = none;  // the offsets of its messages would be none
    EXPECT_FALSE(is_sound(frame)) << none;
  }
}

TEST_F(ConsumerMachineTest, SaysThatAMessageBeginsBeforeItIsHandled) {
  machine_.add_grant(grant(1, {"a", "b"}), kStart);
  EXPECT_EQ(machine_.waiting_messages(), 2U);
  Delivery delivery = begin_one();
  EXPECT_THAT(said(), ElementsAre("started 1 2+1"));
  EXPECT_EQ(delivery.body(), "a");
  EXPECT_EQ(delivery.offset(), 102);
  EXPECT_EQ(delivery.attempt(), 1U);
  EXPECT_EQ(delivery.queue(), "q");
  EXPECT_EQ(delivery.timestamp(), Timestamp(milliseconds(1'000)));
  EXPECT_EQ(delivery.message_id(), MessageId(9, 77, 102));
  delivery.ack();
  EXPECT_THAT(said(), ElementsAre("ack 1 2+1"));
  EXPECT_EQ(machine_.waiting_messages(), 1U);
}

TEST_F(ConsumerMachineTest, GivesHandlesThatTheBrokerUnderstands) {
  machine_.add_grant(grant(7, {"a"}), kStart);
  const Delivery delivery = begin_one();
  const auto handle = proto::decode_handle(delivery.handle());
  ASSERT_TRUE(handle.has_value());
  EXPECT_EQ(handle->grant.value, 7U);
  EXPECT_EQ(handle->nonce, 1'007U);
  EXPECT_EQ(handle->index, 2U);
  EXPECT_EQ(handle->base_offset, 700);
  EXPECT_EQ(handle->queue.value, 77U);
  EXPECT_EQ(handle->generation, 1U);
  EXPECT_EQ(handle->incarnation, 9U);
  EXPECT_EQ(handle->epoch, 3U);
}

TEST_F(ConsumerMachineTest, ReportsLargerChunksWhileHandlersAreFast) {
  machine_.add_grant(grant(1, many(100)), kStart);
  for (const std::uint32_t expected : {1U, 2U, 4U, 8U, 16U, 32U, 37U}) {
    const auto chunk = machine_.begin_chunk(kStart, true);
    ASSERT_TRUE(chunk.has_value());
    EXPECT_EQ(chunk->count, expected);
    machine_.on_handled(chunk->count, microseconds(1) * chunk->count);
  }
  EXPECT_FALSE(machine_.begin_chunk(kStart, true).has_value());
}

TEST_F(ConsumerMachineTest, BeginsWhatConsumersMayHaveDiedOfAlone) {
  machine_.add_grant(grant(1, many(10)), kStart);
  for (int i = 0; i < 3; ++i) {
    machine_.on_handled(machine_.begin_chunk(kStart, true)->count, microseconds(0));
  }
  ConsumerMachine other(seconds(0));
  machine_.release_waiting_beyond(0);
  machine_.add_grant(grant(2, many(3), /*attempts=*/1), kStart);
  EXPECT_FALSE(machine_.begin_chunk(kStart, /*takes_suspects=*/false).has_value());
  const auto chunk = machine_.begin_chunk(kStart, /*takes_suspects=*/true);
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->count, 1U);
  EXPECT_TRUE(chunk->is_suspect);
}

TEST_F(ConsumerMachineTest, BeginsWhatFailedWithAWordAsWhatIsNew) {
  machine_.add_grant(grant(1, many(3)), kStart);
  for (const std::uint32_t expected : {1U, 2U}) {
    ASSERT_EQ(machine_.begin_chunk(kStart, true)->count, expected);
    machine_.on_handled(expected, microseconds(0));
  }
  machine_.add_grant(sparse(2, {3, 4, 6}), kStart);
  const auto chunk = machine_.begin_chunk(kStart, /*takes_suspects=*/false);
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->count, 3U);
  EXPECT_FALSE(chunk->is_suspect);
}

// ---- A grant around what is done.

TEST_F(ConsumerMachineTest, HandsOutWhatIsThere) {
  machine_.add_grant(sparse(1, {3, 4, 9}), kStart);
  for (const std::uint32_t index : {3U, 4U, 9U}) {
    Delivery delivery = begin_one();
    EXPECT_EQ(delivery.body(), std::to_string(index));
    EXPECT_EQ(delivery.offset(), 100 + index);
    EXPECT_EQ(proto::decode_handle(delivery.handle())->index, index);
    EXPECT_EQ(delivery.attempt(), 2U);
    delivery.ack();
  }
  EXPECT_THAT(said(), ElementsAre("started 1 3+1", "ack 1 3+1", "started 1 4+1", "ack 1 4+1",
                                  "started 1 9+1", "ack 1 9+1"));
  EXPECT_EQ(machine_.waiting_messages(), 0U);
}

TEST_F(ConsumerMachineTest, SaysTogetherThatSeveralBeginAroundWhatIsDone) {
  machine_.on_handled(1, microseconds(0));
  machine_.on_handled(2, microseconds(0));
  machine_.add_grant(sparse(1, {3, 4, 9, 11, 12}), kStart);
  const auto chunk = machine_.begin_chunk(kStart, true);
  ASSERT_EQ(chunk->count, 4U);
  EXPECT_EQ(chunk->index_of(2), 9U);
  EXPECT_THAT(said(), ElementsAre("started 1 3+9"));
}

TEST_F(ConsumerMachineTest, NamesNothingElseThatIsDone) {
  machine_.add_grant(sparse(1, {3, 4, 9, 11, 12}), kStart);
  Delivery third = begin_one();
  static_cast<void>(said());
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(answer_all(), ElementsAre("extend 1 3+2", "extend 1 9+1", "extend 1 11+2"));
  machine_.release_waiting_beyond(1);
  EXPECT_THAT(said(), ElementsAre("release 1 9+1", "release 1 11+2"));
  EXPECT_EQ(machine_.waiting_messages(), 1U);
  third.ack();
  EXPECT_EQ(begin_one(kStart + seconds(15)).body(), "4");
  EXPECT_THAT(said(), ElementsAre("ack 1 3+1", "started 1 4+1", "nack 1 4+1"));
}

TEST_F(ConsumerMachineTest, LosesWhatTheBrokerNamesAndWhatWaitsBehindIt) {
  const auto held = sparse(1, {3, 4, 9, 11});
  machine_.add_grant(held, kStart);
  Delivery third = begin_one();
  static_cast<void>(said());
  machine_.on_failed({{.settle_number = 1,
                       .grant = proto::GrantId(1),
                       .first_index = 3,
                       .count = 1,
                       .code = static_cast<std::uint16_t>(proto::Errc::kReceiptExpired)}});
  EXPECT_EQ(machine_.waiting_messages(), 3U) << "it waits no more";
  machine_.on_failed({{.settle_number = 2,
                       .grant = proto::GrantId(1),
                       .first_index = 5,
                       .count = 5,
                       .code = static_cast<std::uint16_t>(proto::Errc::kReceiptExpired)}});
  EXPECT_EQ(machine_.waiting_messages(), 0U);
  EXPECT_TRUE(held->all_settled());
}

TEST_F(ConsumerMachineTest, RefusesMessagesThatAreNotWhereTheGrantSays) {
  const std::string records = test::FakeBroker::records({"0", "1"});
  const auto is_read = [&](std::uint32_t first, std::uint32_t span, const std::string& bytes) {
    proto::Deliver frame;
    frame.first_index = first;
    frame.span = span;
    frame.count = 2;
    frame.records = bytes;
    return Grant(frame, GrantOrigin(), sink_).read_indexes().has_value();
  };
  EXPECT_TRUE(is_read(0, 3, records));
  EXPECT_FALSE(is_read(1, 3, records)) << "in front of it";
  const std::size_t half = records.size() / 2;
  EXPECT_FALSE(is_read(0, 3, records.substr(half) + records.substr(0, half))) << "out of order";
  EXPECT_FALSE(is_read(0, 3, records.substr(0, half) + records.substr(0, half))) << "twice";
  EXPECT_FALSE(is_read(0, 3, records.substr(0, half))) << "fewer than it says";
  const std::string three = test::FakeBroker::records({"0", "1", "2", "3"});
  EXPECT_FALSE(is_read(0, 3, three.substr(0, half) + three.substr(3 * half))) << "behind it";
}

TEST_F(ConsumerMachineTest, NacksWhatTheApplicationDropsAndReleasesWhatItNeverGot) {
  machine_.add_grant(grant(1, {"a", "b"}), kStart);
  begin_one();
  EXPECT_THAT(said(), ElementsAre("started 1 2+1", "nack 1 2+1"));
  static_cast<void>(machine_.begin_chunk(kStart, true)->grant->next());
  EXPECT_THAT(said(), ElementsAre("started 1 3+1", "release 1 3+1"));
}

TEST_F(ConsumerMachineTest, SettlesEachMessageOnce) {
  machine_.add_grant(grant(1, {"a"}), kStart);
  Delivery delivery = begin_one();
  static_cast<void>(said());
  delivery.nack(seconds(3));
  delivery.ack();
  delivery.release();
  delivery.extend(seconds(1));
  Delivery moved = std::move(delivery);
  EXPECT_TRUE(moved.settled());
  const SettleBatch batch = machine_.take_settlements();
  ASSERT_EQ(batch.ranges.size(), 1U);
  EXPECT_EQ(batch.ranges[0].kind, SettleKind::kNack);
  EXPECT_EQ(batch.ranges[0].value, 3'000U);
}

TEST_F(ConsumerMachineTest, JoinsAcksOfAGrant) {
  machine_.add_grant(grant(1, many(3)), kStart);
  std::vector<Delivery> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(begin_one());
    machine_.on_handled(1, microseconds(100));
  }
  static_cast<void>(said());
  for (const std::size_t i : {2U, 0U, 1U}) {
    held[i].ack();
  }
  EXPECT_THAT(said(), ElementsAre("ack 1 2+3"));
}

TEST_F(ConsumerMachineTest, PassesOverAGrantWhoseLeaseHasEnded) {
  machine_.add_grant(grant(1, {"old"}, 0, 1'000), kStart);
  machine_.add_grant(grant(2, {"new"}, 0, 60'000), kStart);
  const Delivery delivery = begin_one(kStart + seconds(1));
  EXPECT_EQ(delivery.body(), "new");
  EXPECT_THAT(said(), ElementsAre("started 2 2+1"));
  EXPECT_EQ(machine_.waiting_messages(), 0U);
}

TEST_F(ConsumerMachineTest, ExtendsLeasesThatAreHalfOver) {
  machine_.add_grant(grant(1, {"a", "b", "c"}, 0, 30'000), kStart);
  Delivery first = begin_one();
  machine_.on_handled(1, microseconds(100));
  Delivery second = begin_one();
  first.ack();
  static_cast<void>(said());
  EXPECT_EQ(machine_.next_deadline(), kStart + seconds(15));
  machine_.tick(kStart + seconds(14));
  EXPECT_FALSE(machine_.has_settlements());
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(said(), ElementsAre("extend 1 3+2"));
  EXPECT_EQ(machine_.next_deadline(), kStart + seconds(30));
  second.ack();
}

TEST_F(ConsumerMachineTest, StopsExtendingWhenAMessageWasHeldTooLong) {
  machine_.add_grant(grant(1, {"a"}, 0, 200'000), kStart);
  machine_.tick(kStart + seconds(100));
  EXPECT_THAT(answer_all(), ElementsAre("extend 1 2+1"));
  machine_.tick(kStart + seconds(200));
  EXPECT_THAT(said(), ElementsAre("extend 1 2+1"));
  machine_.tick(kStart + seconds(300));
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_FALSE(machine_.next_deadline().has_value());
}

/// A broker that stood still got 16 MiB of extensions, and took the client for a malformed one.
TEST_F(ConsumerMachineTest, AsksForNoMoreTimeUntilItIsAnswered) {
  const std::shared_ptr<Grant> held = grant(1, {"a"});
  machine_.add_grant(held, kStart);
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(answer_all(), ElementsAre("extend 1 2+1"));
  machine_.tick(kStart + seconds(30));
  EXPECT_THAT(said(), ElementsAre("extend 1 2+1"));
  machine_.tick(kStart + seconds(45));
  machine_.tick(kStart + seconds(60));
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_GT(held->lease_until, kStart + seconds(60));  // it waits for the answer, and goes on
  machine_.on_answered({held->range(SettleKind::kAck, 2, 1, 0)});
  machine_.tick(kStart + seconds(75));
  EXPECT_THAT(said(), IsEmpty());
  machine_.on_answered({held->range(SettleKind::kExtend, 2, 1, 30'000)});
  machine_.tick(kStart + seconds(90));
  EXPECT_THAT(said(), ElementsAre("extend 1 2+1"));
}

/// Every tick looks at all that is held: one for each grant would take the square of their number.
TEST_F(ConsumerMachineTest, ExtendsManyLeasesInFewTicks) {
  constexpr std::uint64_t kGrants = 3'000;
  for (std::uint64_t i = 1; i <= kGrants; ++i) {
    machine_.add_grant(grant(i, {"a"}), kStart + milliseconds(5 * i));
  }
  std::size_t ticks = 0;
  std::size_t extended = 0;
  while (*machine_.next_deadline() < kStart + seconds(30)) {
    machine_.tick(*machine_.next_deadline());
    extended += answer_all().size();
    ++ticks;
  }
  EXPECT_GE(extended, kGrants);  // the first of them twice
  EXPECT_LE(ticks, 9U);
}

TEST_F(ConsumerMachineTest, ExtendsNothingThatIsDone) {
  machine_.add_grant(grant(1, {"a"}), kStart);
  begin_one().ack();
  static_cast<void>(said());
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_FALSE(machine_.next_deadline().has_value());
}

TEST_F(ConsumerMachineTest, GivesBackWhatWaits) {
  machine_.add_grant(grant(1, many(5)), kStart);
  machine_.add_grant(grant(2, many(2)), kStart);
  Delivery held = begin_one();
  static_cast<void>(said());
  machine_.release_waiting_beyond(0);
  EXPECT_THAT(said(), ElementsAre("release 1 3+4", "release 2 2+2"));
  EXPECT_EQ(machine_.waiting_messages(), 0U);
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(said(), ElementsAre("extend 1 2+1"));
  held.ack();
}

TEST_F(ConsumerMachineTest, GivesBackWhatWaitsBeyondASmallerWindow) {
  machine_.add_grant(grant(1, many(5)), kStart);
  machine_.add_grant(grant(2, many(2)), kStart);
  Delivery held = begin_one();
  static_cast<void>(said());
  machine_.release_waiting_beyond(6);
  EXPECT_THAT(said(), IsEmpty());
  machine_.release_waiting_beyond(3);
  EXPECT_THAT(said(), ElementsAre("release 1 6+1", "release 2 2+2"));
  EXPECT_EQ(machine_.waiting_messages(), 3U);
  // The leases of what is left are kept, and it is begun; nothing else is.
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(said(), ElementsAre("extend 1 2+4"));
  for (std::uint32_t first = 3; first < 6; ++first) {
    const auto chunk = machine_.begin_chunk(kStart, true);
    ASSERT_TRUE(chunk.has_value());
    EXPECT_EQ(chunk->index_of(0), first);
    EXPECT_EQ(chunk->count, 1U);
  }
  EXPECT_FALSE(machine_.begin_chunk(kStart, true).has_value());
  static_cast<void>(said());
  held.ack();
}

TEST_F(ConsumerMachineTest, KeepsOnlyWhatBeganWhenTheSessionIsLost) {
  machine_.add_grant(grant(1, many(5)), kStart);
  Delivery held = begin_one();
  static_cast<void>(said());
  machine_.drop_waiting();
  EXPECT_FALSE(machine_.begin_chunk(kStart, true).has_value());
  machine_.tick(kStart + seconds(15));
  EXPECT_THAT(said(), ElementsAre("extend 1 2+1"));
  held.ack();
  EXPECT_THAT(said(), ElementsAre("ack 1 2+1"));
}

TEST_F(ConsumerMachineTest, DropsWhatIsNoLongerItsOwn) {
  machine_.add_grant(grant(1, many(5)), kStart);
  machine_.add_grant(grant(2, many(1)), kStart);
  proto::SettleFailure failure;
  failure.grant = proto::GrantId(1);
  failure.first_index = 0;
  failure.count = 0xFFFFFFFF;  // whatever a broker says stays within the grant
  machine_.on_failed({failure});
  EXPECT_EQ(machine_.waiting_messages(), 1U);
  EXPECT_EQ(machine_.begin_chunk(kStart, true)->grant->id().value, 2U);
}

// A consumer that stood still finds all of its leases over. Comparing each refusal with each grant
// would hold up the I/O thread for many seconds.
TEST_F(ConsumerMachineTest, DropsManyGrantsAtOnceInOnePass) {
  constexpr std::uint64_t kGrants = 50'000;
  std::vector<proto::SettleFailure> failures;
  for (std::uint64_t i = 1; i <= kGrants; ++i) {
    machine_.add_grant(grant(i, {"a"}), kStart);
    proto::SettleFailure failure;
    failure.grant = proto::GrantId(kGrants + 2 - i);  // the first one is kept
    failure.first_index = 2;
    failure.count = 1;
    failures.push_back(failure);
  }
  const auto began = std::chrono::steady_clock::now();
  machine_.on_failed(failures);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));
  EXPECT_EQ(machine_.waiting_messages(), 1U);
  EXPECT_EQ(machine_.begin_chunk(kStart, true)->grant->id().value, 1U);
}

TEST_F(ConsumerMachineTest, LetsGoOfGrantsThatAreDone) {
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    machine_.add_grant(grant(i, {"a"}), kStart);
    begin_one().ack();
    machine_.on_handled(1, milliseconds(1));
  }
  EXPECT_EQ(sink_->grants, 0);
}

TEST(Grant, RefusesRecordsThatAreNone) {
  ConsumerMachine machine{Duration{0}};
  proto::Deliver frame;
  frame.span = 2;
  frame.count = 2;
  frame.records = "nonsense";
  const auto grant =
      std::make_shared<Grant>(frame, GrantOrigin(), std::make_shared<MachineSink>(machine));
  EXPECT_FALSE(grant->next().has_value());
}

TEST_F(ConsumerMachineTest, ForgetsWhatWaitsLongestBeyondItsBounds) {
  for (std::uint64_t id = 1; id <= 3; ++id) {
    machine_.add_grant(grant(id, many(10)), kStart);
  }
  machine_.keep_waiting_within(30, SIZE_MAX);
  EXPECT_EQ(machine_.waiting_messages(), 30U);
  machine_.keep_waiting_within(29, SIZE_MAX);
  EXPECT_EQ(machine_.waiting_messages(), 20U);
  const auto begun = machine_.begin_chunk(kStart, true);
  EXPECT_EQ(begun->grant->id(), proto::GrantId(2));
  machine_.keep_waiting_within(SIZE_MAX, 0);
  EXPECT_EQ(machine_.waiting_messages(), 0U);
  EXPECT_EQ(sink_->grants, 1);  // which is begun
  machine_.add_grant(grant(4, many(10)), kStart);
  machine_.keep_waiting_within(10, 10'000);
  EXPECT_EQ(machine_.waiting_messages(), 10U);
}

// ---- leases that are about to end

/// A machine that extends nothing by itself, and tells of leases that have 5 s left.
class EndingLeasesTest : public ConsumerMachineTest {
 protected:
  EndingLeasesTest() {
    machine_ = ConsumerMachine(Duration{0});
    machine_.watch_leases(seconds(5));
  }
  Delivery get_one(TimePoint now = kStart) {
    const auto chunk = machine_.begin_chunk(now, true);
    proto::Result<Delivery> delivery = chunk->grant->next();
    Taken<Delivery>::mark(*delivery);
    machine_.watch(*chunk->grant, chunk->index_of(0), delivery->message_id());
    return std::move(*delivery);
  }
  /// The offsets of what is told at that moment.
  std::vector<std::int64_t> told(Duration after_start) {
    std::vector<std::int64_t> offsets;
    for (const LeaseEnding& ending : machine_.take_ending(kStart + after_start)) {
      offsets.push_back(ending.offset);
    }
    return offsets;
  }
};

TEST_F(EndingLeasesTest, AreToldOnceForEachMessageThatTheApplicationHolds) {
  machine_.add_grant(grant(1, {"a", "b", "c", "waits"}), kStart);
  const Delivery first = get_one();
  machine_.on_handled(1, seconds(1));
  Delivery second = get_one();
  machine_.on_handled(1, seconds(1));
  const Delivery third = get_one();
  second.ack();
  EXPECT_EQ(machine_.next_deadline(), kStart + seconds(25));
  EXPECT_THAT(told(milliseconds(24'999)), IsEmpty());
  const std::vector<LeaseEnding> ending = machine_.take_ending(kStart + seconds(26));
  ASSERT_EQ(ending.size(), 2U);
  EXPECT_EQ(ending[0].queue, "q");
  EXPECT_EQ(ending[0].offset, first.offset());
  EXPECT_EQ(ending[0].handle, first.handle());
  EXPECT_EQ(ending[0].message_id, first.message_id());
  EXPECT_EQ(ending[0].left, seconds(4));
  EXPECT_EQ(ending[1].offset, third.offset());
  EXPECT_FALSE(machine_.next_deadline());
  EXPECT_THAT(told(seconds(60)), IsEmpty());
}

TEST_F(EndingLeasesTest, AreToldAtOnceOfAMessageThatIsHandedOutLate) {
  machine_.add_grant(grant(1, {"a", "b"}), kStart);
  const Delivery early = get_one();
  EXPECT_THAT(told(seconds(25)), ElementsAre(102));
  machine_.on_handled(1, seconds(1));
  const Delivery late = get_one(kStart + seconds(28));
  EXPECT_THAT(told(seconds(28)), ElementsAre(103));
}

TEST_F(EndingLeasesTest, AreToldAgainOfAMessageThatWasExtended) {
  machine_.add_grant(grant(1, {"a", "b"}), kStart);
  Delivery extended = get_one();
  machine_.on_handled(1, seconds(1));
  Delivery given_back = get_one();
  EXPECT_THAT(told(seconds(25)), ElementsAre(102, 103));
  extended.extend(seconds(60));
  given_back.extend(seconds(0));
  EXPECT_THAT(told(seconds(26)), IsEmpty());
  EXPECT_EQ(machine_.next_deadline(), kStart + seconds(26 + 55));
  EXPECT_THAT(told(seconds(80)), IsEmpty());
  EXPECT_THAT(told(seconds(81)), ElementsAre(102));
  extended.extend(seconds(3));
  EXPECT_THAT(told(seconds(82)), ElementsAre(102)) << "less than that is left at once";
  extended.ack();
  EXPECT_THAT(told(seconds(90)), IsEmpty());
}

TEST_F(EndingLeasesTest, AreNotToldWhileTheLibraryExtendsThem) {
  machine_ = ConsumerMachine(seconds(100));
  machine_.watch_leases(seconds(20));  // before the half of the lease, at which it extends
  machine_.add_grant(grant(1, {"a"}), kStart);
  const Delivery delivery = get_one();
  TimePoint now = kStart;
  std::vector<LeaseEnding> ending;
  while (ending.empty() && now < kStart + seconds(1'000)) {
    now = *machine_.next_deadline();
    machine_.tick(now);
    static_cast<void>(answer_all());
    ending = machine_.take_ending(now);
  }
  EXPECT_EQ(now, kStart + seconds(100)) << "extended at 90 s for the last time";
  ASSERT_EQ(ending.size(), 1U);
  EXPECT_EQ(ending[0].left, seconds(20));
}

TEST_F(EndingLeasesTest, AreNotToldOfWhatIsNoLongerItsOwn) {
  machine_.add_grant(grant(1, {"a"}), kStart);
  const Delivery lost = get_one();
  proto::SettleFailure failure;
  failure.grant = proto::GrantId(1);
  failure.first_index = 2;
  failure.count = 1;
  machine_.add_grant(grant(2, {"b"}), kStart);
  machine_.on_failed({failure});
  EXPECT_THAT(told(seconds(25)), IsEmpty());
}

TEST_F(EndingLeasesTest, CannotBeToldOfALeaseOfNothing) {
  machine_.add_grant(grant(1, {"a"}, 0, /*lease_ms=*/0), kStart);
  const Delivery delivery = get_one();
  EXPECT_FALSE(machine_.next_deadline());
}

}  // namespace
}  // namespace weir::sdk
