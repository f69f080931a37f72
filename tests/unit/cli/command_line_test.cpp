#include "broker/cli/cli.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::cli {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

// Nobody listens on port 1, so whatever connects is refused at once.
Outcome run_weir(Words words) {
  ::setenv("WEIR_URL", "weir://127.0.0.1:1", 1);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = run(words, {{"serve", [](const Words&) { return 77; }}});
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(CommandLine, HandsTheRestToWhoWorksOnADataDirectory) {
  Words got;
  const auto take = [&](const Words& words) {
    got = words;
    return 9;
  };
  const int status = run({"serve", "--data-dir", "x", "--help"}, {{"serve", take}});
  EXPECT_EQ(status, 9);
  EXPECT_EQ(got, (Words{"--data-dir", "x", "--help"}));
}

TEST(CommandLine, PrintsItsVersion) {
  const Outcome outcome = run_weir({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, testing::StartsWith("weir "));
}

TEST(CommandLine, TeachesEachCommandByAnExample) {
  for (const Words& words :
       {Words{}, Words{"health"}, Words{"backup"}, Words{"queue", "create"}, Words{"queue", "info"},
        Words{"queue", "send"}, Words{"queue", "receive"}, Words{"queue", "work"},
        Words{"queue", "ack"}, Words{"queue", "nack"}, Words{"queue", "extend"},
        Words{"topic", "create"}, Words{"topic", "publish"}, Words{"topic", "consume"},
        Words{"topic", "info"}}) {
    Words with_help = words;
    with_help.emplace_back("--help");
    const Outcome outcome = run_weir(with_help);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr("Example:"));
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(CommandLine, RefusesBadUsageInOneLine) {
  for (const Words& words : {Words{},
                             Words{"frob"},
                             Words{"backup"},
                             Words{"backup", "d", "-o", "xml"},
                             Words{"queue"},
                             Words{"queue", "frob"},
                             Words{"queue", "send"},
                             Words{"queue", "send", "a", "b"},
                             Words{"queue", "create", "q", "--lease-ms", "-1"},
                             Words{"queue", "create", "q", "--lease-ms", "x"},
                             Words{"queue", "work", "q"},
                             Words{"queue", "work", "q", "--concurrency", "0", "--", "cat"},
                             Words{"queue", "info", "q", "-o", "xml"},
                             Words{"queue", "extend", "h"},
                             Words{"queue", "receive", "q", "-f", "%z"},
                             Words{"queue", "send", "q", "--value", "x", "-H", "nothing"},
                             Words{"topic", "publish", "t", "--compression", "gzip"},
                             Words{"topic", "consume", "t", "--from", "yesterday"},
                             Words{"topic", "consume", "t", "--to", "start"},
                             Words{"topic", "consume", "t", "-n", "0"},
                             Words{"topic", "create", "t", "--partitions", "0"}}) {
    const Outcome outcome = run_weir(words);
    EXPECT_EQ(outcome.status, 2) << testing::PrintToString(words);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, testing::StartsWith("weir: "));
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  }
}

TEST(CommandLine, SaysThatNoBrokerIsThere) {
  for (const Words& words :
       {Words{"health"}, Words{"backup", "/tmp/weir-no-such-directory"},
        Words{"queue", "create", "q"}, Words{"queue", "info", "q"},
        Words{"queue", "send", "q", "--value", ""}, Words{"queue", "receive", "q"},
        Words{"queue", "work", "q", "--", "cat", "--foo"}, Words{"queue", "ack", "h"},
        Words{"queue", "nack", "h", "--delay-ms", "5"},
        Words{"queue", "extend", "h", "--lease-ms", "5"}, Words{"topic", "create", "t"},
        Words{"topic", "publish", "t", "--value", "-v", "--compression", "lz4"},
        Words{"topic", "consume", "t", "--to", "end"}, Words{"topic", "info", "t"}}) {
    const Outcome outcome = run_weir(words);
    EXPECT_EQ(outcome.status, 3) << testing::PrintToString(words) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, testing::StartsWith("weir: CONNECT_FAILED: "));
  }
}

TEST(CommandLine, TakesTheAddressInFrontAndBehind) {
  const Outcome in_front = run_weir({"--url", "nonsense", "queue", "info", "q"});
  EXPECT_EQ(in_front.status, 2);
  EXPECT_THAT(in_front.err, HasSubstr("INVALID_ARGUMENT"));
  const Outcome behind = run_weir({"queue", "info", "q", "--url", "nonsense"});
  EXPECT_EQ(behind.status, 2);
  EXPECT_THAT(behind.err, HasSubstr("INVALID_ARGUMENT"));
}

TEST(CommandLine, TakesAQueueThatIsNamedLikeACommand) {
  EXPECT_EQ(run_weir({"queue", "info", "health"}).status, 3);
  EXPECT_EQ(run_weir({"queue", "info", "info"}).status, 3);
}

}  // namespace
}  // namespace weir::cli
