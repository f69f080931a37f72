#include "client/core/settle_coalescer.hpp"
#include "client/core/settle_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace weir::sdk {
namespace {

using proto::GrantId;
using proto::SettleKind;
using proto::SettleRange;

SettleRange range(SettleKind kind, std::uint64_t grant, std::uint32_t first,
                  std::uint32_t count = 1, std::uint32_t value = 0) {
  SettleRange range;
  range.kind = kind;
  range.grant = GrantId(grant);
  range.nonce = 100 + grant;
  range.first_index = first;
  range.count = count;
  range.value = value;
  return range;
}

TEST(SettleCoalescer, JoinsNeighboursInOrder) {
  SettleCoalescer coalescer;
  for (std::uint32_t i = 5; i < 1'000; ++i) {
    coalescer.add(range(SettleKind::kAck, 1, i));
  }
  const SettleBatch batch = coalescer.take();
  EXPECT_THAT(batch.ranges, testing::ElementsAre(range(SettleKind::kAck, 1, 5, 995)));
  EXPECT_TRUE(coalescer.empty());
}

TEST(SettleCoalescer, JoinsNeighboursInAnyOrder) {
  SettleCoalescer coalescer;
  for (const std::uint32_t i : {7U, 3U, 5U, 4U, 6U, 1U}) {
    coalescer.add(range(SettleKind::kAck, 1, i));
    coalescer.add(range(SettleKind::kAck, 2, i));
  }
  EXPECT_THAT(
      coalescer.take().ranges,
      testing::ElementsAre(range(SettleKind::kAck, 1, 1), range(SettleKind::kAck, 1, 3, 5),
                           range(SettleKind::kAck, 2, 1), range(SettleKind::kAck, 2, 3, 5)));
}

TEST(SettleCoalescer, KeepsKindsAndValuesApart) {
  SettleCoalescer coalescer;
  coalescer.add(range(SettleKind::kNack, 1, 0, 1, 10));
  coalescer.add(range(SettleKind::kNack, 1, 1, 1, 20));
  coalescer.add(range(SettleKind::kAck, 1, 2));
  EXPECT_EQ(coalescer.take().ranges.size(), 3U);
}

TEST(SettleCoalescer, JoinsWhatHasOneReason) {
  SettleCoalescer coalescer;
  coalescer.add(range(SettleKind::kNack, 1, 0), "away");
  coalescer.add(range(SettleKind::kNack, 1, 2), "away");
  coalescer.add(range(SettleKind::kNack, 1, 1), "away");
  coalescer.add(range(SettleKind::kNack, 1, 3), "broken");
  coalescer.add(range(SettleKind::kNack, 1, 4));
  const SettleBatch batch = coalescer.take();
  ASSERT_EQ(batch.ranges.size(), 3U);
  EXPECT_EQ(batch.ranges[0].count, 1U);
  EXPECT_EQ(batch.ranges[0].reason, 0U);
  EXPECT_EQ(batch.ranges[1].count, 3U);
  EXPECT_EQ(batch.reasons.at(batch.ranges[1].reason - 1), "away");
  EXPECT_EQ(batch.reasons.at(batch.ranges[2].reason - 1), "broken");
}

TEST(SettleLedger, DropsReasonsThatTheBrokerWouldNotBear) {
  SettleLedger ledger;
  const std::string long_reason(proto::kMaxReasonBytes, 'x');
  std::size_t kept = 0;
  for (int i = 0; i < 10'000; ++i) {
    SettleBatch batch;
    batch.ranges.push_back(range(SettleKind::kNack, 1, 0));
    batch.ranges.back().reason = 1;
    batch.reasons.push_back(long_reason);
    ledger.add(1, std::move(batch));
    kept += ledger.newest().ranges.front().reason != 0 ? 1 : 0;
  }
  EXPECT_EQ(kept, 4U * 1024);
  ASSERT_TRUE(ledger.on_settled({10'000, {}}));
  SettleBatch batch;
  batch.ranges.push_back(range(SettleKind::kNack, 1, 0));
  batch.ranges.back().reason = 1;
  batch.reasons.push_back(long_reason);
  ledger.add(1, std::move(batch));
  EXPECT_EQ(ledger.newest().ranges.front().reason, 1U) << "there is room again";
}

// The broker names a refused message, not the range: an extension that comes too late must not pass
// for the refusal of the ack beside it.
TEST(SettleCoalescer, ExtendsNothingThatIsSettledInTheSameBreath) {
  SettleCoalescer coalescer;
  coalescer.add(range(SettleKind::kExtend, 1, 2, 6, 500));
  coalescer.add(range(SettleKind::kExtend, 2, 4, 1, 500));
  coalescer.add(range(SettleKind::kAck, 1, 4));
  coalescer.add(range(SettleKind::kNack, 1, 7, 1, 20));
  coalescer.add(range(SettleKind::kRelease, 1, 1, 2));
  EXPECT_THAT(
      coalescer.take().ranges,
      testing::ElementsAre(
          range(SettleKind::kExtend, 1, 3, 1, 500), range(SettleKind::kExtend, 1, 5, 2, 500),
          range(SettleKind::kExtend, 2, 4, 1, 500), range(SettleKind::kAck, 1, 4),
          range(SettleKind::kNack, 1, 7, 1, 20), range(SettleKind::kRelease, 1, 1, 2)));
  coalescer.add(range(SettleKind::kExtend, 1, 0, 1, 500));
  coalescer.add(range(SettleKind::kAck, 1, 0));
  EXPECT_THAT(coalescer.take().ranges, testing::ElementsAre(range(SettleKind::kAck, 1, 0)));
}

TEST(SettleCoalescer, KeepsTheOrderOfWhatIsSaidAboutOneMessage) {
  SettleCoalescer coalescer;
  coalescer.add(range(SettleKind::kAck, 1, 0));
  coalescer.add(range(SettleKind::kStarted, 1, 1));
  coalescer.add(range(SettleKind::kAck, 1, 1));
  coalescer.add(range(SettleKind::kExtend, 1, 3, 1, 500));
  coalescer.add(range(SettleKind::kAck, 1, 2));
  EXPECT_THAT(
      coalescer.take().ranges,
      testing::ElementsAre(range(SettleKind::kAck, 1, 0), range(SettleKind::kStarted, 1, 1),
                           range(SettleKind::kAck, 1, 1), range(SettleKind::kExtend, 1, 3, 1, 500),
                           range(SettleKind::kAck, 1, 2)));
}

SettleBatch batch_of(const SettleRange& one) {
  SettleBatch batch;
  batch.ranges.push_back(one);
  return batch;
}

TEST(SettleLedger, ConfirmsCumulatively) {
  SettleLedger ledger;
  EXPECT_EQ(ledger.add(1, batch_of(range(SettleKind::kAck, 1, 0))), 1U);
  EXPECT_EQ(ledger.add(2, batch_of(range(SettleKind::kAck, 2, 0))), 2U);
  EXPECT_EQ(ledger.add(1, batch_of(range(SettleKind::kAck, 1, 1))), 3U);
  proto::Settled settled;
  settled.up_to = 2;
  const auto done = ledger.on_settled(settled).value();
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0].channel, 1U);
  EXPECT_EQ(done[1].channel, 2U);
  EXPECT_FALSE(ledger.empty());
  settled.up_to = 3;
  EXPECT_EQ(ledger.on_settled(settled)->size(), 1U);
  EXPECT_TRUE(ledger.empty());
}

TEST(SettleLedger, KeepsAFailureUntilItsFrameIsDone) {
  SettleLedger ledger;
  ledger.add(1, batch_of(range(SettleKind::kAck, 1, 0)));
  ledger.add(1, batch_of(range(SettleKind::kAck, 1, 1)));
  proto::Settled settled;
  settled.up_to = 0;
  proto::SettleFailure failure;
  failure.settle_number = 2;
  settled.failed.push_back(failure);
  EXPECT_TRUE(ledger.on_settled(settled)->empty());
  settled.failed.clear();
  settled.up_to = 2;
  const auto done = ledger.on_settled(settled).value();
  ASSERT_EQ(done.size(), 2U);
  EXPECT_TRUE(done[0].failures.empty());
  EXPECT_EQ(done[1].failures.size(), 1U);
}

TEST(SettleLedger, RefusesAnswersToWhatWasNotSaid) {
  SettleLedger ledger;
  proto::Settled settled;
  settled.up_to = 1;
  EXPECT_EQ(ledger.on_settled(settled).error().code, proto::Errc::kMalformed);
  ledger.add(1, batch_of(range(SettleKind::kAck, 1, 0)));
  settled.up_to = 0;
  proto::SettleFailure failure;
  failure.settle_number = 2;
  settled.failed = {failure};
  EXPECT_EQ(ledger.on_settled(settled).error().code, proto::Errc::kMalformed);
  // One message can fail once, however often the broker says so.
  failure.settle_number = 1;
  settled.failed = {failure};
  EXPECT_TRUE(ledger.on_settled(settled)->empty());
  EXPECT_EQ(ledger.on_settled(settled).error().code, proto::Errc::kMalformed);
}

TEST(SettleLedger, GivesBackWhatWasNotDurableAndNumbersAnew) {
  SettleLedger ledger;
  for (std::uint32_t i = 0; i < 3; ++i) {
    ledger.add(i % 2, batch_of(range(SettleKind::kAck, 1, i)));
  }
  proto::Settled settled;
  settled.up_to = 1;
  static_cast<void>(ledger.on_settled(settled));
  auto open = ledger.take_open();
  ASSERT_EQ(open.size(), 2U);
  EXPECT_EQ(open[1][0].ranges[0].first_index, 1U);
  EXPECT_EQ(open[0][0].ranges[0].first_index, 2U);
  EXPECT_EQ(ledger.add(1, batch_of(range(SettleKind::kAck, 1, 9))), 1U);
}

TEST(SettleLedger, TellsEachWaiterItsOwnOutcome) {
  SettleBatch batch = batch_of(range(SettleKind::kAck, 1, 3, 3));
  std::vector<ErrorCode> outcomes(3, ErrorCode::kInternal);
  for (std::uint32_t i = 0; i < 3; ++i) {
    batch.waiters.emplace_back(GrantId(1), 3 + i, [&outcomes, i](const Result<>& result) {
      outcomes[i] = result ? ErrorCode{} : result.error().code;
    });
  }
  proto::SettleFailure failure;
  failure.grant = GrantId(1);
  failure.first_index = 4;
  failure.count = 1;
  failure.code = static_cast<std::uint16_t>(ErrorCode::kReceiptExpired);
  answer_waiters(batch, {failure});
  EXPECT_THAT(outcomes, testing::ElementsAre(ErrorCode{}, ErrorCode::kReceiptExpired, ErrorCode{}));
}

}  // namespace
}  // namespace weir::sdk
