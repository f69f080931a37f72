#include "broker/core/name_pattern.hpp"

#include "proto/limits.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::core {
namespace {

TEST(NamePattern, MatchesWholeNames) {
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("mail", "mail"));
  EXPECT_FALSE(matches("mail", "mails"));
  EXPECT_FALSE(matches("mails", "mail"));
  EXPECT_TRUE(matches("m?il", "mail"));
  EXPECT_FALSE(matches("m?il", "mil"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_FALSE(matches("?", ""));
}

TEST(NamePattern, TakesAnyTextForAStar) {
  EXPECT_TRUE(matches("mail-*", "mail-"));
  EXPECT_TRUE(matches("mail-*", "mail-failed"));
  EXPECT_FALSE(matches("mail-*", "email-failed"));
  EXPECT_TRUE(matches("*-dead", "a-dead-dead"));
  EXPECT_FALSE(matches("*-dead", "a-dead-"));
  EXPECT_TRUE(matches("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(matches("*a*b*", "xxbxxaxx"));
  EXPECT_TRUE(matches("a**b", "ab"));
  EXPECT_TRUE(matches("*abc", "ababc")) << "the first try of the star was too short";
}

TEST(NamePattern, TakesNoLongerForAPatternMadeToTakeLong) {
  const std::string name(80, 'a');
  std::string pattern;
  for (int i = 0; i < 60; ++i) {
    pattern += "*a";
  }
  pattern += "b";
  // Trying every way to share the letters out would take years.
  EXPECT_FALSE(matches(pattern, name));
}

TEST(NamePattern, RefusesOneLongerThanAnyName) {
  EXPECT_TRUE(check_pattern(std::string(proto::kMaxPatternBytes, '*')));
  const auto refused = check_pattern(std::string(proto::kMaxPatternBytes + 1, '*'));
  EXPECT_EQ(refused.error().code, proto::Errc::kInvalidArgument);
}

}  // namespace
}  // namespace weir::core
