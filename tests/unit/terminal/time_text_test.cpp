#include "broker/terminal/time_text.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace weir::terminal {
namespace {

using std::chrono::seconds;

TEST(TimeText, IsRfc3339InUtc) {
  EXPECT_EQ(time_text(1'777'636'800'250), "2026-05-01T12:00:00.250Z");
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(-1), "1969-12-31T23:59:59.999Z");
}

TEST(TimeText, TakesAnyNumberThatAProducerClaims) {
  EXPECT_EQ(time_text(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(time_text(253'402'300'800'000), "253402300800000 ms");
  EXPECT_EQ(time_text(INT64_MAX), "9223372036854775807 ms");
  EXPECT_EQ(time_text(INT64_MIN), "-9223372036854775808 ms");
}

TEST(AgeText, HasTheTwoLargestUnits) {
  EXPECT_EQ(age_text(seconds(-5)), "0s");
  EXPECT_EQ(age_text(seconds(12)), "12s");
  EXPECT_EQ(age_text(seconds(3'600)), "1h");
  EXPECT_EQ(age_text(seconds(90'061)), "1d 1h");
}

}  // namespace
}  // namespace weir::terminal
