#include "tests/integration/command_line_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <sstream>
#include <string>

// The way back of messages that nobody could handle, by the command line.
namespace weir::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Redrive : public CommandLineTest {
 protected:
  /// Everything that the queue has ready fails.
  void fail_all(const std::string& queue) const {
    const std::string binary = std::string(WEIR_TEST_BINARY) + " --url " + url() + " queue ";
    const Output failed =
        run_command(binary + "receive " + queue + " --max 1000 --lease-ms 60000 -f '%R\\n' | " +
                    binary + "nack - 2>&1");
    EXPECT_EQ(failed.status, 0) << failed.text;
  }
  [[nodiscard]] std::string fields(const std::string& queue, const std::string& names) const {
    return done("queue info " + queue + " -o 'template=" + names + "'");
  }
  /// Asks until it says so; false when that takes too long.
  [[nodiscard]] bool comes_to(const std::string& command,
                              const testing::Matcher<std::string>& wanted) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      if (wanted.Matches(done(command))) {
        return true;
      }
    }
    return false;
  }
};

TEST_F(Redrive, BringsAThousandMessagesBackThroughACrash) {
  done("queue create failed");
  done("queue create mail --max-receive-count 1 --dead-letter-queue failed");
  send("mail", 1000);
  fail_all("mail");
  ASSERT_TRUE(comes_to("queue info failed -o 'template={ready}'", "1000"));
  EXPECT_EQ(done("dlq redrive failed --dry-run"), "would move 1000 messages of queue failed\n");
  EXPECT_THAT(done("dlq redrive failed --rate 10"), StartsWith("began with queue failed"));
  const Output twice = weir("dlq redrive failed");
  EXPECT_EQ(twice.status, 1);
  EXPECT_THAT(twice.text, HasSubstr("a redrive of queue 'failed' is running"));
  ASSERT_TRUE(comes_to("dlq redrives -o 'template={moved}'", testing::Ne("0")));
  restart();
  EXPECT_EQ(done("dlq redrives -o 'template={state}'"), "running") << "a minute and more of work";
  done("dlq cancel failed");
  const std::string left = fields("failed", "{ready}");
  done("dlq redrive failed");
  restart();
  ASSERT_TRUE(
      comes_to("dlq redrives -o 'template={state} {moved} {skipped}'", "done " + left + " 0"));
  EXPECT_EQ(fields("failed", "{ready} {bytes}"), "0 0");
  EXPECT_EQ(fields("mail", "{ready}"), "1000");
  std::istringstream lines(done("queue receive mail --max 1000 --ack"));
  std::set<std::string> seen;
  int received = 0;
  for (std::string line; std::getline(lines, line); ++received) {
    seen.insert(line);
  }
  EXPECT_EQ(received, 1000);
  EXPECT_EQ(seen.size(), 1000U) << "each of them once";
}

TEST_F(Redrive, CanBeNarrowedAndCancelled) {
  done("queue create failed");
  done("queue create mail --max-receive-count 1 --dead-letter-queue failed");
  done("queue create other");
  send("mail", 10);
  fail_all("mail");
  ASSERT_TRUE(comes_to("queue info failed -o 'template={ready}'", "10"));
  EXPECT_THAT(done("dlq ls"), HasSubstr("failed        10"));
  EXPECT_THAT(done("dlq ls -o json"), HasSubstr(R"("of": ["mail"])"));
  EXPECT_EQ(done("dlq redrive failed --to other --max 3 --wait"),
            "moved 3 messages of queue failed\n");
  EXPECT_EQ(fields("other", "{ready}"), "3");
  EXPECT_EQ(done("dlq redrive failed --reason poison --wait"),
            "moved 0 messages of queue failed\n");
  EXPECT_EQ(done("dlq redrive failed --died-after -1h --dry-run"),
            "would move 7 messages of queue failed\n");
  EXPECT_EQ(done("dlq redrive failed --died-before @-1h --dry-run"),
            "would move 0 messages of queue failed\n");
  done("dlq redrive failed --rate 1");
  EXPECT_THAT(done("dlq cancel failed"), StartsWith("cancelled (an operator has cancelled it)"));
  EXPECT_THAT(done("dlq redrives"), HasSubstr("cancelled"));
  EXPECT_EQ(weir("dlq cancel mail").status, 2);
  EXPECT_EQ(weir("dlq redrive nowhere").status, 4);
  EXPECT_EQ(weir("dlq redrive failed --header x").status, 2);
  EXPECT_EQ(weir("dlq redrive failed --died-after yesterday").status, 2);
  EXPECT_THAT(weir("dlq redrive failed --to failed").text, HasSubstr("to itself"));
}

