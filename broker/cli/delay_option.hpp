#pragma once

#include "weir/options.hpp"
#include "weir/result.hpp"

#include <CLI/App.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace weir::cli {

/// Until when messages are put off, as a command line says it.
struct DelayOption {
  std::optional<std::int64_t> delay_ms;
  std::string until;

  [[nodiscard]] bool is_set() const { return delay_ms.has_value() || !until.empty(); }
  /// From now on; a moment that has passed is now. INVALID_ARGUMENT for a moment that is none.
  [[nodiscard]] Result<std::chrono::milliseconds> delay() const;
};

/// Adds --delay-ms and --until, of which a command line has one.
void add_delay_options(CLI::App& command, DelayOption& option);

}  // namespace weir::cli
