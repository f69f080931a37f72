#pragma once

#include "tests/power/script.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace weir::power {

struct Scenario {
  std::string_view name;
  std::function<void(Script&)> play;
};

/// The scripted ones: short, so that every boundary between two calls can be tried.
[[nodiscard]] const std::vector<Scenario>& scenarios();

/// One drawn from the script's seed: settings, destinations, what clients do and how lives end.
void play_at_random(Script& script);

}  // namespace weir::power
