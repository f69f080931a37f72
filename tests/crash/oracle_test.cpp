#include "tests/crash/oracle.hpp"

#include <gtest/gtest.h>

namespace weir::crash {
namespace {

constexpr auto kQueue = "orders";

TEST(CrashOracle, FindsNothingWhereNothingIsWrong) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.acknowledged(number, 0);
  EXPECT_EQ(oracle.delivered(oracle.make_body(number), 0, 0), number);
  oracle.begun(number);
  oracle.begun_confirmed(number, 0);
  EXPECT_EQ(oracle.delivered(oracle.make_body(number), 0, 1), number);
  oracle.settled(number);
  oracle.check_done(false);
  EXPECT_EQ(oracle.tally().violations(), 0U);
  EXPECT_EQ(oracle.tally().redelivered, 1U);
  EXPECT_EQ(oracle.open(), 0U);
}

TEST(CrashOracle, MissesWhatWasAcknowledgedAndNeverCame) {
  Oracle oracle(kQueue);
  oracle.acknowledged(oracle.make(), 0);
  oracle.check_done(false);
  EXPECT_EQ(oracle.tally().lost, 1U);
}

TEST(CrashOracle, MissesWhatWasDeliveredAndNeitherSettledNorKept) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.acknowledged(number, 0);
  oracle.delivered(oracle.make_body(number), 0, 0);
  oracle.check_done(false);
  EXPECT_EQ(oracle.tally().lost, 1U);
}

TEST(CrashOracle, TakesAnUnansweredAckEitherWay) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.acknowledged(number, 0);
  oracle.delivered(oracle.make_body(number), 0, 0);
  EXPECT_EQ(oracle.open(), 1U);
  oracle.ack_said(number);
  EXPECT_EQ(oracle.open(), 0U);
  oracle.check_done(false);
  EXPECT_EQ(oracle.tally().violations(), 0U);
  EXPECT_EQ(oracle.tally().acks_unknown, 1U);
}

TEST(CrashOracle, MissesWhatCameAgainAfterAnAckThatWasNotHeard) {
  Oracle again(kQueue);
  const MessageNumber number = again.make();
  again.acknowledged(number, 0);
  again.delivered(again.make_body(number), 0, 0);
  again.ack_said(number);
  again.delivered(again.make_body(number), 0, 0);
  again.check_done(false);
  EXPECT_EQ(again.tally().lost, 1U);

  Oracle refused(kQueue);
  refused.acknowledged(refused.make(), 0);
  refused.delivered(refused.make_body(0), 0, 0);
  refused.ack_said(0);
  refused.ack_refused(0);
  EXPECT_EQ(refused.open(), 1U);
  refused.check_done(false);
  EXPECT_EQ(refused.tally().lost, 1U);
}

TEST(CrashOracle, TakesAnUnansweredSendEitherWay) {
  Oracle oracle(kQueue);
  const MessageNumber stored = oracle.make();
  oracle.make();
  oracle.delivered(oracle.make_body(stored), 0, 0);
  oracle.settled(stored);
  oracle.check_done(false);
  EXPECT_EQ(oracle.tally().violations(), 0U);
  EXPECT_EQ(oracle.tally().unknown, 2U);
}

TEST(CrashOracle, SeesOneSendAtTwoOffsets) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.delivered(oracle.make_body(number), 3, 0);
  oracle.acknowledged(number, 9);
  EXPECT_EQ(oracle.tally().doubled, 1U);
}

TEST(CrashOracle, SeesTwoSendsAtOneOffset) {
  Oracle oracle(kQueue);
  oracle.acknowledged(oracle.make(), 3);
  oracle.acknowledged(oracle.make(), 3);
  EXPECT_EQ(oracle.tally().overwritten, 1U);
}

TEST(CrashOracle, SeesAConfirmedAckComeBack) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.delivered(oracle.make_body(number), 0, 0);
  oracle.settled(number);
  oracle.delivered(oracle.make_body(number), 0, 0);
  EXPECT_EQ(oracle.tally().came_back, 1U);
}

TEST(CrashOracle, SeesAttemptsFallBehindWhatWasConfirmed) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.delivered(oracle.make_body(number), 0, 0);
  oracle.begun(number);
  oracle.begun_confirmed(number, 0);
  oracle.delivered(oracle.make_body(number), 0, 0);
  EXPECT_EQ(oracle.tally().attempts_fell, 1U);
}

TEST(CrashOracle, SeesAttemptsThatNobodyBegan) {
  Oracle oracle(kQueue);
  const MessageNumber number = oracle.make();
  oracle.delivered(oracle.make_body(number), 0, 0);
  oracle.delivered(oracle.make_body(number), 0, 1);
  EXPECT_EQ(oracle.tally().attempts_rose, 1U);
}

TEST(CrashOracle, SeesAChangedBody) {
  Oracle oracle(kQueue);
  std::string body = oracle.make_body(oracle.make());
  body.back() = body.back() == 'a' ? 'b' : 'a';
  EXPECT_EQ(oracle.delivered(body, 0, 0), std::nullopt);
  EXPECT_EQ(oracle.tally().damaged, 1U);
}

}  // namespace
}  // namespace weir::crash
