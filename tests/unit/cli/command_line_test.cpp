#include "broker/cli/cli.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
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
  outcome.status =
      run(words,
          {{"serve",
            {[](const Words&) { return 77; }, [] { return Words{"--data-dir", "--drain-ms"}; }}}});
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
  const OwnCommands commands = {{"serve", {take}}, {"config check", {take}}};
  EXPECT_EQ(run({"serve", "--data-dir", "x", "--help"}, commands), 9);
  EXPECT_EQ(got, (Words{"--data-dir", "x", "--help"}));
  EXPECT_EQ(run({"config", "check", "--help"}, commands), 9);
  EXPECT_EQ(got, Words{"--help"});
}

TEST(CommandLine, PrintsItsVersion) {
  const Outcome outcome = run_weir({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, testing::StartsWith("weir "));
}

TEST(CommandLine, TeachesEachCommandByAnExample) {
  for (const Words& words : {Words{},
                             Words{"health"},
                             Words{"backup"},
                             Words{"queue", "create"},
                             Words{"queue", "info"},
                             Words{"queue", "send"},
                             Words{"queue", "receive"},
                             Words{"queue", "work"},
                             Words{"queue", "ack"},
                             Words{"queue", "nack"},
                             Words{"queue", "release"},
                             Words{"queue", "extend"},
                             Words{"topic", "create"},
                             Words{"topic", "publish"},
                             Words{"topic", "consume"},
                             Words{"topic", "info"},
                             Words{"bench"},
                             Words{"context", "add"},
                             Words{"context", "use"},
                             Words{"context", "rm"},
                             Words{"context", "ls"},
                             Words{"context", "show"}}) {
    Words with_help = words;
    with_help.emplace_back("--help");
    const Outcome outcome = run_weir(with_help);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr("Example:"));
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(CommandLine, TeachesEachGroupByAnExampleOfItsOwn) {
  for (const std::string group : {"queue", "topic", "namespace", "client", "config", "context"}) {
    const std::string help = run_weir({group, "--help"}).out;
    EXPECT_THAT(help.substr(help.find("Example:")), HasSubstr("weir " + group + " "));
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
                             Words{"queue", "create", "q", "--max-messages", "-1"},
                             Words{"queue", "create", "q", "--max-message-bytes", "0"},
                             Words{"queue", "update", "q", "--max-in-flight", "120001"},
                             Words{"queue", "update", "q", "--max-messages", "1000000000001"},
                             Words{"queue", "work", "q"},
                             Words{"queue", "work", "q", "--concurrency", "0", "--", "cat"},
                             Words{"queue", "info", "q", "-o", "xml"},
                             Words{"queue", "ack"},
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
    EXPECT_THAT(outcome.err, testing::ContainsRegex("^weir( [a-z]+)*: "));
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  }
}

TEST(CommandLine, SaysWhatAWordThatItDoesNotKnowMayHaveBeen) {
  const auto said = [](const Words& words) {
    const Outcome outcome = run_weir(words);
    EXPECT_EQ(outcome.status, 2);
    return outcome.err;
  };
  EXPECT_EQ(said({"queue", "list"}),
            "weir queue: there is no verb 'list'; did you mean 'ls'? (see: weir queue --help)\n");
  EXPECT_THAT(said({"queue", "describe", "q"}), HasSubstr("did you mean 'info'?"));
  EXPECT_THAT(said({"--timeout-ms", "7", "queues", "ls"}),
              testing::StartsWith("weir: there is no command 'queues'; did you mean 'queue'?"));
  EXPECT_THAT(said({"client", "frob"}), HasSubstr("there is no verb 'frob'; there are: ls, kick"));
  EXPECT_THAT(said({"client"}), HasSubstr("weir client: a verb is missing; there are: ls, kick"));
  EXPECT_THAT(
      said({"queue", "info", "q", "--wach"}),
      testing::StartsWith("weir queue info: there is no option '--wach'; did you mean '--watch'?"));
}

TEST(CommandLine, SaysThatNoBrokerIsThere) {
  for (const Words& words :
       {Words{"health"}, Words{"backup", "/tmp/weir-no-such-directory"},
        Words{"queue", "create", "q"}, Words{"queue", "info", "q"},
        Words{"queue", "send", "q", "--value", ""}, Words{"queue", "receive", "q"},
        Words{"queue", "work", "q", "--", "cat", "--foo"}, Words{"queue", "ack", "h"},
        Words{"queue", "ack", "h", "-", "i"}, Words{"queue", "release", "h", "i"},
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

TEST(CommandLine, SaysWhoHasTheBenchmarksWhereTheyAreNot) {
  const char* const path = std::getenv("PATH");
  const std::string before = path == nullptr ? "" : path;
  ::setenv("PATH", "/nowhere", 1);
  const Outcome outcome = run_weir({"bench", "queue-roundtrip"});
  ::setenv("PATH", before.c_str(), 1);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, testing::StartsWith("weir: UNSUPPORTED: there is no weir-bench"));
  EXPECT_THAT(outcome.err, HasSubstr("-DWEIR_BUILD_BENCH=ON"));
}

TEST(CommandLine, TakesTheAddressInFrontAndBehind) {
  const Outcome in_front = run_weir({"--url", "nonsense", "queue", "info", "q"});
  EXPECT_EQ(in_front.status, 2);
  EXPECT_THAT(in_front.err, HasSubstr("INVALID_ARGUMENT"));
  const Outcome behind = run_weir({"queue", "info", "q", "--url", "nonsense"});
  EXPECT_EQ(behind.status, 2);
  EXPECT_THAT(behind.err, HasSubstr("INVALID_ARGUMENT"));
}

TEST(CommandLine, KnowsBrokersByTheirNames) {
  char dir[] = "/tmp/weir-command-line-XXXXXX";
  ASSERT_NE(::mkdtemp(dir), nullptr);
  ::setenv("XDG_CONFIG_HOME", dir, 1);
  EXPECT_EQ(run_weir({"context", "ls"}).out, "  name  url  timeout_ms\n");
  EXPECT_EQ(run_weir({"context", "add", "near", "weir://127.0.0.1:1"}).out,
            "context near is weir://127.0.0.1:1\n");
  EXPECT_EQ(
      run_weir({"context", "add", "far", "weir://10.0.0.7/a", "--timeout-ms", "60000"}).status, 0);
  EXPECT_EQ(run_weir({"context", "ls"}).out,
            "   name  url                 timeout_ms\n"
            "   far   weir://10.0.0.7/a        60000\n"
            "*  near  weir://127.0.0.1:1           -\n");
  EXPECT_EQ(run_weir({"context", "show", "--context", "far"}).out,
            "weir://10.0.0.7/a  (context far)\n");
  EXPECT_EQ(run_weir({"context", "show"}).out, "weir://127.0.0.1:1  (WEIR_URL)\n");
  EXPECT_EQ(run_weir({"--context", "near", "health"}).status, 3);
  EXPECT_EQ(run_weir({"context", "use", "far"}).out, "commands go to context far\n");
  EXPECT_EQ(run_weir({"context", "rm", "near"}).out, "removed context near\n");
  EXPECT_EQ(run_weir({"context", "ls", "-o", "json"}).out,
            "[\n{\"name\": \"far\", \"url\": \"weir://10.0.0.7/a\", \"timeout_ms\": 60000, "
            "\"in_use\": true}\n]\n");
  for (const Words& words :
       {Words{"--context", "near", "health"}, Words{"context", "use", "near"},
        Words{"context", "rm", "near"}, Words{"context", "add", "a/b", "weir://h"},
        Words{"context", "add", "bad", "http://h"}, Words{"context", "add", "bad"}}) {
    const Outcome outcome = run_weir(words);
    EXPECT_EQ(outcome.status, 2) << testing::PrintToString(words);
    EXPECT_THAT(outcome.err, testing::StartsWith("weir: "));
  }
  ::unsetenv("XDG_CONFIG_HOME");
  std::filesystem::remove_all(dir);
}

// What a shell would offer.
std::string completed(Words words) {
  words.insert(words.begin(), {"complete", "--"});
  const Outcome outcome = run_weir(words);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  return outcome.out;
}

TEST(CommandLine, TellsAShellWhatMayStandThere) {
  EXPECT_EQ(completed({"que"}), "queue\n");
  EXPECT_THAT(completed({""}), HasSubstr("serve\n"));
  EXPECT_EQ(completed({"queue", "pe"}), "peek\n");
  EXPECT_EQ(completed({"queue", "info", "--wa"}), "--watch\n");
  EXPECT_EQ(completed({"queue", "info", "--ur"}), "--url\n");
  EXPECT_EQ(completed({"topic", "publish", "t", "--compression", ""}), "lz4\nnone\nzstd\n");
  EXPECT_EQ(completed({"serve", "--d"}), "--data-dir\n--drain-ms\n");
  EXPECT_EQ(completed({"queue", "work", "q", "--", "que"}), "");
  EXPECT_EQ(completed({"--timeout-ms", "7", "context", "u"}), "use\n");
  EXPECT_EQ(completed({"--timeout-ms", ""}), "");
  EXPECT_EQ(completed({"frob", "x"}), "");
  // Nobody answers there: nothing is offered, and nobody waits for long.
  EXPECT_EQ(completed({"queue", "info", "a"}), "");
  EXPECT_EQ(completed({"queue", "create", "a"}), "");
}

TEST(CommandLine, HasAScriptForEachShell) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(run_weir({"completion", shell}).out, HasSubstr("weir complete --")) << shell;
  }
  EXPECT_EQ(run_weir({"completion", "csh"}).status, 2);
}

TEST(CommandLine, TakesAQueueThatIsNamedLikeACommand) {
  EXPECT_EQ(run_weir({"queue", "info", "health"}).status, 3);
  EXPECT_EQ(run_weir({"queue", "info", "info"}).status, 3);
}

}  // namespace
}  // namespace weir::cli
