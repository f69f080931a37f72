#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::kNow;
using test::values_of;

class Settle : public ::testing::Test {
 protected:
  Settle() { start({}); }
  void start(QueueSettings settings) {
    queue = rig.create_queue("work" + std::to_string(++queues), std::move(settings));
    rig.send(queue, values_of(4));
    held = *rig.take(queue, 4, kNow);  // until kNow + 1000
  }
  std::optional<Errc> settle(SettleKind kind, proto::TimeMs now, std::uint32_t value = 0) {
    return rig.outcome(queue, CoreRig::range(held, kind, value), now);
  }
  [[nodiscard]] QueueInfo info(proto::TimeMs now = kNow) const { return rig.info(queue, now); }

  CoreRig rig;
  int queues = 0;
  proto::QueueId queue;
  Delivery held;
};

TEST_F(Settle, AcksTwiceAndBothAreFine) {
  EXPECT_EQ(settle(SettleKind::kAck, kNow), std::nullopt);
  EXPECT_EQ(settle(SettleKind::kAck, kNow), std::nullopt);
  EXPECT_EQ(info().in_flight + info().ready, 0U);
  EXPECT_EQ(info().bytes, 0U);
}

TEST_F(Settle, AcksAPartTwiceWhileTheRestIsHeld) {
  proto::SettleRange one = CoreRig::range(held, SettleKind::kAck);
  one.first_index = 1;
  one.count = 2;
  EXPECT_EQ(rig.outcome(queue, one, kNow), std::nullopt);
  EXPECT_EQ(rig.outcome(queue, one, kNow), std::nullopt);
  EXPECT_EQ(info().in_flight, 2U);
  EXPECT_EQ(settle(SettleKind::kAck, kNow), std::nullopt) << "also over what is done already";
  EXPECT_EQ(info().in_flight, 0U);
}

TEST_F(Settle, RefusesAnotherNonce) {
  for (const SettleKind kind : {SettleKind::kAck, SettleKind::kNack, SettleKind::kRelease,
                                SettleKind::kExtend, SettleKind::kStarted}) {
    proto::SettleRange forged = CoreRig::range(held, kind, 5);
    forged.nonce ^= 1;
    EXPECT_EQ(rig.outcome(queue, forged, kNow), Errc::kReceiptInvalid);
  }
  EXPECT_EQ(info().in_flight, 4U);
}

TEST_F(Settle, RefusesAGrantThatLostTheMessage) {
  EXPECT_EQ(settle(SettleKind::kRelease, kNow), std::nullopt);
  const Delivery second = *rig.take(queue, 4, kNow);
  EXPECT_NE(second.grant, held.grant);
  for (const SettleKind kind : {SettleKind::kAck, SettleKind::kNack, SettleKind::kExtend}) {
    EXPECT_EQ(settle(kind, kNow, 5), Errc::kReceiptExpired);
  }
  EXPECT_EQ(info().in_flight, 4U);
}

TEST_F(Settle, RefusesWhatWasNeverGiven) {
  proto::SettleRange range = CoreRig::range(held, SettleKind::kAck);
  range.grant = proto::GrantId{held.grant.value + 100};
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid);
  range = CoreRig::range(held, SettleKind::kAck);
  range.count = 5;
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid) << "beyond the batch";
  range.count = 0;
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid);
  range.count = UINT32_MAX;
  range.first_index = UINT32_MAX;
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid);
  range = CoreRig::range(held, SettleKind::kAck);
  range.base_offset = 4;
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid) << "not sent yet";
  range.base_offset = -1;
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid);
  range.base_offset = std::numeric_limits<proto::Offset>::max();
  EXPECT_EQ(rig.outcome(queue, range, kNow), Errc::kReceiptInvalid) << "an end that overflows";
  EXPECT_EQ(rig.outcome(proto::QueueId{99}, CoreRig::range(held, SettleKind::kAck), kNow),
            Errc::kQueueNotFound);
}

