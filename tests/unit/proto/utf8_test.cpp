#include "proto/utf8.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace weir::proto {
namespace {

using std::string_view_literals::operator""sv;

TEST(Utf8, KnowsHowLongACharacterIs) {
  EXPECT_EQ(utf8_character_bytes("a"), 1U);
  EXPECT_EQ(utf8_character_bytes("\0"sv), 1U);
  EXPECT_EQ(utf8_character_bytes("ü..."), 2U);
  EXPECT_EQ(utf8_character_bytes("€"), 3U);
  EXPECT_EQ(utf8_character_bytes("\xf0\x9f\x92\xa7"), 4U);
  EXPECT_EQ(utf8_character_bytes(""), 0U);
  EXPECT_EQ(utf8_character_bytes("\x80"), 0U);
}

TEST(Utf8, TellsTextFromBytes) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("Grüße, \0 €\xf0\x9f\x92\xa7"sv));
  for (const std::string_view bytes :
       {"a\xff"sv, "\xe2\x82"sv, "\xc0\xaf"sv, "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv}) {
    EXPECT_FALSE(is_utf8(bytes));
  }
}

}  // namespace
}  // namespace weir::proto
