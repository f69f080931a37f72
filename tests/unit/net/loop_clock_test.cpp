#include "broker/net/loop_clock.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace weir::net {
namespace {

constexpr proto::TimeMs kHourMs = 3'600'000;

// Notes the broker time of each wake-up, and ends the loop with the first.
class LoopClockTest : public testing::Test {
 protected:
  std::vector<proto::TimeMs> wakes_;
  boost::asio::io_context io_{1};
  LoopClock clock_{io_, 0, [this] {
                     wakes_.push_back(clock_.now());
                     io_.stop();
                   }};
};

TEST_F(LoopClockTest, GoesOnFromWhatWasCommitted) {
  const proto::TimeMs committed = clock_.now() + kHourMs;
  LoopClock ahead(io_, committed, [] {});
  EXPECT_GE(ahead.now(), committed);
  EXPECT_LT(ahead.now(), committed + kHourMs);
}

TEST_F(LoopClockTest, WakesWhenTheTimeHasCome) {
  const proto::TimeMs at = clock_.now() + 20;
  clock_.arm(at);
  io_.run();
  ASSERT_EQ(wakes_.size(), 1U);
  EXPECT_GE(wakes_[0], at);
}

TEST_F(LoopClockTest, WakesAtOnceForATimeThatIsPast) {
  clock_.arm(clock_.now() - kHourMs);
  io_.run();
  EXPECT_EQ(wakes_.size(), 1U);
}

TEST_F(LoopClockTest, FollowsTheLastTimeThatItWasGiven) {
  const proto::TimeMs at = clock_.now() + 20;
  clock_.arm(clock_.now());
  clock_.arm(clock_.now() + kHourMs);
  clock_.arm(at);
  io_.run();
  ASSERT_EQ(wakes_.size(), 1U);
  EXPECT_GE(wakes_[0], at);
}

// A gap of more than a second between two looks is a stall, during which broker time stands.
TEST_F(LoopClockTest, LooksOftenEnoughWhileNobodyAsks) {
  clock_.arm(clock_.now() + shard::ShardClock::kGapMs + 200);
  io_.run();
  EXPECT_EQ(wakes_.size(), 1U);
}

}  // namespace
}  // namespace weir::net
