#include "proto/error.hpp"

#include "proto/assert.hpp"
#include "proto/bytes.hpp"
#include "proto/result.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::proto {
namespace {

constexpr std::string_view kUnknown = "UNKNOWN_ERROR";

TEST(Errc, HasANameAndASentenceForEveryNumber) {
  std::set<std::string_view> names;
  int known = 0;
  for (std::uint32_t number = 0; number <= 0xffffU; ++number) {
    const auto code = static_cast<Errc>(number);
    const bool expected = (number >= 1 && number <= 41) || (number >= 1001 && number <= 1003);
    ASSERT_EQ(name(code) != kUnknown, expected) << number;
    ASSERT_EQ(is_wire_code(static_cast<std::uint16_t>(number)), number >= 1 && number <= 41);
    if (expected) {
      ++known;
      names.insert(name(code));
      EXPECT_FALSE(describe(code).empty());
    } else {
      EXPECT_FALSE(is_retriable(code)) << number;
    }
  }
  EXPECT_EQ(known, 44);
  EXPECT_EQ(names.size(), 44U);
}

TEST(Errc, KeepsTheNumbersOfTheWire) {
  EXPECT_EQ(static_cast<int>(Errc::kMalformed), 1);
  EXPECT_EQ(static_cast<int>(Errc::kQueueNotFound), 8);
  EXPECT_EQ(static_cast<int>(Errc::kReceiptExpired), 16);
  EXPECT_EQ(static_cast<int>(Errc::kThrottled), 27);
  EXPECT_EQ(static_cast<int>(Errc::kInternal), 37);
  EXPECT_EQ(static_cast<int>(Errc::kInUse), 38);
  EXPECT_EQ(static_cast<int>(Errc::kKicked), 39);
  EXPECT_EQ(static_cast<int>(Errc::kMessageNotFound), 40);
  EXPECT_EQ(static_cast<int>(Errc::kMessageExpired), 41);
}

TEST(Error, IsReadByAPerson) {
  EXPECT_EQ(make_error(Errc::kQueueNotFound, "no queue 'x'").to_string(),
            "QUEUE_NOT_FOUND: no queue 'x'");
  EXPECT_EQ(make_error(Errc::kQueueNotFound).to_string(),
            "QUEUE_NOT_FOUND: there is no such queue");
  EXPECT_EQ((Error{Errc::kQueueNotFound, "", 0}).to_string(),
            "QUEUE_NOT_FOUND: there is no such queue");
}

TEST(Result, ThrowsItsErrorToWhoeverDoesNotAsk) {
  const Result<int> good = 5;
  EXPECT_EQ(good.value(), 5);
  const Result<int> bad = fail(Errc::kThrottled, "later");
  EXPECT_EQ(bad.error().code, Errc::kThrottled);
  EXPECT_THROW(static_cast<void>(bad.value()), std::runtime_error);
}

TEST(SharedBytes, KeepTheWholeAliveThroughAnyPart) {
  SharedBytes part;
  EXPECT_TRUE(part.empty());
  {
    const SharedBytes whole(std::string(100, 'a') + "tail");
    EXPECT_EQ(whole.size(), 104U);
    part = whole.slice(50, 54).slice(50, 4);
  }
  EXPECT_EQ(part.view(), "tail");
}

TEST(AssertDeathTest, TellsWhatFailedAndStops) {
  EXPECT_DEATH(WEIR_ASSERT(1 + 1 == 3, "sums are right"),
               "assertion failed: 1 \\+ 1 == 3 \\(sums are right\\)");
}

}  // namespace
}  // namespace weir::proto
