#pragma once

#include "tests/sim/simulation.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace weir::sim {

/// A smaller run that breaks the same promise.
struct Shrunk {
  Options options;
  Violation violation;
  std::uint32_t runs = 0;  // that were tried
};

/// Makes a run that fails smaller as long as it still breaks the same promise (kind_of): fewer
/// steps, faults switched off one by one, fewer machines, queues and partitions, plain sizes. Tries
/// at most `max_runs` runs. `tell` hears of each step that helped.
Shrunk shrink(std::uint64_t seed, const Options& options, const Violation& violation,
              std::uint32_t max_runs, const std::function<void(const std::string&)>& tell);

/// The command that runs it again.
std::string command_of(std::uint64_t seed, std::uint32_t mean_steps, const Options& options);

}  // namespace weir::sim