TEST_F(Redrive, MakesParkedMessagesReady) {
  done("queue create mail --max-receive-count 1");
  send("mail", 20);
  fail_all("mail");
  EXPECT_EQ(fields("mail", "{ready} {parked}"), "0 20");
  EXPECT_EQ(done("queue unpark mail --dry-run"), "would make ready 20 messages of queue mail\n");
  EXPECT_EQ(done("queue unpark mail --max 5 --wait"), "made ready 5 messages of queue mail\n");
  restart();
  EXPECT_EQ(fields("mail", "{ready} {parked}"), "5 15");
  EXPECT_EQ(done("queue unpark mail --wait"), "made ready 15 messages of queue mail\n");
  fail_all("mail");
  EXPECT_EQ(fields("mail", "{ready} {parked}"), "0 20") << "one more attempt each";
}

/// A message is looked for wherever it goes: sent, put off, in somebody's hands, dead, back, gone.
TEST_F(Redrive, TellsWhereAMessageIs) {
  done("queue create failed");
  done("queue create mail --max-receive-count 1 --dead-letter-queue failed");
  send("mail", 3);
  const std::string id = done("queue peek mail -n 1 -f %i");
  const std::string where = "message where " + id;
  EXPECT_THAT(done(where), HasSubstr("queue     mail\noffset    0\nstate     ready\n"));
  const std::string handle = done("queue receive mail --max 1 --lease-ms 60000 -f %R");
  EXPECT_THAT(done(where), HasSubstr("state     in_flight by weir-cli 127.0.0.1:"));
  EXPECT_THAT(done(where), HasSubstr("handed out by weir-cli 127.0.0.1:"));
  EXPECT_EQ(done(where + " -o 'template={state} {attempts}'"), "in_flight 1");
  done("queue nack " + handle);
  fail_all("mail");
  ASSERT_TRUE(comes_to("queue info failed -o 'template={ready}'", "3"));
  EXPECT_THAT(done(where), HasSubstr("queue     failed\n"));
  EXPECT_THAT(done(where), HasSubstr("died in mail of max_receive_count, attempts 1, failures 1"));
  EXPECT_THAT(done("dlq show failed " + id), HasSubstr("weir.dead-from      mail\n"));
  EXPECT_EQ(done("dlq redrive failed --wait --keep-attempts --set-header again=yes --id " + id),
            "moved 1 message of queue failed\n");
  restart();
  EXPECT_THAT(done(where), HasSubstr("queue     mail\n"));
  EXPECT_THAT(done("queue peek mail -f '%h\\n'"), HasSubstr("again=yes"));
  EXPECT_EQ(done("queue peek mail --header again=yes -f %i"), id);
  EXPECT_EQ(done("queue peek mail --header again=no -f %i"), "");
  EXPECT_EQ(weir("dlq show failed " + id).status, 4);
  done("queue receive mail --max 1 --ack");
  const Output gone = weir(where);
  EXPECT_EQ(gone.status, 4);
  EXPECT_THAT(gone.text, HasSubstr("is gone: acked, expired"));
  EXPECT_EQ(weir("message where 00000001-0000-0000-0001-000000999999").status, 4);
  EXPECT_THAT(weir("message where 00000001-0000-0000-0002-000000999999").text,
              HasSubstr("has not given that id"));
  EXPECT_EQ(weir("message where 1").status, 2);
  done("queue send mail --value later --delay-ms 600000");
  const std::string later = done("delayed ls mail -o 'template={id}'");
  EXPECT_THAT(done("message where " + later), HasSubstr("state     delayed, due in "));
}

TEST_F(Redrive, DropsDeadLettersWhenItIsSure) {
  done("queue create failed");
  done("queue create mail --max-receive-count 1 --dead-letter-queue failed");
  send("mail", 5);
  fail_all("mail");
  ASSERT_TRUE(comes_to("queue info failed -o 'template={ready}'", "5"));
  EXPECT_EQ(weir("dlq drop failed").status, 2) << "nobody can be asked";
  EXPECT_EQ(weir("dlq drop failed --yes --id ''").status, 2) << "an empty variable is not all";
  EXPECT_EQ(done("dlq drop failed --dry-run"), "dry run: queue failed loses 5 messages for good\n");
  EXPECT_EQ(done("dlq drop failed --reason poison --yes"), "dropped 0 messages of queue failed\n");
  const std::string id = done("dlq peek failed -n 1 -f %i");
  EXPECT_EQ(done("dlq drop failed --yes --id " + id), "dropped 1 message of queue failed\n");
  restart();
  EXPECT_EQ(fields("failed", "{ready}"), "4");
  EXPECT_EQ(done("dlq peek failed --id " + id + " -f %i"), "");
  EXPECT_EQ(done("dlq drop failed --yes"), "dropped 4 messages of queue failed\n");
  EXPECT_EQ(fields("failed", "{ready} {bytes}"), "0 0");
  EXPECT_THAT(done("dlq redrives"), HasSubstr("(drop)"));
}

}  // namespace
}  // namespace weir::integration
