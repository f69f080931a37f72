#include "broker/cli/time_spec.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

constexpr Timestamp kNow{milliseconds(1'777'636'800'000)};  // 2026-05-01T12:00:00Z

std::int64_t time_ms(std::string_view text) {
  const Result<Timestamp> time = parse_time(text, kNow);
  EXPECT_TRUE(time) << text;
  return time ? time->time_since_epoch().count() : -1;
}

TEST(TimeSpec, ReadsRfc3339) {
  EXPECT_EQ(time_ms("2026-05-01T12:00:00Z"), 1'777'636'800'000);
  EXPECT_EQ(time_ms("2026-05-01 12:00:00z"), 1'777'636'800'000);
  EXPECT_EQ(time_ms("2026-05-01T14:30:00+02:30"), 1'777'636'800'000);
  EXPECT_EQ(time_ms("2026-05-01T07:00:00-05:00"), 1'777'636'800'000);
  EXPECT_EQ(time_ms("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(time_ms("1969-12-31T23:59:59.5Z"), -500);
  EXPECT_EQ(time_ms("2024-02-29T00:00:00Z"), 1'709'164'800'000);
}

TEST(TimeSpec, KeepsMillisecondsAndDropsWhatIsFiner) {
  EXPECT_EQ(time_ms("1970-01-01T00:00:00.1Z"), 100);
  EXPECT_EQ(time_ms("1970-01-01T00:00:00.123Z"), 123);
  EXPECT_EQ(time_ms("1970-01-01T00:00:00.123999999Z"), 123);
}

TEST(TimeSpec, CountsALeapSecondAsTheNextMinute) {
  EXPECT_EQ(time_ms("2016-12-31T23:59:60Z"), time_ms("2017-01-01T00:00:00Z"));
}

TEST(TimeSpec, ReadsUnixMilliseconds) {
  EXPECT_EQ(time_ms("0"), 0);
  EXPECT_EQ(time_ms("1777636800123"), 1'777'636'800'123);
}

TEST(TimeSpec, ReadsHowLongAgo) {
  EXPECT_EQ(time_ms("-1h"), 1'777'636'800'000 - 3'600'000);
  EXPECT_EQ(time_ms("-1h30m"), 1'777'636'800'000 - 5'400'000);
  EXPECT_EQ(time_ms("-2d"), 1'777'636'800'000 - 172'800'000);
  EXPECT_EQ(time_ms("-5s250ms"), 1'777'636'800'000 - 5'250);
  EXPECT_EQ(time_ms("-0s"), 1'777'636'800'000);
}

TEST(TimeSpec, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      "-",
                                      "-1",
                                      "-h",
                                      "-1x",
                                      "1h",
                                      "-1h-",
                                      "- 1h",
                                      "now",
                                      "2026-05-01",
                                      "2026-05-01T12:00:00",
                                      "2026-13-01T12:00:00Z",
                                      "2026-02-29T12:00:00Z",
                                      "2026-05-01T24:00:00Z",
                                      "2026-05-01T12:60:00Z",
                                      "2026-05-01T12:00:61Z",
                                      "2026-05-01T12:00:00.Z",
                                      "2026-05-01T12:00:00Zx",
                                      "2026-05-01T12:00:00+0200",
                                      "2026-05-01T12:00:00+24:00",
                                      "99999999999999999999",
                                      "9223372036854775807",
                                      "-99999999999999999999d",
                                      "-9000000000000000d9000000000000000d",
                                      "1.5"}) {
    const Result<Timestamp> time = parse_time(text, kNow);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(FromSpec, KnowsStartEndOffsetAndTime) {
  EXPECT_EQ(*parse_from("start", kNow), StartPosition::start());
  EXPECT_EQ(*parse_from("end", kNow), StartPosition::end());
  EXPECT_EQ(*parse_from("17", kNow), StartPosition::offset(17));
  EXPECT_EQ(*parse_from("@17", kNow), StartPosition::time(Timestamp(milliseconds(17))));
  EXPECT_EQ(*parse_from("@-1s", kNow), StartPosition::time(kNow - milliseconds(1'000)));
}

TEST(FromSpec, RefusesEverythingElse) {
  for (const std::string_view text : {"", "-1", "+1", "1x", "@", "@x", "Start", "0x10"}) {
    EXPECT_FALSE(parse_from(text, kNow)) << text;
  }
}

TEST(FromSpec, SaysHowATimeIsWritten) {
  const auto said = [](std::string_view text) { return parse_from(text, kNow).error().message; };
  EXPECT_TRUE(
      said("2026-12-01T01:00:00Z").ends_with("; write @2026-12-01T01:00:00Z for that time"));
  EXPECT_TRUE(said("-1h").ends_with("; write @-1h for that time"));
  EXPECT_TRUE(said("yesterday").ends_with("or @TIME"));
}

TEST(ToSpec, KnowsEndAndOffset) {
  EXPECT_EQ(parse_to("end")->offset, std::nullopt);
  EXPECT_EQ(parse_to("0")->offset, 0);
  EXPECT_EQ(parse_to("9223372036854775807")->offset, 9'223'372'036'854'775'807);
}

TEST(ToSpec, RefusesEverythingElse) {
  for (const std::string_view text : {"", "start", "-1", "@5", "9223372036854775808"}) {
    EXPECT_FALSE(parse_to(text)) << text;
  }
}

}  // namespace
}  // namespace weir::cli