TEST_F(Settle, RefusesMessagesOfTheBatchThatWereNotHandedOut) {
  rig.send(queue, values_of(4));
  const Delivery part = *rig.take(queue, 2, kNow);
  proto::SettleRange more = CoreRig::range(part, SettleKind::kAck);
  more.count = 4;
  const auto failed = rig.settle(queue, more, kNow);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first, 2U);
  EXPECT_EQ(failed[0].count, 2U);
  EXPECT_EQ(failed[0].code, Errc::kReceiptInvalid);
  EXPECT_EQ(info().ready, 2U) << "they wait still";
}

TEST_F(Settle, TakesALateAckAsLongAsNobodyElseHasTheMessage) {
  rig.expire(kNow + 1000);
  EXPECT_EQ(info(kNow + 1000).ready, 4U);
  EXPECT_EQ(settle(SettleKind::kAck, kNow + 5000), std::nullopt);
  EXPECT_EQ(info(kNow + 5000).ready, 0U);
}

TEST_F(Settle, TakesAnAckOfADyingMessage) {
  start({.lease_ms = 0, .max_receive_count = 1, .dead_letter_queue = ""});
  EXPECT_EQ(settle(SettleKind::kStarted, kNow), std::nullopt);
  rig.expire(kNow + 1000);
  EXPECT_EQ(info(kNow + 1000).parked, 4U);
  EXPECT_EQ(settle(SettleKind::kAck, kNow + 1001), std::nullopt) << "the work is done";
  EXPECT_EQ(info(kNow + 1001).parked, 0U);
}

TEST_F(Settle, KnowsThatADeadlineThatIsNowHasPassed) {
  for (const SettleKind kind :
       {SettleKind::kExtend, SettleKind::kNack, SettleKind::kRelease, SettleKind::kStarted}) {
    EXPECT_EQ(settle(kind, kNow + 1000, 7), Errc::kReceiptExpired);
  }
  EXPECT_FALSE(rig.expired(kNow + 999));
  EXPECT_TRUE(rig.expired(kNow + 1000));
}

TEST_F(Settle, ExtendsFromNow) {
  EXPECT_EQ(settle(SettleKind::kExtend, kNow + 999, 5000), std::nullopt);
  EXPECT_EQ(rig.state.next_deadline(), kNow + 5999);
  EXPECT_EQ(settle(SettleKind::kExtend, kNow + 999, 1), std::nullopt) << "shorter, too";
  EXPECT_EQ(rig.state.next_deadline(), kNow + 1000);
}

TEST_F(Settle, GivesBackForALeaseOfNothing) {
  EXPECT_EQ(settle(SettleKind::kExtend, kNow, 0), std::nullopt);
  EXPECT_EQ(info().ready, 4U);
  EXPECT_EQ(rig.take(queue, 4, kNow)->attempts, 0);
}

TEST_F(Settle, BoundsDelaysAndLeases) {
  const auto too_long = static_cast<std::uint32_t>(proto::kMaxLeaseMs + 1);
  EXPECT_EQ(settle(SettleKind::kExtend, kNow, too_long), Errc::kInvalidArgument);
  const auto too_late = static_cast<std::uint32_t>(proto::kMaxDelayMs + 1);
  EXPECT_EQ(settle(SettleKind::kNack, kNow, too_late), Errc::kInvalidArgument);
  EXPECT_EQ(info().in_flight, 4U);
}

TEST_F(Settle, CountsANackAndKeepsItsDelay) {
  EXPECT_EQ(settle(SettleKind::kNack, kNow, 300), std::nullopt);
  EXPECT_EQ(info(kNow + 299).delayed, 4U);
  EXPECT_EQ(info(kNow + 299).ready, 0U);
  EXPECT_FALSE(rig.take(queue, 4, kNow + 299));
  EXPECT_EQ(info(kNow + 300).ready, 4U);
  EXPECT_EQ(rig.take(queue, 4, kNow + 300)->attempts, 1);
}

