#include "proto/limits.hpp"

#include <gtest/gtest.h>

namespace weir::proto {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;

// What users are told, in numbers; broker/core/queue/README.md.
TEST(Limits, AreThoseThatUsersAreTold) {
  EXPECT_EQ(kMaxMessageBytes, std::size_t{1'048'576});
  EXPECT_EQ(kMaxInFlightPerQueue, 120'000U);
  EXPECT_EQ(kMaxPageResults, 1000U);
  EXPECT_EQ(kMaxSettlesPerRequest, 1000U);
  EXPECT_EQ(kMaxWaitMs, 20 * kSecond);
  EXPECT_EQ(kDefaultLeaseMs, 30 * kSecond);
  EXPECT_EQ(kMaxLeaseMs, 12 * kHour);
  EXPECT_EQ(kMaxReceiveCountLimit, 1000U);
  EXPECT_EQ(kMinRetentionMs, 60 * kSecond);
  EXPECT_EQ(kMaxRetentionMs, 14 * kDay);
  EXPECT_EQ(kMaxDelayMs, 30 * kDay);
  EXPECT_EQ(kMaxTtlMs, 30 * kDay);
  EXPECT_EQ(kMinDeduplicationMs, kSecond);
  EXPECT_EQ(kDefaultDeduplicationMs, 300 * kSecond);
  EXPECT_EQ(kMaxDeduplicationMs, kDay);
  EXPECT_EQ(kMaxGroupBytes, 128U);
}

}  // namespace
}  // namespace weir::proto
