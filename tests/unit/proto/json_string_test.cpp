#include "proto/json_string.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::proto {
namespace {

TEST(JsonString, EscapesWhatJsonDoesNotTake) {
  EXPECT_EQ(json_string(""), R"("")");
  EXPECT_EQ(json_string("a\n\x01\\\"\x7f/"), R"("a\u000a\u0001\\\"\u007f/")");
  EXPECT_EQ(json_string("\xc2\x80\xc2\x9b\xc2\xa0"), "\"\\u0080\\u009b\xc2\xa0\"");
}

TEST(JsonString, KeepsTextInUtf8) {
  for (const char* text :
       {"Grüße", "\xe2\x82\xac", "\xf0\x9f\x92\xa7", "\xef\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_EQ(json_string(text), std::string("\"") + text + "\"");
  }
}

TEST(JsonString, ReplacesBytesThatAreNoUtf8) {
  constexpr const char* kReplacement = "\xef\xbf\xbd";
  // A byte alone, an end too soon, two overlong forms, a surrogate, beyond the last character.
  for (const auto& [text, count] : std::vector<std::pair<std::string, int>>{{"\x80", 1},
                                                                            {"\xe2\x82", 2},
                                                                            {"\xc0\xaf", 2},
                                                                            {"\xe0\x80\xaf", 3},
                                                                            {"\xed\xa0\x80", 3},
                                                                            {"\xf4\x90\x80\x80", 4},
                                                                            {"\xff", 1}}) {
    std::string expected = "\"a";
    for (int i = 0; i < count; ++i) {
      expected += kReplacement;
    }
    EXPECT_EQ(json_string("a" + text + "b"), expected + "b\"");
  }
}

}  // namespace
}  // namespace weir::proto
