#include "client/core/backoff.hpp"
#include "client/core/header_name.hpp"
#include "client/core/heartbeat.hpp"
#include "client/core/partitioner.hpp"
#include "client/core/random.hpp"
#include "client/core/send_ledger.hpp"
#include "client/core/start_policy.hpp"
#include "tests/unit/client/start_time.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::sdk {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(HeaderName, IsWhatAPersonCanReadAndType) {
  for (const char* name : {"trace-id", "X Y", "~", "weir"}) {
    EXPECT_TRUE(check_header_name(name)) << name;
  }
  for (const char* name : {"", "a\nb", "\x1b[31m", "\xff\xfe", "\x7f", "na\xc3\xafve"}) {
    EXPECT_EQ(check_header_name(name).error().code, proto::Errc::kInvalidArgument) << name;
  }
  EXPECT_TRUE(check_header_name(std::string(kMaxHeaderNameBytes, 'n')));
  EXPECT_FALSE(check_header_name(std::string(kMaxHeaderNameBytes + 1, 'n')));
}

TEST(Backoff, DoublesUpToItsCapWithJitterOfAHalf) {
  Random random(7);
  Backoff backoff(milliseconds(100), seconds(5));
  milliseconds full(100);
  for (int i = 0; i < 20; ++i) {
    const Duration pause = backoff.next(random);
    EXPECT_LE(pause, full);
    EXPECT_GE(pause, full / 2);
    full = std::min(full * 2, milliseconds(5'000));
  }
}

TEST(Backoff, BeginsAgainAfterASuccess) {
  Random random(7);
  Backoff backoff(milliseconds(100), seconds(5));
  for (int i = 0; i < 5; ++i) {
    backoff.next(random);
  }
  backoff.reset();
  EXPECT_LE(backoff.next(random), milliseconds(100));
}

TEST(Backoff, DiffersBetweenClients) {
  Random one(1);
  Random other(2);
  EXPECT_NE(Backoff(seconds(1), seconds(1)).next(one), Backoff(seconds(1), seconds(1)).next(other));
}

TEST(Heartbeat, PingsEachInterval) {
  Heartbeat heartbeat(seconds(10), seconds(30), kStart);
  EXPECT_EQ(heartbeat.next_tick(), kStart + seconds(10));
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(9)), Heartbeat::Verdict::kFine);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(10)), Heartbeat::Verdict::kPing);
  EXPECT_EQ(heartbeat.next_tick(), kStart + seconds(20));
}

TEST(Heartbeat, IsDeadAfterATimeWithoutBytes) {
  Heartbeat heartbeat(seconds(10), seconds(30), kStart);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(10)), Heartbeat::Verdict::kPing);
  heartbeat.on_bytes(kStart + seconds(11));
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(20)), Heartbeat::Verdict::kPing);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(30)), Heartbeat::Verdict::kPing);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(40)), Heartbeat::Verdict::kPing);
  EXPECT_EQ(heartbeat.next_tick(), kStart + seconds(41));
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(41)), Heartbeat::Verdict::kDead);
}

TEST(Heartbeat, DoesNotTakeAStallOfItsOwnForTheDeathOfThePeer) {
  Heartbeat heartbeat(seconds(10), seconds(30), kStart);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(100)), Heartbeat::Verdict::kPing);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(110)), Heartbeat::Verdict::kPing);
  EXPECT_EQ(heartbeat.on_tick(kStart + seconds(120)), Heartbeat::Verdict::kDead);
}

// Expected values: UtilsTest.testMurmur2 of Apache Kafka.
TEST(Partitioner, HashesAsKafkaDoes) {
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
            -58897971);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

