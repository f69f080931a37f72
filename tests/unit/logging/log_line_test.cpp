#include "broker/logging/log_line.hpp"

#include <gtest/gtest.h>

namespace weir::logging {
namespace {

constexpr std::int64_t kTime = 1'795'600'800'123;  // 2026-11-25 10:00:00.123

TEST(LogLine, SaysWhenHowBadWhatAndAboutWhom) {
  const std::string event =
      with_fields("closing", {{"client", "10.0.0.7:40312"}, {"session", "7"}});
  EXPECT_EQ(to_text(kTime, "info", event),
            "2026-11-25T10:00:00.123Z info closing client=10.0.0.7:40312 session=7\n");
  EXPECT_EQ(to_json(kTime, "info", event),
            R"({"time":"2026-11-25T10:00:00.123Z","level":"info","message":"closing",)"
            R"("client":"10.0.0.7:40312","session":"7"})"
            "\n");
}

TEST(LogLine, TakesAnEventWithoutFields) {
  EXPECT_EQ(to_text(kTime, "warn", "a = b"), "2026-11-25T10:00:00.123Z warn a = b\n");
  EXPECT_EQ(to_json(kTime, "warn", "a = b"),
            "{\"time\":\"2026-11-25T10:00:00.123Z\",\"level\":\"warn\",\"message\":\"a = b\"}\n");
}

/// Whoever chooses a text must not be able to write a line of his own, or a field.
TEST(LogLine, StaysOneLineWithItsOwnFields) {
  const std::string event = with_fields("a\nb\x1fsession=1", {{"client", "x\x1fsession=2\n\"y\""}});
  EXPECT_EQ(to_text(kTime, "info", event),
            "2026-11-25T10:00:00.123Z info a?b?session=1 client=x?session=2?\"y\"\n");
  EXPECT_EQ(to_json(kTime, "info", event),
            R"({"time":"2026-11-25T10:00:00.123Z","level":"info","message":"a?b?session=1",)"
            R"("client":"x?session=2?\"y\""})"
            "\n");
}

}  // namespace
}  // namespace weir::logging
