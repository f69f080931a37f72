#include "broker/net/liveness.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace weir::net {
namespace {

TEST(TickRound, AsksEveryConnectionOnceInARound) {
  for (const std::size_t connections : {0U, 1U, 127U, 128U, 129U, 1'000U, 10'000U, 100'000U}) {
    std::size_t asked = 0;
    MonoMs took = 0;
    while (asked < connections) {
      asked += TickRound::slice(connections);
      took += TickRound::pause_ms(connections);
    }
    EXPECT_LE(took, TickRound::kRoundMs) << connections;
  }
}

TEST(TickRound, KeepsTheLoopForAFewAtATime) {
  EXPECT_EQ(TickRound::slice(10'000), TickRound::kSlice);
  EXPECT_LT(TickRound::slice(100'000), 1'000U);
}

TEST(TickRound, WakesNobodyMoreOftenThanItMust) {
  EXPECT_EQ(TickRound::pause_ms(0), TickRound::kRoundMs);
  EXPECT_EQ(TickRound::pause_ms(TickRound::kSlice), TickRound::kRoundMs);
  EXPECT_GE(TickRound::pause_ms(1'000'000), 1);
}

TEST(StallWatch, TellsTheTimeInWhichNothingRan) {
  StallWatch watch(1'000);
  EXPECT_EQ(watch.on_tick(1'250, 250), 0);
  EXPECT_EQ(watch.on_tick(22'500, 250), 21'000);
  EXPECT_EQ(watch.on_tick(22'503, 3), 0) << "a stall is told once";
}

TEST(StallWatch, ForgivesATickThatIsALittleLate) {
  StallWatch watch(0);
  EXPECT_EQ(watch.on_tick(1'003, 3), 0);
  EXPECT_EQ(watch.on_tick(2'007, 3), 1'001);
}

}  // namespace
}  // namespace weir::net
