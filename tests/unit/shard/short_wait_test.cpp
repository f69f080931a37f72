#include "broker/shard/short_wait.hpp"

#include <gtest/gtest.h>

namespace weir::shard {
namespace {

using std::chrono::microseconds;
using Clock = ShortWait::Clock;

constexpr microseconds kLimit{100};

struct ShortWaitTest : testing::Test {
  void wait(microseconds time) {
    waits.begin(now);
    now += time;
    waits.end(now);
  }
  bool next_pays() {
    waits.begin(now);
    return waits.pays(now);
  }

  ShortWait waits{kLimit};
  Clock::time_point now{std::chrono::hours(1)};
};

TEST_F(ShortWaitTest, PaysOnceWaitsHaveBeenShort) {
  EXPECT_FALSE(next_pays()) << "nothing is known yet";
  for (int i = 0; i < 10; ++i) {
    wait(microseconds(20));
  }
  EXPECT_TRUE(next_pays());
}

TEST_F(ShortWaitTest, EndsBeingAwakeAtTheLimit) {
  for (int i = 0; i < 10; ++i) {
    wait(microseconds(20));
  }
  waits.begin(now);
  EXPECT_TRUE(waits.pays(now + kLimit - microseconds(1)));
  EXPECT_FALSE(waits.pays(now + kLimit));
}

TEST_F(ShortWaitTest, DoesNotPayWhereWaitsAreLong) {
  for (int i = 0; i < 10; ++i) {
    wait(microseconds(20));
  }
  for (int i = 0; i < 10; ++i) {
    wait(microseconds(150));
  }
  EXPECT_FALSE(next_pays());
}

TEST_F(ShortWaitTest, ForgetsOneVeryLongWaitAfterAFewShortOnes) {
  wait(std::chrono::hours(1));
  EXPECT_FALSE(next_pays());
  for (int i = 0; i < 10; ++i) {
    wait(microseconds(20));
  }
  EXPECT_TRUE(next_pays());
}

TEST_F(ShortWaitTest, NeverPaysWithoutALimit) {
  ShortWait none{microseconds(0)};
  for (int i = 0; i < 10; ++i) {
    none.begin(now);
    EXPECT_FALSE(none.pays(now));
    none.end(now);
  }
}

}  // namespace
}  // namespace weir::shard