TEST_F(Settle, DoesNotCountARelease) {
  EXPECT_EQ(settle(SettleKind::kRelease, kNow), std::nullopt);
  EXPECT_EQ(rig.take(queue, 4, kNow)->attempts, 0);
}

TEST_F(Settle, CountsABegunHandlerOnce) {
  EXPECT_EQ(settle(SettleKind::kStarted, kNow), std::nullopt);
  EXPECT_EQ(settle(SettleKind::kStarted, kNow), std::nullopt);
  EXPECT_EQ(settle(SettleKind::kNack, kNow), std::nullopt);
  EXPECT_EQ(rig.take(queue, 4, kNow)->attempts, 1);
}

TEST_F(Settle, CountsABegunHandlerWhoseLeaseRanOut) {
  EXPECT_EQ(settle(SettleKind::kStarted, kNow), std::nullopt);
  rig.expire(kNow + 1000);
  EXPECT_EQ(rig.take(queue, 4, kNow + 1000)->attempts, 1);
}

TEST_F(Settle, DoesNotCountAPrefetchedMessageWhoseLeaseRanOut) {
  rig.expire(kNow + 1000);
  EXPECT_EQ(rig.take(queue, 4, kNow + 1000)->attempts, 0);
}

TEST_F(Settle, CountsASingleReceiveAtOnce) {
  EXPECT_EQ(settle(SettleKind::kAck, kNow), std::nullopt);
  rig.send(queue, values_of(1));
  auto wanted = rig.wish(queue, 1);
  wanted.started = true;
  rig.take(wanted, kNow);
  rig.expire(kNow + 1000);
  EXPECT_EQ(rig.take(queue, 1, kNow + 1000)->attempts, 1);
}

TEST_F(Settle, ParksWithoutADeadLetterQueueAfterTheLastAttempt) {
  start({.lease_ms = 0, .max_receive_count = 2, .dead_letter_queue = ""});
  EXPECT_EQ(settle(SettleKind::kNack, kNow), std::nullopt);
  held = *rig.take(queue, 4, kNow);
  EXPECT_EQ(settle(SettleKind::kNack, kNow), std::nullopt);
  EXPECT_EQ(info().parked, 4U);
  EXPECT_EQ(info().ready, 0U);
  EXPECT_FALSE(rig.take(queue, 4, kNow + 1'000'000));
  EXPECT_TRUE(rig.state.dying_queues().empty());
}

TEST_F(Settle, LetsMessagesDieTowardsTheDeadLetterQueue) {
  rig.create_queue("dead");
  start({.lease_ms = 0, .max_receive_count = 1, .dead_letter_queue = "dead"});
  EXPECT_EQ(settle(SettleKind::kNack, kNow), std::nullopt);
  EXPECT_EQ(info().dying, 4U);
  EXPECT_TRUE(rig.state.dying_queues().contains(queue));
  EXPECT_FALSE(rig.take(queue, 4, kNow)) << "never handed out again";
}

TEST_F(Settle, JudgesEachMessageOfARangeByItself) {
  proto::SettleRange middle = CoreRig::range(held, SettleKind::kAck);
  middle.first_index = 1;
  middle.count = 1;
  rig.settle(queue, middle, kNow);
  const auto failed = rig.settle(queue, CoreRig::range(held, SettleKind::kNack), kNow);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].first, 1U);
  EXPECT_EQ(failed[0].count, 1U);
  EXPECT_EQ(failed[0].code, Errc::kReceiptExpired);
  EXPECT_EQ(info().ready, 3U);
}

TEST_F(Settle, ReleasesWhatASessionHeldAndHadNotBegun) {
  proto::SettleRange begun = CoreRig::range(held, SettleKind::kStarted);
  begun.count = 1;
  rig.settle(queue, begun, kNow);
  rig.apply(rig.state.decide_release(queue, 3, held.grant, kNow));
  EXPECT_EQ(info().in_flight, 1U) << "what was begun keeps its lease";
  EXPECT_EQ(info().ready, 3U);
  EXPECT_TRUE(rig.state.decide_release(queue, 77, held.grant, kNow).empty());
  EXPECT_TRUE(rig.state.decide_release(proto::QueueId{99}, 3, held.grant, kNow).empty());
}

