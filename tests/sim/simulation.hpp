#pragma once

#include "proto/result.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/report.hpp"
#include "tests/sim/story.hpp"
#include "tests/sim/world.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::sim {

struct RunResult {
  Report report;
  std::uint64_t digest = 0;  // of everything said and of the store at the end
  Options options;
  std::optional<Violation> violation;
  std::vector<StoryEvent> events;  // none unless they are told
};

/// What makes a run: the same plan gives the same run.
struct Plan {
  std::uint64_t seed = 1;
  std::uint32_t mean_steps = 2000;
  std::vector<std::string> overrides;  // "name=value", over what the seed draws
};

/// The options that the plan leads to; INVALID_ARGUMENT for an override that names none.
proto::Result<Options> options_of(const Plan& plan);

/// One seed from an empty store to a drained one.
RunResult run(const Plan& plan, Telling telling);
RunResult run(std::uint64_t seed, const Options& options, Telling telling);

}  // namespace weir::sim
