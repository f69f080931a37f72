#pragma once

#include "tests/sim/report.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::sim {

struct RunResult {
  Report report;
  std::uint64_t digest = 0;  // of everything said and of the store at the end
  std::string options;
  std::optional<std::string> violation;
};

/// One seed from an empty store to a drained one.
RunResult run_seed(std::uint64_t seed, std::uint32_t mean_steps, bool trace);

}  // namespace weir::sim
