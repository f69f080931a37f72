#include "tests/sim/simulation.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using weir::sim::Report;
using weir::sim::RunResult;

struct Arguments {
  std::uint64_t first_seed = 1;
  std::uint64_t runs = 1;
  std::uint32_t steps = 2000;
  std::uint32_t jobs = 1;
  bool twice = false;
  bool trace = false;
  bool valid = true;
};

constexpr std::uint64_t kCampaignRuns = 2000;  // from here on every cell must have occurred

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--twice" || name == "--trace") {
      (name == "--twice" ? arguments.twice : arguments.trace) = true;
      continue;
    }
    std::uint64_t value = 0;
    if (i + 1 == argc) {
      arguments.valid = false;
      break;
    }
    const char* text = argv[++i];
    const char* end = text + std::strlen(text);
    const auto parsed = std::from_chars(text, end, value);
    arguments.valid = arguments.valid && parsed.ec == std::errc{} && parsed.ptr == end;
    if (name == "--seed" || name == "--first-seed") {
      arguments.first_seed = value;
    } else if (name == "--runs") {
      arguments.runs = value;
    } else if (name == "--steps") {
      arguments.steps = static_cast<std::uint32_t>(value);
    } else if (name == "--jobs") {
      arguments.jobs = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(value, 1, 64));
    } else {
      arguments.valid = false;
    }
  }
  return arguments;
}

/// Runs seeds on several threads; each run is alone in its world.
class Campaign {
 public:
  explicit Campaign(Arguments arguments) : arguments_(arguments) {}

  int run() {
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < arguments_.jobs; ++i) {
      threads.emplace_back([this] { work(); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    report_.print(std::cout);
    std::cout << arguments_.runs << " seeds from " << arguments_.first_seed << ", "
              << arguments_.steps << " steps on average" << (arguments_.twice ? ", twice" : "")
              << ": " << failures_ << " failed\n";
    if (failures_ == 0 && arguments_.runs >= kCampaignRuns) {
      for (const std::string& cell : report_.missing()) {
        std::cout << "never happened: " << cell << "\n";
        ++failures_;
      }
    }
    return failures_ == 0 ? 0 : 1;
  }

 private:
  void work() {
    for (;;) {
      std::uint64_t seed = 0;
      {
        const std::scoped_lock lock(mutex_);
        if (next_ == arguments_.runs || failures_ >= kMaxFailures) {
          return;
        }
        seed = arguments_.first_seed + next_++;
      }
      const RunResult first = weir::sim::run_seed(seed, arguments_.steps, arguments_.trace);
      bool differs = false;
      if (arguments_.twice) {
        differs = weir::sim::run_seed(seed, arguments_.steps, false).digest != first.digest;
      }
      const std::scoped_lock lock(mutex_);
      report_.merge(first.report);
      if (first.violation || differs) {
        ++failures_;
        std::cout << "seed " << seed << ": " << first.violation.value_or("two runs differ")
                  << "\n  " << first.options << "\n";
      }
      if (arguments_.trace) {
        std::cout << "seed " << seed << ": " << first.options << "; digest " << first.digest
                  << "\n";
      }
    }
  }

  static constexpr int kMaxFailures = 20;
  const Arguments arguments_;
  std::mutex mutex_;
  std::uint64_t next_ = 0;
  int failures_ = 0;
  Report report_;
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  if (!arguments.valid) {
    std::cerr << "usage: weir-sim [--seed N] [--first-seed N] [--runs N] [--steps AVERAGE] "
                 "[--jobs N] [--twice] [--trace]\n";
    return 2;
  }
  return Campaign(arguments).run();
}
