#pragma once

#include "broker/server/stored_facts.hpp"
#include "proto/result.hpp"

#include <CLI/App.hpp>

#include <functional>
#include <string>
#include <vector>

namespace weir::server {

/// What such a command does.
using StoredWork = std::function<proto::Result<StoredFacts>(const WorkWatch& watch)>;

/// A command that looks at stored data and ends: parses `args` by `app`, to which it adds --output
/// and --no-progress, and prints the facts that `work` gives. SIGINT and SIGTERM make its watch
/// answer CANCELLED, with how far the work has come, so that it tidies up when it is broken off; a
/// second one ends the process at once. On a terminal a bar shows how far it has come, but not with
/// JSON. Returns the exit status (exit_status.hpp); anything but kExitDone comes with one line on
/// the standard error, in the manner of the other commands. One at a time.
[[nodiscard]] int run_own_command(CLI::App& app, const std::vector<std::string>& args,
                                  const StoredWork& work);

}  // namespace weir::server
