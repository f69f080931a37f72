#include "tests/sim/shrink.hpp"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

/// A disk that loses what it called durable: any seed with a few crashes finds it, and of five four
/// become much smaller. Another generator may want another seed here.
const Plan kPlanted{5, 400, {"planted_loss=1", "crash_per_mille=20"}};

TEST(Simulation, FindsADiskThatLosesWhatItKept) {
  const RunResult result = run(kPlanted, Telling::kNothing);
  ASSERT_TRUE(result.violation);
  EXPECT_EQ(run(kPlanted, Telling::kNothing).digest, result.digest);
  const RunResult told = run(kPlanted, Telling::kStory);
  EXPECT_EQ(told.digest, result.digest) << "telling changes nothing";
  EXPECT_EQ(told.violation->what, result.violation->what);
  EXPECT_NE(tell(*told.violation, told.events).back().find("VIOLATION"), std::string::npos);
}

TEST(Shrink, FindsASmallerRunThatBreaksTheSamePromise) {
  const RunResult found = run(kPlanted, Telling::kNothing);
  ASSERT_TRUE(found.violation);
  int helped = 0;
  const Shrunk shrunk = shrink(kPlanted.seed, found.options, *found.violation, 300,
                               [&helped](const std::string&) { ++helped; });
  EXPECT_GT(helped, 5);
  EXPECT_LE(shrunk.runs, 300U);
  EXPECT_EQ(kind_of(shrunk.violation), kind_of(*found.violation));
  EXPECT_LT(shrunk.options.steps, found.options.steps / 2);
  EXPECT_EQ(shrunk.options.cut_per_mille, 0U);
  EXPECT_EQ(shrunk.options.planted_loss, 1U) << "what makes the fault is not taken away";
  const RunResult again = run(kPlanted.seed, shrunk.options, Telling::kNothing);
  ASSERT_TRUE(again.violation);
  EXPECT_EQ(again.violation->what, shrunk.violation.what);
}

TEST(Shrink, TheCommandLeadsToTheSameOptions) {
  Options options = options_of(kPlanted).value();
  options.steps = 17;
  options.salt = 4;
  options.queues = 1;
  const std::string command = command_of(kPlanted.seed, kPlanted.mean_steps, options);
  Plan plan{kPlanted.seed, kPlanted.mean_steps, {}};
  for (std::size_t at = command.find("--set "); at != std::string::npos;
       at = command.find("--set ", at + 1)) {
    const std::size_t begin = at + 6;
    plan.overrides.push_back(command.substr(begin, command.find(' ', begin) - begin));
  }
  EXPECT_EQ(to_string(options_of(plan).value()), to_string(options));
}

TEST(Options, AnOverrideMustNameAnOptionAndANumber) {
  Options options;
  EXPECT_TRUE(set_by_text(options, "queues=3"));
  EXPECT_EQ(options.queues, 3U);
  for (const char* wrong : {"queues", "queues=", "queues=x", "queues=-1", "queues=3x", "no=1",
                            "queues=4294967296", ""}) {
    EXPECT_FALSE(set_by_text(options, wrong)) << wrong;
  }
  EXPECT_EQ(options.queues, 3U);
}

}  // namespace
}  // namespace weir::sim
