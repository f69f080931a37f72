#include "broker/cli/contexts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ContextsTest : public testing::Test {
 protected:
  ContextsTest() {
    char name[] = "/tmp/weir-contexts-XXXXXX";
    dir_ = ::mkdtemp(name);
    variables_["HOME"] = dir_;
  }
  ~ContextsTest() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] Environment environment() const {
    return [this](const char* name) -> const char* {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    };
  }
  [[nodiscard]] std::string path() const { return contexts_path(environment()); }
  void write(const Contexts& contexts) const {
    ASSERT_TRUE(write_contexts(path(), contexts).has_value());
  }
  [[nodiscard]] std::string target(const std::optional<std::string>& url = {},
                                   const std::optional<std::string>& context = {}) const {
    const Result<Target> found = find_target(url, context, environment());
    return found ? found->url + " by " + found->said_by : found.error().message;
  }
  static Contexts two() {
    Contexts contexts;
    EXPECT_TRUE(contexts.put({.name = "prod", .url = "weir://10.0.0.7/orders"}).has_value());
    EXPECT_TRUE(contexts.put({.name = "dev", .url = "weir://127.0.0.1:9", .timeout_ms = 60'000})
                    .has_value());
    EXPECT_TRUE(contexts.use("prod").has_value());
    return contexts;
  }

  std::string dir_;
  std::map<std::string, std::string, std::less<>> variables_;
};

TEST_F(ContextsTest, AreReadAsTheyAreWritten) {
  write(two());
  const Contexts read = read_contexts(path()).value();
  EXPECT_EQ(read.all(), two().all());
  EXPECT_EQ(read.current()->name, "prod");
  EXPECT_EQ(read.to_text(),
            "# Brokers that `weir` knows by name; written by `weir context`.\n"
            "current prod\n"
            "context dev weir://127.0.0.1:9 timeout_ms=60000\n"
            "context prod weir://10.0.0.7/orders\n");
  struct stat facts{};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(ContextsTest, AreNoneWithoutAFile) {
  EXPECT_THAT(read_contexts(path()).value().all(), IsEmpty());
  EXPECT_THAT(read_contexts("").value().all(), IsEmpty());
}

TEST_F(ContextsTest, SayWhichLineIsNone) {
  for (const std::string text :
       {"hello\n", "context a\n", "context a url extra\n", "context a/b weir://h\n",
        "context a weir://h timeout_ms=0\n", "context a weir://h timeout_ms=1x\n", "current\n",
        "current a b\n", "context a weir://h timeout_ms=99999999999999999999\n"}) {
    const Result<Contexts> parsed = Contexts::parse("# a comment\n\n" + text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("line 3 ")) << text;
  }
  EXPECT_EQ(Contexts::parse("current lost\ncontext a weir://h\n").error().message,
            "there is no context 'lost'; there are: a");
}

TEST_F(ContextsTest, CanBeChanged) {
  Contexts contexts = two();
  EXPECT_EQ(contexts.use("none").error().message,
            "there is no context 'none'; there are: dev, prod");
  EXPECT_FALSE(contexts.put({.name = "", .url = "weir://h"}).has_value());
  EXPECT_FALSE(contexts.put({.name = "a b", .url = "weir://h"}).has_value());
  EXPECT_FALSE(contexts.put({.name = "a", .url = "weir://h x"}).has_value());
  EXPECT_TRUE(contexts.put({.name = "prod", .url = "weir://other"}).has_value());
  EXPECT_EQ(contexts.find("prod")->url, "weir://other");
  EXPECT_EQ(contexts.all().size(), 2U);
  EXPECT_TRUE(contexts.remove("prod").has_value());
  EXPECT_EQ(contexts.current(), nullptr);
  EXPECT_FALSE(contexts.remove("prod").has_value());
}

TEST_F(ContextsTest, AreOneOfTheWaysToNameABroker) {
  EXPECT_EQ(target(), "weir://127.0.0.1:7340 by the default");
  write(two());
  EXPECT_EQ(target(), "weir://10.0.0.7/orders by context prod");
  variables_["WEIR_CONTEXT"] = "dev";
  EXPECT_EQ(target(), "weir://127.0.0.1:9 by context dev");
  EXPECT_EQ(find_target({}, {}, environment()).value().timeout_ms, 60'000);
  variables_["WEIR_URL"] = "weir://env";
  EXPECT_EQ(target(), "weir://env by WEIR_URL");
  EXPECT_EQ(target({}, "prod"), "weir://10.0.0.7/orders by context prod");
  EXPECT_EQ(target("weir://flag", "prod"), "weir://flag by --url");
  EXPECT_EQ(target({}, "none"), "there is no context 'none'; there are: dev, prod");
  variables_["WEIR_URL"] = "";
  variables_["WEIR_CONTEXT"] = "none";
  EXPECT_EQ(target(), "there is no context 'none'; there are: dev, prod");
}

TEST_F(ContextsTest, ABrokenFileMattersOnlyWhereItIsAsked) {
  std::filesystem::create_directories(std::filesystem::path(path()).parent_path());
  std::ofstream(path()) << "nonsense\n";
  EXPECT_THAT(target(), testing::StartsWith("'" + path() + "': line 1 is neither"));
  EXPECT_EQ(target("weir://flag"), "weir://flag by --url");
  variables_["WEIR_URL"] = "weir://env";
  EXPECT_EQ(target(), "weir://env by WEIR_URL");
}

TEST_F(ContextsTest, LieWhereOtherSettingsOfAPersonLie) {
  EXPECT_EQ(path(), dir_ + "/.config/weir/contexts");
  variables_["XDG_CONFIG_HOME"] = "/elsewhere";
  EXPECT_EQ(path(), "/elsewhere/weir/contexts");
  variables_.clear();
  EXPECT_EQ(path(), "");
  EXPECT_THAT(write_contexts(path(), two()).error().message, HasSubstr("$HOME"));
  EXPECT_THAT(write_contexts("/proc/none/contexts", two()).error().message,
              testing::StartsWith("'/proc/none/contexts' cannot be written: "));
}

}  // namespace
}  // namespace weir::cli
