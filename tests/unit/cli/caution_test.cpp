#include "broker/cli/caution.hpp"

#include "tests/unit/cli/pipe.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <string_view>

namespace weir::cli {
namespace {

struct CautionTest : testing::Test {
  std::optional<ExitCode> answered(std::string_view answer) {
    in.put(answer);
    in.close_write();
    return hold_back({}, "queue mail loses its 5 messages", "{}\n",
                     {.may_ask = true, .in = in.read_end(), .out = out.write_end()});
  }
  Pipe in;
  Pipe out;
};

TEST_F(CautionTest, AsksAndGoesOnWithAYes) {
  EXPECT_EQ(answered("y\n"), std::nullopt);
  EXPECT_EQ(out.drain(), "queue mail loses its 5 messages. Go on? [y/N] ");
}

TEST_F(CautionTest, TakesTheWholeWordToo) {
  EXPECT_EQ(answered("YES\n"), std::nullopt);
}

TEST_F(CautionTest, TakesAnythingElseForANo) {
  EXPECT_EQ(answered("yesterday\n"), ExitCode::kRefused);
}

TEST_F(CautionTest, TakesSilenceForANo) {
  EXPECT_EQ(answered("\n"), ExitCode::kRefused);
}

TEST_F(CautionTest, TakesTheEndOfTheInputForANo) {
  EXPECT_EQ(answered(""), ExitCode::kRefused);
}

TEST_F(CautionTest, TakesANoWhereTheQuestionCannotBeShown) {
  out.close_read();
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(answered("y\n"), ExitCode::kRefused);
}

TEST(Caution, WantsYesWhereNobodyCanBeAsked) {
  EXPECT_EQ(hold_back({}, "it goes", "{}\n", {.may_ask = false}), ExitCode::kBadUsage);
  EXPECT_EQ(
      hold_back({.yes = true, .dry_run = false, .form = {}}, "it goes", "{}\n", {.may_ask = false}),
      std::nullopt);
}

TEST(Caution, DoesNothingInADryRunEvenWithYes) {
  EXPECT_EQ(
      hold_back({.yes = true, .dry_run = true, .form = {}}, "it goes", "{}\n", {.may_ask = true}),
      ExitCode::kDone);
}

TEST(Caution, SaysWhatADryRunWouldDoInTheFormThatIsAskedFor) {
  const auto dry_run = [](const std::string& form) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(hold_back({.yes = false, .dry_run = true, .form = {.kind = form}}, "it goes",
                        "{\"dry_run\": true}\n", {.may_ask = false}),
              ExitCode::kDone);
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(dry_run("table"), "dry run: it goes\n");
  EXPECT_EQ(dry_run("json"), "{\"dry_run\": true}\n");
  EXPECT_EQ(dry_run("template={dry_run}"), "true");
}

}  // namespace
}  // namespace weir::cli
