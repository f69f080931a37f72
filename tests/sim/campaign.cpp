#include "tests/sim/campaign.hpp"

#include "tests/sim/git_version.hpp"
#include "tests/sim/shrink.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

namespace weir::sim {
namespace {

constexpr std::uint64_t kMaxFailures = 20;
constexpr std::uint64_t kSeedsBetweenSaves = 500;
constexpr std::string_view kStateFormat = "weir-sim state 1";

}  // namespace

int Campaign::run() {
  first_seed_ = plan_.first_seed;
  since_ = kGitVersion;
  if (!plan_.state_file.empty() && !load()) {
    std::cerr << "weir-sim: '" << plan_.state_file << "' is no state of a campaign\n";
    return 2;
  }
  while (done_ < plan_.runs && failures_ < kMaxFailures) {
    work_on(std::min(plan_.runs, done_ + kSeedsBetweenSaves));
    if (!plan_.state_file.empty() && !save()) {
      std::cerr << "weir-sim: cannot write '" << plan_.state_file << "'\n";
      return 2;
    }
  }
  return judge();
}

/// Ends when every seed that it began has ended, so that the place is a number.
void Campaign::work_on(std::uint64_t limit) {
  limit_ = limit;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < plan_.jobs; ++i) {
    threads.emplace_back([this] { work(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

int Campaign::judge() {
  report_.print(std::cout);
  if (plan_.coverage) {
    report_.coverage().print(std::cout);
  }
  const std::uint64_t seeds = before_ + done_;
  if (seeds >= kSeedsForMarks) {
    for (const std::string& mark : report_.missing()) {
      std::cout << "never happened: " << mark << "\n";
      ++failures_;
    }
  }
  const std::vector<std::string> blind = report_.coverage().blind();
  if (seeds >= kSeedsForCoverage) {
    for (const std::string& cell : blind) {
      std::cout << "never reached: " << cell << "\n";
    }
    failures_ += blind.size();
  }
  std::cout << done_ << " seeds from " << first_seed_ + before_ << ", " << plan_.steps
            << " steps on average" << (plan_.twice ? ", twice" : "") << ": " << failures_
            << " failed; " << blind.size() << " cells of the coverage not reached yet\n";
  if (!plan_.state_file.empty()) {
    std::cout << "in all " << seeds << " seeds from " << first_seed_ << " since " << since_ << ": "
              << failed_before_ + failures_ << " failed\n";
  }
  return failures_ == 0 ? 0 : 1;
}

void Campaign::work() {
  for (;;) {
    std::uint64_t seed = 0;
    {
      const std::scoped_lock lock(mutex_);
      if (next_ == limit_ || failures_ >= kMaxFailures) {
        return;
      }
      seed = first_seed_ + before_ + next_++;
    }
    run_one(seed);
  }
}

void Campaign::run_one(std::uint64_t seed) {
  const Plan plan{seed, plan_.steps, plan_.overrides};
  const RunResult result =
      weir::sim::run(plan, plan_.trace ? Telling::kEverything : Telling::kNothing);
  const bool differs =
      plan_.twice && weir::sim::run(plan, Telling::kNothing).digest != result.digest;
  const std::scoped_lock lock(mutex_);
  report_.merge(result.report);
  if (result.violation) {
    tell_failure(seed, result);
  } else if (differs) {
    std::cout << "seed " << seed << ": two runs differ\n";
  }
  if (result.violation || differs) {
    ++failures_;
  }
  if (plan_.trace) {
    std::cout << "seed " << seed << ": " << to_string(result.options) << "; digest "
              << result.digest << "\n";
  }
  ++done_;
}

/// The seed, what it plays with, the version, the promise that broke, and what led to it.
void Campaign::tell_failure(std::uint64_t seed, const RunResult& result) {
  std::cout << "seed " << seed << " at " << kGitVersion << ": " << result.violation->what << "\n  "
            << to_string(result.options)
            << "\n  again: " << command_of(seed, plan_.steps, result.options)
            << " (everything: --trace; smaller: --shrink)\n";
  const RunResult told =
      plan_.trace ? result : weir::sim::run(seed, result.options, Telling::kStory);
  for (const std::string& line : tell(*result.violation, told.events)) {
    std::cout << "  " << line << "\n";
  }
  std::cout << std::flush;  // a long campaign may be broken off
}

bool Campaign::load() {
  std::ifstream file(plan_.state_file);
  if (!file) {
    return true;  // a new campaign
  }
  std::string line;
  if (!std::getline(file, line) || line != kStateFormat) {
    return false;
  }
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind >> std::ws;
    if (kind == "first") {
      words >> first_seed_;
    } else if (kind == "seeds") {
      words >> before_;
    } else if (kind == "failed") {
      words >> failed_before_;
    } else if (kind == "since") {
      std::getline(words, since_);
    } else {
      (void)report_.load(line);  // what is counted no longer is left out
    }
  }
  return true;
}

bool Campaign::save() const {
  const std::string next = plan_.state_file + ".next";
  {
    std::ofstream file(next, std::ios::trunc);
    file << kStateFormat << "\nfirst " << first_seed_ << "\nseeds " << before_ + done_
         << "\nfailed " << failed_before_ + failures_ << "\nsince " << since_ << "\n";
    report_.save(file);
    if (!file.flush()) {
      return false;
    }
  }
  return std::rename(next.c_str(), plan_.state_file.c_str()) == 0;
}

}  // namespace weir::sim
