#pragma once

#include "broker/core/row_codec.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

namespace weir::core::test {

/// What a shard would do after a restart.
inline void expect_same_after_restore(const CoreRig& rig, const storage::MemoryStore& store,
                                      proto::TimeMs now) {
  const auto checked = check_rows(store);
  ASSERT_TRUE(checked) << checked.error().to_string();
  ShardState again(100);
  const auto reader = store.snapshot();
  ASSERT_TRUE(again.restore(*reader));
  EXPECT_TRUE(again.take_rows().empty());
  EXPECT_EQ(again.next_deadline(), rig.state.next_deadline());
  EXPECT_EQ(again.dying_queues(), rig.state.dying_queues());
  ASSERT_EQ(again.queues().size(), rig.state.queues().size());
  for (const auto& [id, queue] : rig.state.queues()) {
    const Queue& other = *again.queue(id);
    EXPECT_EQ(other.counters(), queue.counters());
    EXPECT_EQ(other.returned(), queue.returned());
    EXPECT_EQ(other.leases(), queue.leases());
    EXPECT_EQ(other.dying(), queue.dying());
    EXPECT_EQ(other.groups().turns(), queue.groups().turns());
    EXPECT_EQ(other.groups().cold_turns(), queue.groups().cold_turns());
    EXPECT_EQ(other.groups().size(), queue.groups().size());
    EXPECT_EQ(other.groups().places(), queue.groups().places());
    EXPECT_EQ(rows::encode(other.definition()), rows::encode(queue.definition()));
    ASSERT_EQ(other.touched_batches().size(), queue.touched_batches().size());
    for (const auto& [last, batch] : queue.touched_batches()) {
      EXPECT_EQ(rows::encode(other.touched_batches().at(last), false), rows::encode(batch, false));
    }
    EXPECT_EQ(again.info(other, now).ready, rig.info(id, now).ready);
  }
}

}  // namespace weir::core::test
