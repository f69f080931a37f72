#include "tests/sim/faults.hpp"

#include <algorithm>

namespace weir::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kNames = {
    "none",      "crash",       "broken start", "stop",       "reset",          "cut",
    "half-open", "failed sync", "slow sync",    "lying sync", "failed load",    "slow load",
    "stall",     "wall clock",  "refusal",      "import",     "replica restart"};

}  // namespace

std::string_view name(Fault fault) {
  return kNames[static_cast<std::size_t>(fault)];
}

void FaultCalendar::end(Fault fault, std::int64_t now_us) {
  if (std::int64_t& until = until_us_[index(fault)]; until == INT64_MAX) {
    until = now_us + kAftermathUs;
  }
}

void FaultCalendar::last(Fault fault, std::int64_t until_us) {
  std::int64_t& known = until_us_[index(fault)];
  known = std::max(known, until_us + kAftermathUs);
}

FaultSet FaultCalendar::since(std::int64_t time_us) const {
  FaultSet found = 0;
  for (std::size_t i = 1; i < kFaults; ++i) {
    if (until_us_[i] != 0 && until_us_[i] >= time_us) {
      found |= FaultSet{1} << i;
    }
  }
  return found == 0 ? bit(Fault::kNone) : found;
}

}  // namespace weir::sim
