#include "broker/cli/send_tally.hpp"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(SendTally, SaysNothingOfAFailureWithoutOne) {
  SendTally tally;
  tally.on_result(1, SendReceipt());
  EXPECT_FALSE(tally.failed());
  EXPECT_EQ(tally.failure_line("mail"), "");
}

TEST(SendTally, CountsWhatWasStoredUnknownAndRefused) {
  SendTally tally;
  tally.on_result(1, SendReceipt());
  tally.on_result(2, Error(ErrorCode::kMessageTooLarge, "too large"));
  tally.on_result(3, Error(ErrorCode::kUnknownOutcome, "?"));
  tally.on_failure(4, Error(ErrorCode::kDeadlineExceeded, "late"));
  EXPECT_TRUE(tally.failed());
  EXPECT_EQ(tally.failure_line("mail"),
            "weir: MESSAGE_TOO_LARGE: too large; message 2 was the first to fail; stored 1, "
            "unknown 1, refused 2");
}

TEST(SendTally, LetsAnUnknownOutcomeDecideTheExitCode) {
  SendTally tally;
  tally.on_result(1, Error(ErrorCode::kMessageTooLarge, "too large"));
  EXPECT_EQ(tally.conclude("sent", "mail"), ExitCode::kRefused);
  tally.on_result(2, Error(ErrorCode::kUnknownOutcome, "?"));
  EXPECT_EQ(tally.conclude("sent", "mail"), ExitCode::kUnknownOutcome);
}

}  // namespace
}  // namespace weir::cli
