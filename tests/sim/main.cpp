#include "tests/sim/campaign.hpp"
#include "tests/sim/shrink.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string_view>

namespace {

using weir::sim::CampaignPlan;

constexpr std::uint32_t kShrinkRuns = 2000;
constexpr std::string_view kUsage =
    "usage: weir-sim [--seed N] [--first-seed N] [--runs N] [--steps AVERAGE] [--jobs N]\n"
    "                [--set OPTION=VALUE]... [--twice] [--trace] [--shrink] [--coverage]\n"
    "                [--state FILE]\n";

struct Arguments {
  CampaignPlan plan;
  bool shrink = false;
  bool valid = true;
};

bool take_flag(std::string_view name, Arguments& arguments) {
  bool* const flag = name == "--twice"      ? &arguments.plan.twice
                     : name == "--trace"    ? &arguments.plan.trace
                     : name == "--coverage" ? &arguments.plan.coverage
                     : name == "--shrink"   ? &arguments.shrink
                                            : nullptr;
  if (flag != nullptr) {
    *flag = true;
  }
  return flag != nullptr;
}

bool take_number(std::string_view name, std::string_view text, CampaignPlan& plan) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
    return false;
  }
  if (name == "--seed" || name == "--first-seed") {
    plan.first_seed = value;
  } else if (name == "--runs") {
    plan.runs = value;
  } else if (name == "--steps") {
    plan.steps = static_cast<std::uint32_t>(value);
  } else if (name == "--jobs") {
    plan.jobs = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(value, 1, 64));
  } else {
    return false;
  }
  return true;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc && arguments.valid; ++i) {
    const std::string_view name = argv[i];
    if (take_flag(name, arguments)) {
      continue;
    }
    if (++i == argc) {
      arguments.valid = false;
    } else if (name == "--set") {
      arguments.plan.overrides.emplace_back(argv[i]);
    } else if (name == "--state") {
      arguments.plan.state_file = argv[i];
    } else {
      arguments.valid = take_number(name, argv[i], arguments.plan);
    }
  }
  return arguments;
}

int shrink(const CampaignPlan& plan) {
  const std::uint64_t seed = plan.first_seed;
  const auto found =
      weir::sim::run({seed, plan.steps, plan.overrides}, weir::sim::Telling::kNothing);
  if (!found.violation) {
    std::cout << "seed " << seed << " breaks no promise\n";
    return 0;
  }
  const auto shrunk =
      weir::sim::shrink(seed, found.options, *found.violation, kShrinkRuns,
                        [](const std::string& helped) { std::cout << "  " << helped << "\n"; });
  const auto told = weir::sim::run(seed, shrunk.options, weir::sim::Telling::kStory);
  std::cout << shrunk.violation.what << "\n";
  for (const std::string& line : weir::sim::tell(shrunk.violation, told.events)) {
    std::cout << line << "\n";
  }
  std::cout << weir::sim::command_of(seed, plan.steps, shrunk.options) << "\n"
            << shrunk.runs << " runs were tried\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const auto options = weir::sim::options_of(
      {arguments.plan.first_seed, arguments.plan.steps, arguments.plan.overrides});
  if (!arguments.valid || !options) {
    std::cerr << (options ? "" : options.error().message + "\n") << kUsage;
    return 2;
  }
  return arguments.shrink ? shrink(arguments.plan) : weir::sim::Campaign(arguments.plan).run();
}
