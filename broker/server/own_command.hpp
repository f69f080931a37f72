#pragma once

#include "broker/server/stored_facts.hpp"
#include "proto/result.hpp"

#include <CLI/App.hpp>

#include <functional>
#include <string>
#include <vector>

namespace weir::server {

/// A command that looks at stored data and ends: parses `args` by `app`, to which it adds --output,
/// and prints the facts that `work` gives. SIGINT and SIGTERM make MayGoOn CANCELLED, so that work
/// tidies up when it is broken off; a second one ends the process at once. Returns the exit status
/// (exit_status.hpp); anything but kExitDone comes with one line on the standard error, in the
/// manner of the other commands. One at a time.
[[nodiscard]] int run_own_command(
    CLI::App& app, const std::vector<std::string>& args,
    const std::function<proto::Result<StoredFacts>(const MayGoOn& may_go_on)>& work);

}  // namespace weir::server
