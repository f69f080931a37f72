#pragma once

#include "broker/cli/command.hpp"
#include "broker/cli/exit_code.hpp"
#include "broker/cli/late_client.hpp"
#include "weir/result.hpp"

#include <CLI/App.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

// The forms in which commands print what they found.
namespace weir::cli {

/// As the command line asks for it.
struct OutputForm {
  std::string kind = "table";  // table, json, or template=TEXT
  double watch_s = 0;          // again and again, with this pause; 0: once
};

/// Adds -o.
CLI::Option* add_output_option(CLI::App& command, OutputForm& form);
/// Adds -o and --watch, for commands that look at something that changes.
CLI::Option* add_output_options(CLI::App& command, OutputForm& form);

/// One look, as a person and as a script would read it; each ends with a newline.
struct Look {
  std::string table;
  std::string json;
};

/// Prints what `look` sees, in the form that was asked for; with --watch until SIGINT, in place on
/// a terminal, else one behind the other. An error ends it; `subject` as for report(), read when it
/// is needed.
[[nodiscard]] ExitCode show(const OutputForm& form, const std::function<Result<Look>()>& look,
                            const std::string& subject);

/// Prints what was seen, once, in the form that was asked for.
[[nodiscard]] ExitCode show(const OutputForm& form, Look seen, const std::string& subject);

/// Shows what a client is told: `ask(client)` gives a Result, of whose value `table` and `json`
/// make the forms.
template <class Ask, class Table, class Json>
[[nodiscard]] ExitCode show_answer(const Connection& connection, const OutputForm& form,
                                   const std::string& subject, Ask ask, Table table, Json json) {
  LateClient client(connection);
  std::string about = subject;
  const auto look = [&]() -> Result<Look> {
    const Result<Client*> connected = client.get();
    about = connected ? subject : connection.url;
    if (!connected) {
      return connected.error();
    }
    const auto answer = ask(**connected);
    if (!answer) {
      return answer.error();
    }
    return Look{.table = table(*answer), .json = json(*answer)};
  };
  return show(form, look, about);
}

/// The text with {field} replaced by that field of an object, of each in turn if `json` is an
/// array; \n, \t and \\ as in the other formats, {{ for a brace. INVALID_ARGUMENT names a field
/// that is not there, and those that are.
[[nodiscard]] Result<std::string> fill_template(std::string_view text, std::string_view json);

}  // namespace weir::cli
