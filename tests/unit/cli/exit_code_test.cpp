#include "broker/cli/exit_code.hpp"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(ExitCode, TellsTheKindsOfFailureApart) {
  EXPECT_EQ(exit_code_for(ErrorCode::kAlreadyExists), ExitCode::kRefused);
  EXPECT_EQ(exit_code_for(ErrorCode::kMessageTooLarge), ExitCode::kRefused);
  EXPECT_EQ(exit_code_for(ErrorCode::kReceiptExpired), ExitCode::kRefused);
  EXPECT_EQ(exit_code_for(ErrorCode::kInvalidArgument), ExitCode::kBadUsage);
  EXPECT_EQ(exit_code_for(ErrorCode::kInvalidName), ExitCode::kBadUsage);
  EXPECT_EQ(exit_code_for(ErrorCode::kConnectFailed), ExitCode::kNotReachable);
  EXPECT_EQ(exit_code_for(ErrorCode::kQueueNotFound), ExitCode::kNotFound);
  EXPECT_EQ(exit_code_for(ErrorCode::kTopicNotFound), ExitCode::kNotFound);
  EXPECT_EQ(exit_code_for(ErrorCode::kUnknownOutcome), ExitCode::kUnknownOutcome);
  EXPECT_EQ(exit_code_for(ErrorCode::kDeadlineExceeded), ExitCode::kUnknownOutcome);
}

TEST(ExitCode, HasTheNumbersThatScriptsKnow) {
  EXPECT_EQ(static_cast<int>(ExitCode::kDone), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::kRefused), 1);
  EXPECT_EQ(static_cast<int>(ExitCode::kBadUsage), 2);
  EXPECT_EQ(static_cast<int>(ExitCode::kNotReachable), 3);
  EXPECT_EQ(static_cast<int>(ExitCode::kNotFound), 4);
  EXPECT_EQ(static_cast<int>(ExitCode::kUnknownOutcome), 5);
}

TEST(ErrorLine, NamesTheCodeTheCaseAndTheWayOut) {
  EXPECT_EQ(error_line(Error(ErrorCode::kQueueNotFound, "there is no queue 'mail'"), "mail"),
            "weir: QUEUE_NOT_FOUND: there is no queue 'mail' (create it with: weir queue create "
            "mail)");
}

TEST(ErrorLine, StaysOneLine) {
  EXPECT_EQ(error_line(Error(ErrorCode::kInternal, "a\r\nb"), ""), "weir: INTERNAL: a  b");
}

}  // namespace
}  // namespace weir::cli