TEST(Partitioner, NeverGivesANegativePartition) {
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_LT(partition_of_key(std::to_string(i), 7), 7U);
  }
  // toPositive of a negative hash clears the sign; it does not negate.
  EXPECT_EQ(partition_of_key("21", 1'000),
            ((static_cast<std::uint32_t>(-973932308)) & 0x7FFFFFFFU) % 1'000);
}

TEST(StickyPartition, StaysUntilItIsToldToMoveOn) {
  StickyPartition sticky(5);
  EXPECT_EQ(sticky.current(3), 2U);
  EXPECT_EQ(sticky.current(3), 2U);
  sticky.advance();
  EXPECT_EQ(sticky.current(3), 0U);
}

TEST(SendLedger, KeepsUnansweredBytesWithinTheWindow) {
  SendLedger ledger;
  ledger.restart(100);
  EXPECT_TRUE(ledger.has_room(60));
  EXPECT_EQ(ledger.add({1, 0, 1}, 60), 1U);
  EXPECT_TRUE(ledger.has_room(40));
  EXPECT_FALSE(ledger.has_room(41));
  EXPECT_EQ(ledger.add({1, 0, 2}, 40), 2U);
  EXPECT_FALSE(ledger.has_room(1));
  ASSERT_TRUE(ledger.take(2).has_value());
  EXPECT_TRUE(ledger.has_room(40));
  ledger.set_window(10);
  EXPECT_FALSE(ledger.has_room(1));
}

TEST(SendLedger, LetsOneLargeSendPassAlone) {
  SendLedger ledger;
  ledger.restart(100);
  EXPECT_TRUE(ledger.has_room(1'000));
  ledger.add({1, 0, 1}, 1'000);
  EXPECT_FALSE(ledger.has_room(0));
}

TEST(SendLedger, AnswersEachNumberOnceAndInAnyOrder) {
  SendLedger ledger;
  ledger.restart(1'000);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    EXPECT_EQ(ledger.add({7, 1, 10 + i}, 1), i);
  }
  EXPECT_EQ(ledger.take(3)->ordinal, 13U);
  EXPECT_FALSE(ledger.take(3).has_value());
  EXPECT_EQ(ledger.take(1)->ordinal, 11U);
  EXPECT_FALSE(ledger.take(1).has_value());
  EXPECT_EQ(ledger.take(2)->ordinal, 12U);
  EXPECT_EQ(ledger.take(4)->ordinal, 14U);
  EXPECT_FALSE(ledger.take(5).has_value());
  EXPECT_FALSE(ledger.take(0).has_value());
  EXPECT_TRUE(ledger.empty());
  EXPECT_EQ(ledger.add({7, 1, 1}, 1), 5U);
}

TEST(StartPolicy, DoublesWhileHandlersAreFast) {
  StartPolicy policy;
  for (const std::uint32_t expected : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 64U}) {
    ASSERT_EQ(policy.chunk(0), expected);
    policy.on_handled(expected, microseconds(49) * expected);
  }
}

TEST(StartPolicy, FallsBackToOneWhenHandlersAreSlow) {
  StartPolicy policy;
  for (int i = 0; i < 4; ++i) {
    policy.on_handled(policy.chunk(0), microseconds(1));
  }
  policy.on_handled(policy.chunk(0), microseconds(50) * policy.chunk(0));
  EXPECT_EQ(policy.chunk(0), 1U);
}

TEST(StartPolicy, ReportsWhatConsumersMayHaveDiedOfAlone) {
  StartPolicy policy;
  for (int i = 0; i < 6; ++i) {
    policy.on_handled(policy.chunk(0), microseconds(1));
  }
  EXPECT_EQ(policy.chunk(0), 64U);
  EXPECT_EQ(policy.chunk(1), 1U);
}

TEST(StartPolicy, DoesNotGrowByChunksThatWereNotFull) {
  StartPolicy policy;
  policy.on_handled(1, microseconds(1));
  policy.on_handled(2, microseconds(1));
  policy.on_handled(1, microseconds(1));
  EXPECT_EQ(policy.chunk(0), 4U);
}

}  // namespace
}  // namespace weir::sdk
