#pragma once

#include "broker/cli/exit_code.hpp"
#include "broker/cli/output_form.hpp"

#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <string_view>

// What commands share that destroy something: they say what would happen, ask before it does, and
// say what they did.
namespace weir::cli {

struct Caution {
  bool yes = false;
  bool dry_run = false;
  OutputForm form;
  /// Whether what would happen has to be known before it does.
  [[nodiscard]] bool looks_first() const { return !yes || dry_run; }
};

/// Adds --yes, --dry-run and -o. `caution` lives until the action has run.
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
/// stop: "queue mail and its 5 messages are deleted"; `json` is what a dry run prints where that
/// is asked for.
[[nodiscard]] std::optional<ExitCode> hold_back(const Caution& caution, std::string_view what,
                                                const std::string& json,
                                                const Asking& asking = standard_asking());

}  // namespace weir::cli