TEST_F(Settle, ReturnsAndExtendsAtARestart) {
  proto::SettleRange begun = CoreRig::range(held, SettleKind::kStarted);
  begun.count = 1;
  rig.settle(queue, begun, kNow);
  rig.apply(rig.state.decide_restart(kNow + 10, 2000));
  EXPECT_EQ(info(kNow + 10).in_flight, 1U);
  EXPECT_EQ(info(kNow + 10).ready, 3U);
  EXPECT_EQ(rig.state.next_deadline(), kNow + 3000);
  EXPECT_EQ(rig.take(queue, 3, kNow + 10)->attempts, 0);
}

TEST_F(Settle, TellsWhoseCreditComesBack) {
  rig.effects = {};
  proto::SettleRange two = CoreRig::range(held, SettleKind::kAck);
  two.count = 2;
  rig.settle(queue, two, kNow);
  rig.expire(kNow + 1000);
  ASSERT_EQ(rig.effects.freed.size(), 2U);
  EXPECT_EQ(rig.effects.freed[0], std::pair(held.grant, 2U));
  EXPECT_EQ(rig.effects.freed[1], std::pair(held.grant, 2U));
}

class Handles : public Settle {
 protected:
  Handles() {
    handle.incarnation = 1;
    handle.queue = queue;
    handle.generation = 1;
    handle.grant = held.grant;
    handle.nonce = held.nonce;
    handle.index = 2;
  }
  [[nodiscard]] proto::Result<ShardState::HandleRange> decode(std::string named = "") const {
    return rig.state.decode(SettleByHandle{proto::encode_handle(handle), SettleKind::kAck, 0,
                                           "default", std::move(named)});
  }
  proto::ReceiptHandle handle;
};

TEST_F(Handles, NameOneMessage) {
  const auto decoded = decode("work1").value();
  EXPECT_EQ(decoded.queue, queue);
  EXPECT_EQ(rig.outcome(queue, decoded.range, kNow), std::nullopt);
  EXPECT_EQ(info().in_flight, 3U);
}

TEST_F(Handles, OfAnotherQueueIncarnationGenerationShardOrEpochAreInvalid) {
  rig.create_queue("other");
  EXPECT_EQ(decode("other").error().code, Errc::kReceiptInvalid);
  EXPECT_EQ(decode("none").error().code, Errc::kQueueNotFound);
  const proto::ReceiptHandle good = handle;
  handle.incarnation = 2;
  EXPECT_EQ(decode().error().code, Errc::kReceiptInvalid);
  handle = good;
  handle.generation = 2;
  EXPECT_EQ(decode().error().code, Errc::kReceiptInvalid);
  handle = good;
  handle.shard = 3;
  EXPECT_EQ(decode().error().code, Errc::kReceiptInvalid);
  handle = good;
  handle.epoch = 1;
  EXPECT_EQ(decode().error().code, Errc::kReceiptInvalid);
  handle = good;
  handle.queue = proto::QueueId{99};
  EXPECT_EQ(decode().error().code, Errc::kReceiptInvalid);
}

TEST_F(Handles, ThatWereAlteredAreInvalid) {
  std::string text = proto::encode_handle(handle);
  text[40] = text[40] == 'A' ? 'B' : 'A';
  EXPECT_EQ(rig.state.decode(SettleByHandle{text, SettleKind::kAck, 0, "", ""}).error().code,
            Errc::kReceiptInvalid);
}

TEST_F(Handles, OfAnEarlierIncarnationAreInvalidAfterItIsRaised) {
  EXPECT_TRUE(decode());
  rig.apply(Record{rig.state.decide_new_incarnation()});
  EXPECT_EQ(decode().error().code, Errc::kReceiptInvalid);
}

}  // namespace
}  // namespace weir::core
