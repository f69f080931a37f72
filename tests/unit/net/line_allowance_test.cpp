#include "broker/net/line_allowance.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

namespace weir::net {
namespace {

// Takes until nothing is left and tells how many lines that were.
std::int64_t take_all(LineAllowance& allowance, MonoMs now) {
  std::int64_t lines = 0;
  while (allowance.take(now)) {
    ++lines;
  }
  return lines;
}

TEST(LineAllowance, GivesSomeAtOnceAndThenAFewASecond) {
  LineAllowance allowance(1'000);
  EXPECT_EQ(take_all(allowance, 1'000), LineAllowance::kAtOnce);
  EXPECT_EQ(allowance.take(1'199), std::nullopt);
  EXPECT_TRUE(allowance.take(1'200));
  EXPECT_EQ(allowance.take(1'200), std::nullopt);
  EXPECT_EQ(take_all(allowance, 2'200), LineAllowance::kPerSecond);
}

TEST(LineAllowance, IsNotLargerThanAtOnceHoweverLongNothingHappens) {
  LineAllowance allowance(0);
  EXPECT_EQ(take_all(allowance, 1'000'000), LineAllowance::kAtOnce);
}

TEST(LineAllowance, TellsHowManyWereLeftOut) {
  LineAllowance allowance(0);
  EXPECT_EQ(allowance.take(0), std::uint64_t{0});
  take_all(allowance, 0);  // and one more that was not given
  EXPECT_EQ(allowance.take(0), std::nullopt);
  EXPECT_EQ(allowance.take(1'000), std::uint64_t{2});
  EXPECT_EQ(allowance.take(1'000), std::uint64_t{0});
}

TEST(LineAllowance, AsksOftenAndGetsAsMuch) {
  LineAllowance allowance(0);
  take_all(allowance, 0);
  std::int64_t lines = 0;
  for (MonoMs now = 1; now <= 10'000; ++now) {
    lines += allowance.take(now) ? 1 : 0;
  }
  EXPECT_EQ(lines, 10 * LineAllowance::kPerSecond);
}

}  // namespace
}  // namespace weir::net
