#include "tests/sim/campaign.hpp"

#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>

namespace weir::sim {
namespace {

CampaignPlan plan(std::uint64_t runs, const std::string& state_file) {
  CampaignPlan made;
  made.first_seed = 5;
  made.runs = runs;
  made.steps = 50;
  made.state_file = state_file;
  return made;
}

/// The exit code, and what was printed.
std::pair<int, std::string> run(CampaignPlan made) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = Campaign(std::move(made)).run();
  return {code, testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr()};
}

class CampaignTest : public ::testing::Test {
 protected:
  storage::TempDir dir_;
};

TEST_F(CampaignTest, GoesOnWhereItsStateSaysAndAddsToItsTotals) {
  const std::string in_parts = dir_.file("parts");
  EXPECT_NE(run(plan(3, in_parts)).second.find("3 seeds from 5"), std::string::npos);
  const auto [code, said] = run(plan(4, in_parts));
  EXPECT_EQ(code, 0) << said;
  EXPECT_NE(said.find("4 seeds from 8"), std::string::npos) << said;
  EXPECT_NE(said.find("in all 7 seeds from 5"), std::string::npos) << said;
  const std::string at_once = dir_.file("once");
  EXPECT_EQ(run(plan(7, at_once)).first, 0);
  EXPECT_EQ(storage::read_file(in_parts), storage::read_file(at_once));
}

TEST_F(CampaignTest, TellsASeedThatBreaksAPromiseAndHowToRunItAgain) {
  CampaignPlan planted = plan(10, "");  // the story of one of them has a crash in it
  planted.steps = 400;
  planted.overrides = {"planted_loss=1", "crash_per_mille=20"};
  const auto [code, said] = run(planted);
  EXPECT_EQ(code, 1);
  EXPECT_NE(said.find("--set crash_per_mille=20 --set planted_loss=1"), std::string::npos) << said;
  EXPECT_NE(said.find("! crash"), std::string::npos) << said;
  EXPECT_NE(said.find("! VIOLATION"), std::string::npos) << said;
}

TEST_F(CampaignTest, DoesNotTakeAnotherFileForItsState) {
  const std::string path = dir_.file("state");
  std::ofstream(path) << "something else\n";
  EXPECT_EQ(run(plan(1, path)).first, 2);
  EXPECT_EQ(storage::read_file(path), "something else\n");
}

TEST_F(CampaignTest, SaysWhenTheStateCannotBeKept) {
  EXPECT_EQ(run(plan(1, dir_.file("no/such/state"))).first, 2);
}

}  // namespace
}  // namespace weir::sim
