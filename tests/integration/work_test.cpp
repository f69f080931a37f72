#include "tests/integration/command_line_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

// `weir queue work`, and what it leaves behind when it fails.
namespace weir::integration {
namespace {

using testing::HasSubstr;
using Work = CommandLineTest;

TEST_F(Work, EndsByItselfWhenCommandsFailInARow) {
  done("queue create mail --max-receive-count 10");
  send("mail", 50);
  const Output failed = weir("queue work mail -- sh -c 'exit 127'");
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.text, HasSubstr("acked 0, nacked 20\n"));
  EXPECT_THAT(failed.text, HasSubstr("20 commands in a row failed, the last with exit status 127"));
  EXPECT_EQ(done("queue info mail -o 'template={parked} {in_flight}'"), "0 0");
}

TEST_F(Work, GoesOnWhereOneOfThemSucceeds) {
  done("queue create mail --max-receive-count 1");
  send("mail", 50);
  const std::string worked = done(
      "queue work mail --exit-when-empty --max-failures-in-a-row 3 -- "
      "sh -c 'read n; test $((n % 3)) = 0'");
  EXPECT_THAT(worked, HasSubstr("acked 16, nacked 34\n"));
  send("mail", 7);
  EXPECT_THAT(done("queue work mail --exit-when-empty --max-failures-in-a-row 0 -- false"),
              HasSubstr("acked 0, nacked 7\n"));
}

TEST_F(Work, WaitsTheLongerTheMoreAttemptsAMessageHasBehindIt) {
  done("queue create mail");
  send("mail", 1);
  const auto began = std::chrono::steady_clock::now();
  const Output failed = weir("queue work mail --max-failures-in-a-row 4 -- false");
  // Half of 1, 2 and 4 s at least.
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(3'500));
  EXPECT_EQ(failed.status, 1) << failed.text;
}

TEST_F(Work, LeavesDeadLettersThatSayWhy) {
  done("queue create mail-failed");
  done("queue create mail --max-receive-count 2 --dead-letter-queue mail-failed");
  done("queue send mail --value hello -H \"$(printf 'a,b=\\033[2J')\"");
  done("queue work mail --exit-when-empty --nack-delay-ms 0 -- false");
  EXPECT_THAT(done("queue peek mail-failed"),
              testing::ContainsRegex("ready +0 +0 +- +[0-9]+s +mail +2 +max_receive_count +"
                                     "exit status 1 +5 +hello\n"));
  EXPECT_THAT(done("queue peek mail-failed -f '%h\\n'"), HasSubstr(R"("a,b"="\x1b[2J",)"));
  EXPECT_THAT(done("queue peek mail-failed -f '%h\\n'"), HasSubstr("weir.dead-from=mail"));
}

// As broker/RUNBOOK.md tells it.
TEST_F(Work, ParksWhatCanBeSentAgain) {
  done("queue create mail --max-receive-count 1");
  send("mail", 3);
  done("queue work mail --exit-when-empty -- false");
  EXPECT_THAT(done("queue info mail"), HasSubstr("3 messages parked: nobody is given them"));
  const std::string command = std::string(WEIR_TEST_BINARY) + " --url " + url();
  const Output sent = run_command(command + " queue peek mail --from parked -n 1000 -f '%v\\n' | " +
                                  command + " queue send mail");
  EXPECT_EQ(sent.status, 0) << sent.text;
  EXPECT_EQ(done("queue info mail -o 'template={ready} {parked}'"), "3 3");
  EXPECT_EQ(done("queue receive mail --max 9 --ack"), "1\n2\n3\n");
}

}  // namespace
}  // namespace weir::integration
