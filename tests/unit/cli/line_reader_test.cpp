#include "broker/cli/line_reader.hpp"

#include "tests/unit/cli/pipe.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::cli {
namespace {

using std::string_literals::operator""s;

std::vector<std::string> lines_of(std::string_view input) {
  Pipe pipe;
  pipe.put(input);
  pipe.close_write();
  LineReader reader(pipe.read_end(), 30'000);
  std::vector<std::string> lines;
  while (true) {
    const Result<std::optional<std::string_view>> line = reader.next();
    EXPECT_TRUE(line);
    if (!line || !*line) {
      return lines;
    }
    lines.emplace_back(**line);
  }
}

using Lines = std::vector<std::string>;

TEST(LineReader, DropsNewlinesAndNothingElse) {
  EXPECT_EQ(lines_of("a\nb \r\n c\n"), (Lines{"a", "b \r", " c"}));
  EXPECT_EQ(lines_of("\0x\n\xff\n"s), (Lines{"\0x"s, "\xff"}));
}

TEST(LineReader, TakesEmptyLinesAsLines) {
  EXPECT_EQ(lines_of("\n\na\n\n"), (Lines{"", "", "a", ""}));
}

TEST(LineReader, CountsALastLineWithoutANewline) {
  EXPECT_EQ(lines_of("a\nb"), (Lines{"a", "b"}));
}

TEST(LineReader, FindsNothingInNothing) {
  EXPECT_EQ(lines_of(""), Lines{});
}

TEST(LineReader, JoinsWhatArrivesInPieces) {
  Pipe pipe;
  LineReader reader(pipe.read_end(), 100);
  pipe.put("one\ntw");
  EXPECT_EQ(**reader.next(), "one");
  pipe.put("o\n");
  EXPECT_EQ(**reader.next(), "two");
}

TEST(LineReader, HandsOutALineBeforeMoreArrives) {
  Pipe pipe;
  LineReader reader(pipe.read_end(), 100);
  pipe.put("now\n");
  EXPECT_EQ(**reader.next(), "now");
}

TEST(LineReader, TakesLinesUpToTheLimit) {
  const std::string longest(30'000, 'x');
  EXPECT_EQ(lines_of(longest + "\n" + longest), (Lines{longest, longest}));
}

TEST(LineReader, RefusesALineOverTheLimit) {
  for (const std::string_view input : {"123456\n", "123456", "12345678901234567890"}) {
    Pipe pipe;
    pipe.put(input);
    pipe.close_write();
    LineReader reader(pipe.read_end(), 5);
    const Result<std::optional<std::string_view>> line = reader.next();
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().code, ErrorCode::kMessageTooLarge);
  }
}

TEST(LineReader, ReportsAnInputThatCannotBeRead) {
  LineReader reader(-1, 5);
  EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace weir::cli
