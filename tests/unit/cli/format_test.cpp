#include "broker/cli/format.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::cli {
namespace {

using std::string_literals::operator""s;

std::string rendered(std::string_view text, const FormatFields& fields) {
  const Result<Format> format = Format::parse(text);
  EXPECT_TRUE(format) << text;
  std::string out;
  if (format) {
    format->render(fields, out);
  }
  return out;
}

const FormatFields& sample() {
  static constexpr std::string_view kValue = "the value";
  static const std::array<HeaderView, 3> headers = {
      HeaderView("lang", "en"), HeaderView("empty", ""), HeaderView("none", std::nullopt)};
  static const FormatFields fields{.source = "clicks",
                                   .partition = 3,
                                   .offset = 41,
                                   .key = "k",
                                   .value = kValue,
                                   .headers = headers,
                                   .timestamp_ms = 1'777'636'800'123,
                                   .handle = "hhh",
                                   .message_id = "iii",
                                   .attempt = 2};
  return fields;
}

TEST(Format, ShowsEveryField) {
  EXPECT_EQ(rendered("%t/%p/%o %k=%v (%s) %d %i %a %R", sample()),
            "clicks/3/41 k=the value (9) 1777636800123 iii 2 hhh");
}

TEST(Format, ShowsHeadersWithAndWithoutAValue) {
  EXPECT_EQ(rendered("[%h]", sample()), "[lang=en,empty=,none]");
}

TEST(Format, QuotesKeysAndHeadersThatATerminalWouldObeyOrThatAreAmbiguous) {
  const std::array<HeaderView, 2> headers = {HeaderView("a=b", "c,d"),
                                             HeaderView("x\n", "\x1b[2J \"")};
  FormatFields fields;
  fields.headers = headers;
  EXPECT_EQ(rendered("%h", fields), R"("a=b"="c,d","x\n"="\x1b[2J \"")");
  fields.key = "a,b\"";
  EXPECT_EQ(rendered("%k", fields), "a,b\"");
  fields.key = "a\n\xff";
  EXPECT_EQ(rendered("%k", fields), R"("a\n\xff")");
  EXPECT_EQ(rendered("%K", fields), "a\n\xff");
}

TEST(Format, KnowsEscapesAndThePercentSign) {
  EXPECT_EQ(rendered("a\\tb\\n\\r\\\\%%\\0z", sample()), "a\tb\n\r\\%\0z"s);
}

TEST(Format, CopiesAValueByteForByte) {
  const std::string bytes = "\0\xff%o\\n\n\x80"s;
  FormatFields fields;
  fields.value = bytes;
  EXPECT_EQ(rendered("%v", fields), bytes);
}

TEST(Format, ShowsWhatIsMissingAsNothingWithSizeMinusOne) {
  EXPECT_EQ(rendered("<%k|%v|%s|%h>", FormatFields{}), "<||-1|>");
}

TEST(Format, TellsAnEmptyValueFromNone) {
  FormatFields fields;
  fields.value = "";
  EXPECT_EQ(rendered("%v%s", fields), "0");
}

TEST(Format, AppendsToWhatIsThere) {
  std::string out = "before ";
  Format::parse("%o")->render(sample(), out);
  EXPECT_EQ(out, "before 41");
}

TEST(Format, MayBeEmpty) {
  EXPECT_EQ(rendered("", sample()), "");
}

TEST(Format, RefusesAnUnknownDirectiveOrEscape) {
  for (const std::string_view text : {"%z", "%", "x%", "\\q", "x\\", "%v%"}) {
    const Result<Format> format = Format::parse(text);
    ASSERT_FALSE(format) << text;
    EXPECT_EQ(format.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_NE(Format::parse("%z").error().message.find("%z"), std::string::npos);
}

TEST(Format, TellsWhichDirectivesItUses) {
  const Result<Format> format = Format::parse("%%R %v \\n");
  ASSERT_TRUE(format);
  EXPECT_TRUE(format->uses('v'));
  EXPECT_FALSE(format->uses('R'));
}

}  // namespace
}  // namespace weir::cli
