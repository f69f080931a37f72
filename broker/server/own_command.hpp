#pragma once

#include "proto/result.hpp"

#include <CLI/App.hpp>

#include <functional>
#include <string>
#include <vector>

namespace weir::server {

/// A command that works on directories and ends: parses `args` by `app`, then prints the text that
/// `work` gives. Returns the exit status: 0 done, 1 refused, 2 bad usage; anything but 0 comes with
/// one line on the standard error, in the manner of the other commands.
[[nodiscard]] int run_own_command(CLI::App& app, const std::vector<std::string>& args,
                                  const std::function<proto::Result<std::string>()>& work);

/// Catches SIGINT and SIGTERM while it lives, for work that tidies up when it is broken off. One at
/// a time. A second signal ends the process at once.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// CANCELLED once a signal has come.
  [[nodiscard]] proto::Result<> check() const;
};

}  // namespace weir::server
