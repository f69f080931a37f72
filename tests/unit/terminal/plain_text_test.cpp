#include "broker/terminal/plain_text.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace weir::terminal {
namespace {

using std::string_view_literals::operator""sv;

TEST(PlainText, HoldsNothingThatATerminalObeys) {
  EXPECT_EQ(plain("a\x1b[2Jb\x07\x7f\0\n\r\t"sv), R"(a\x1b[2Jb\x07\x7f\x00\n\r\t)");
  EXPECT_EQ(plain("\xc2\x9b"
                  "2J"),
            R"(\xc2\x9b2J)")
      << "the other way to write ESC [";
  EXPECT_EQ(plain("a\xe2\x80\xae"
                  "b\xe2\x81\xa6"
                  "c\xe2\x80\xa8"),
            R"(a\xe2\x80\xaeb\xe2\x81\xa6c\xe2\x80\xa8)")
      << "what turns the direction of writing, or begins a line";
  EXPECT_EQ(plain("\xff\xe2\x82"), R"(\xff\xe2\x82)");
}

TEST(PlainText, KeepsTheRestAndIsDoneOnce) {
  EXPECT_EQ(plain("Grüße, 5 € = \"x\" \\ \xf0\x9f\x92\xa7"),
            "Grüße, 5 € = \"x\" \\ \xf0\x9f\x92\xa7");
  EXPECT_EQ(plain(plain("\x1b\n")), plain("\x1b\n"));
}

TEST(QuotedText, HasQuotesWhereItCouldBeTakenForSomethingElse) {
  EXPECT_EQ(quoted("plain"), "plain");
  EXPECT_EQ(quoted(""), "");
  EXPECT_EQ(quoted("a,b=c"), "a,b=c");
  EXPECT_EQ(quoted("a,b=c", ",="), R"("a,b=c")");
  EXPECT_EQ(quoted(R"({"id": "\n"})"), R"({"id": "\n"})");
  EXPECT_EQ(quoted(R"("x" \)"), R"("\"x\" \\")");
  EXPECT_EQ(quoted("line\n\\n\""), R"("line\n\\n\"")");
  EXPECT_EQ(quoted("\xff"), R"("\xff")");
}

TEST(Columns, AreCharacters) {
  EXPECT_EQ(columns_of("Grüße €"), 7U);
  EXPECT_EQ(first_columns("Grüße", 3), "Grü");
  EXPECT_EQ(first_columns("Grüße", 9), "Grüße");
  EXPECT_EQ(first_columns("Grüße", 0), "");
}

}  // namespace
}  // namespace weir::terminal
