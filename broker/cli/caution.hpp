#pragma once

#include "broker/cli/exit_code.hpp"

#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <string_view>

// What commands share that destroy something: they say what would happen, and ask before it does.
namespace weir::cli {

struct Caution {
  bool yes = false;
  bool dry_run = false;
};

/// Adds --yes and --dry-run. `caution` lives until the action has run.
void add_caution(CLI::App& command, Caution& caution);

/// Where a question may be asked.
struct Asking {
  bool may_ask = false;  // somebody sits there
  int in = 0;            // file descriptors
  int out = 2;
};
/// The standard input and error; may ask when the input is a terminal.
[[nodiscard]] Asking standard_asking();

/// Nothing: go on. Otherwise how the command ends, with all said: kDone for a dry run, kRefused for
/// a no, kBadUsage where nobody can be asked and --yes is missing. `what` is a sentence without its
/// stop: "queue mail and its 5 messages are deleted".
[[nodiscard]] std::optional<ExitCode> hold_back(const Caution& caution, std::string_view what,
                                                const Asking& asking = standard_asking());

/// "1 message", "5 messages".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view thing);

}  // namespace weir::cli
