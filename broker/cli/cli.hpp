#pragma once

#include <functional>
#include <string>
#include <vector>

namespace weir::cli {

/// Runs the broker with what follows `serve` on the command line; returns the exit status.
using ServeFunction = std::function<int(const std::vector<std::string>&)>;

/// All of the program `weir`: `args` without the program's name. Returns the exit status (see
/// exit_code.hpp). Ignores SIGPIPE in the whole process. Call once, from the first thread.
[[nodiscard]] int run(const std::vector<std::string>& args, const ServeFunction& serve);

}  // namespace weir::cli
