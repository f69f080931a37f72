#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weir::cli {

/// Commands that work on a data directory or a file and not through a client, by their name, of one
/// or two words: each gets what follows the name on the command line, parses that by itself, and
/// returns the exit status.
struct OwnCommand {
  std::function<int(const std::vector<std::string>&)> run;
  /// Its options, for shells to complete.
  std::function<std::vector<std::string>()> flags = {};
};
using OwnCommands = std::map<std::string, OwnCommand, std::less<>>;

/// All of the program `weir`: `args` without the program's name. Returns the exit status (see
/// exit_code.hpp). Ignores SIGPIPE in the whole process. Call once, from the first thread.
[[nodiscard]] int run(const std::vector<std::string>& args, const OwnCommands& commands);

}  // namespace weir::cli
