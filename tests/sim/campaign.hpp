#pragma once

#include "tests/sim/simulation.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace weir::sim {

/// What is to be run, and what is to be said of it.
struct CampaignPlan {
  std::uint64_t first_seed = 1;
  std::uint64_t runs = 1;
  std::uint32_t steps = 2000;
  std::vector<std::string> overrides;
  std::uint32_t jobs = 1;
  bool twice = false;     // each seed, and the two must say the same
  bool trace = false;     // everything, while it happens
  bool coverage = false;  // the table
  /// Where the campaign keeps its place and its totals; empty: nowhere. It goes on where the file
  /// says, whatever first_seed is.
  std::string state_file;
};

/// Runs seeds on several threads; each run is alone in its world.
class Campaign {
 public:
  /// From this many seeds on everything that can happen must have happened.
  static constexpr std::uint64_t kSeedsForMarks = 2000;
  static constexpr std::uint64_t kSeedsForCoverage = 20'000;

  explicit Campaign(CampaignPlan plan) : plan_(std::move(plan)) {}
  /// The exit code: 1 where a promise was broken, two runs differ, or something never happened; 2
  /// where the file with the state cannot be used.
  int run();

 private:
  bool load();
  [[nodiscard]] bool save() const;
  void work_on(std::uint64_t limit);
  void work();
  void run_one(std::uint64_t seed);
  void tell_failure(std::uint64_t seed, const RunResult& result);
  int judge();

  const CampaignPlan plan_;
  std::mutex mutex_;
  std::uint64_t next_ = 0;   // of this call, as the next two
  std::uint64_t limit_ = 0;  // of the seeds until the state is saved again
  std::uint64_t done_ = 0;
  std::uint64_t before_ = 0;  // in earlier calls, from the state
  std::uint64_t first_seed_ = 1;
  std::string since_;  // the version that the totals begin with
  std::uint64_t failures_ = 0;
  std::uint64_t failed_before_ = 0;
  Report report_;
};

}  // namespace weir::sim
