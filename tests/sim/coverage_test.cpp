#include "tests/sim/coverage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace weir::sim {
namespace {

using proto::Errc;

bool contains(const std::vector<std::string>& list, const std::string& part) {
  return std::any_of(list.begin(), list.end(), [&part](const std::string& entry) {
    return entry.find(part) != std::string::npos;
  });
}

TEST(Coverage, ACellIsBlindUntilItIsReached) {
  Coverage coverage;
  EXPECT_TRUE(contains(coverage.blind(), "nack|done|crash"));
  EXPECT_TRUE(contains(coverage.blind(), "nack|done|stall"));
  coverage.record(Op::kNack, kDone, bit(Fault::kCrash));
  EXPECT_FALSE(contains(coverage.blind(), "nack|done|crash"));
  EXPECT_TRUE(contains(coverage.blind(), "nack|done|stall"));
  EXPECT_TRUE(coverage.contradictions().empty());
}

TEST(Coverage, CountsForEachFaultThatWasInForce) {
  Coverage coverage;
  coverage.record(Op::kSend, kUnknown, bit(Fault::kCrash) | bit(Fault::kSlowSync), 3);
  std::ostringstream out;
  coverage.save(out);
  EXPECT_EQ(out.str(), "3 send|unknown|crash\n3 send|unknown|slow sync\n");
}

TEST(Coverage, WhatCannotBeIsNeverBlindAndAnErrorWhenItIsReached) {
  Coverage coverage;
  EXPECT_FALSE(contains(coverage.blind(), "ack|DISK_FULL"));
  coverage.record(Op::kAck, refused(Errc::kDiskFull), bit(Fault::kRefusal));
  EXPECT_EQ(coverage.contradictions(),
            std::vector<std::string>{"ack|DISK_FULL|refusal (only sends need room)"});
}

TEST(Coverage, AnOutcomeThatNobodyPlannedIsAnError) {
  Coverage coverage;
  coverage.record(Op::kAck, refused(Errc::kInternal), bit(Fault::kNone));
  EXPECT_EQ(coverage.contradictions(), std::vector<std::string>{"ack|INTERNAL"});
}

TEST(Coverage, IsReadBackAsItWasSaved) {
  Coverage coverage;
  coverage.record(Op::kSend, kDone, bit(Fault::kNone), 5);
  coverage.record(Op::kHandleOld, refused(Errc::kReceiptExpired), bit(Fault::kReplicaRestart), 7);
  std::ostringstream out;
  coverage.save(out);
  Coverage again;
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(again.load(line)) << line;
  }
  std::ostringstream second;
  again.save(second);
  EXPECT_EQ(second.str(), out.str());
  EXPECT_FALSE(again.load("3 no such operation|done|none"));
  EXPECT_FALSE(again.load("send|done|none"));
  EXPECT_FALSE(again.load(""));
}

TEST(Coverage, ThePrintedTableNamesEachReasonWithItsCells) {
  Coverage coverage;
  std::ostringstream out;
  coverage.print(out);
  EXPECT_NE(out.str().find("only sends need room"), std::string::npos);
  EXPECT_EQ(out.str().find(" 0 cells: "), std::string::npos) << "a reason that is never needed";
}

TEST(FaultCalendar, AFaultIsInForceFromItsBeginningToAWhileAfterItsEnd) {
  FaultCalendar calendar;
  EXPECT_EQ(calendar.since(0), bit(Fault::kNone));
  calendar.last(Fault::kCrash, 1'000'000);
  calendar.begin(Fault::kStop);
  EXPECT_EQ(calendar.since(1'000'000 + FaultCalendar::kAftermathUs),
            bit(Fault::kCrash) | bit(Fault::kStop));
  EXPECT_EQ(calendar.since(1'000'001 + FaultCalendar::kAftermathUs), bit(Fault::kStop));
  calendar.end(Fault::kStop, 2'000'000);
  EXPECT_EQ(calendar.since(2'000'001 + FaultCalendar::kAftermathUs), bit(Fault::kNone));
}

}  // namespace
}  // namespace weir::sim
