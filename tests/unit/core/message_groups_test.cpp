#include "broker/core/queue/message_groups.hpp"

#include <gtest/gtest.h>

namespace weir::core {
namespace {

constexpr proto::TimeMs kThen = 1'000;

/// A batch of one message, given back, of that group.
TouchedBatch returned(proto::Offset offset, std::uint64_t group, proto::TimeMs due) {
  TouchedBatch batch(offset, offset, 100, kThen);
  batch.set_groups({group});
  batch.lease(0, 1, {});
  batch.update(0, 1, [due](core::Run& run, std::uint32_t) {
    run.state = RunState::kReturned;
    run.when = due;
  });
  return batch;
}

TEST(MessageGroups, KeepsApartWhatLiesInTheStoreAlone) {
  MessageGroups groups;
  MessageGroups::Batches batches;
  for (proto::Offset offset = 0; offset < 40; ++offset) {
    groups.wait(static_cast<std::uint64_t>(offset) + 1, offset, 0, {kThen + offset, kThen},
                batches);
  }
  EXPECT_TRUE(groups.turns().empty());
  EXPECT_EQ(groups.cold_turns().size(), 40U);
  EXPECT_EQ(groups.next_due(), kThen) << "as it was known when it began to wait";
  batches.emplace(50, returned(50, 99, kThen + 500));
  groups.wait(99, 50, 0, {kThen + 500, kThen}, batches);
  ASSERT_EQ(groups.turns().size(), 1U) << "however many of the others there are";
  EXPECT_TRUE(groups.is_turn_of(99, 50, 0));

  batches.emplace(7, returned(7, 8, kThen + 7));
  groups.came_back(batches.at(7), batches);
  EXPECT_TRUE(groups.is_turn_of(8, 7, 0));
  EXPECT_EQ(groups.turns().begin()->group, 8U);
  groups.went_out(batches.at(7));
  EXPECT_FALSE(groups.is_turn_of(8, 7, 0));
  EXPECT_EQ(groups.cold_turns().size(), 40U);
  EXPECT_EQ(groups.next_due(), kThen);
}

TEST(MessageGroups, TakesNobodyForStuckWhoHasJustComeToWait) {
  MessageGroups groups;
  groups.wait(1, 5, 0, {0, kThen}, {});
  groups.note_stuck(kThen);
  EXPECT_EQ(groups.soon(), 1U);
  groups.note_stuck(kThen + 1);
  EXPECT_EQ(groups.soon(), 0U);
  groups.hold(1, 5, proto::GrantId{3}, kThen + 1);
  EXPECT_EQ(groups.soon(), 1U) << "it gets on";
}

}  // namespace
}  // namespace weir::core
