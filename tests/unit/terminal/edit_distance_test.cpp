#include "broker/terminal/edit_distance.hpp"

#include <gtest/gtest.h>

namespace weir::terminal {
namespace {

TEST(EditDistance, CountsLettersThatAreInsertedRemovedOrChanged) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("queue", "queue"), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("queue", "queues"), 1U);
  EXPECT_EQ(edit_distance("data_dri", "data_dir"), 2U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

}  // namespace
}  // namespace weir::terminal
