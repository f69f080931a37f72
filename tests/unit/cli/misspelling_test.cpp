#include "broker/cli/misspelling.hpp"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::cli {
namespace {

using Words = std::vector<std::string>;

TEST(Closest, IsAWordThatMeansTheSame) {
  const Words verbs = {"create", "ls", "info", "delete"};
  EXPECT_EQ(closest("list", verbs), "ls");
  EXPECT_EQ(closest("describe", verbs), "info");
  EXPECT_EQ(closest("remove", verbs), "delete");
  EXPECT_EQ(closest("delete", {"add", "rm"}), "rm");
}

TEST(Closest, IsAWordThatLooksLikeIt) {
  const Words verbs = {"peek", "pause", "purge", "ls"};
  EXPECT_EQ(closest("peak", verbs), "peek");
  EXPECT_EQ(closest("purgee", verbs), "purge");
  EXPECT_EQ(closest("frob", verbs), "");
  EXPECT_EQ(closest("is", verbs), "ls");
  EXPECT_EQ(closest("", verbs), "");
}

struct Misspelling : testing::Test {
  Misspelling() {
    app.add_option("--url", url);
    CLI::App& work = *app.add_subcommand("queue", "")->add_subcommand("work", "");
    work.add_option("NAME", name);
    work.add_option("-n,--count", count);
    work.add_flag("--force", force);
  }
  [[nodiscard]] std::string found(const Words& words) const {
    return find_misspelling(app, words).value_or("");
  }
  CLI::App app{"", "weir"};
  std::string url;
  std::string name;
  int count = 0;
  bool force = false;
};

TEST_F(Misspelling, IsNoneWhereAllIsKnown) {
  EXPECT_EQ(found({"--url", "x", "queue", "work", "q", "-n", "3", "--force", "--count=5"}), "");
  EXPECT_EQ(found({"queue", "work", "q", "-n3", "--", "--forse"}), "");
}

TEST_F(Misspelling, IsTheFirstUnknownWord) {
  EXPECT_EQ(found({"--url", "queues", "wokr"}),
            "weir: there is no command 'wokr'; there are: queue");
  EXPECT_EQ(found({"queue", "wokr"}), "weir queue: there is no verb 'wokr'; did you mean 'work'?");
  EXPECT_EQ(found({"queue"}), "weir queue: a verb is missing; there are: work");
}

TEST_F(Misspelling, IsAnUnknownOption) {
  EXPECT_EQ(found({"queue", "work", "q", "--forse"}),
            "weir queue work: there is no option '--forse'; did you mean '--force'?");
  EXPECT_EQ(found({"queue", "work", "--colour=red"}),
            "weir queue work: there is no option '--colour'");
}

}  // namespace
}  // namespace weir::cli
