#pragma once

#include <CLI/App.hpp>

#include <string>
#include <vector>

// What a tree of commands knows, for those who read a command line that the parser did not take.
namespace weir::cli {

/// The command of that name directly below, or null.
[[nodiscard]] const CLI::App* subcommand_of(const CLI::App& app, const std::string& name);

/// The names of the commands directly below that the help lists, in its order.
[[nodiscard]] std::vector<std::string> subcommands_of(const CLI::App& app);

/// The option that `flag` names, of the command or of those above it, or null.
[[nodiscard]] const CLI::Option* option_of(const CLI::App& app, const std::string& flag);

/// All long options that a command takes, those of the commands above it too.
[[nodiscard]] std::vector<std::string> flags_of(const CLI::App& command);

/// Whether the word behind the option belongs to it.
[[nodiscard]] bool takes_a_value(const CLI::Option& option);

}  // namespace weir::cli
