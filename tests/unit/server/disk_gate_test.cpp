#include "broker/server/disk_gate.hpp"

#include <gtest/gtest.h>

namespace weir::server {
namespace {

using Ballast = DiskGate::Ballast;

TEST(DiskGate, RefusesSendsBelowTheLimitAndOpensALittleAbove) {
  DiskGate gate({.min_free_bytes = 1'000, .ballast_bytes = 0}, false);
  EXPECT_FALSE(gate.look(1'000).refuse_sends);
  EXPECT_TRUE(gate.look(999).refuse_sends);
  EXPECT_TRUE(gate.look(1'099).refuse_sends);
  EXPECT_FALSE(gate.look(1'100).refuse_sends);
  EXPECT_FALSE(gate.look(1'000).refuse_sends);
}

TEST(DiskGate, ReleasesTheBallastOnceAndDoesNotCountItAsFree) {
  DiskGate gate({.min_free_bytes = 1'000, .ballast_bytes = 5'000}, true);
  EXPECT_EQ(gate.look(999).ballast, Ballast::kKeep);
  EXPECT_EQ(gate.look(499).ballast, Ballast::kRelease);
  const DiskGate::Verdict after = gate.look(5'499);
  EXPECT_TRUE(after.refuse_sends);
  EXPECT_EQ(after.ballast, Ballast::kKeep);
}

TEST(DiskGate, LaysTheBallastDownAgainWhenThereIsRoom) {
  DiskGate gate({.min_free_bytes = 1'000, .ballast_bytes = 5'000}, true);
  ASSERT_EQ(gate.look(400).ballast, Ballast::kRelease);
  const DiskGate::Verdict verdict = gate.look(7'000);
  EXPECT_FALSE(verdict.refuse_sends);
  EXPECT_EQ(verdict.ballast, Ballast::kRestore);
  EXPECT_EQ(gate.look(2'000).ballast, Ballast::kKeep);
}

}  // namespace
}  // namespace weir::server
