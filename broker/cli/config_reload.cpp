#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output_form.hpp"

#include <CLI/CLI.hpp>

#include <memory>

// `weir config reload`: a running broker reads its config file again.
namespace weir::cli {

void add_config_reload(CLI::App& parent, CommandLine& line) {
  CLI::App& command =
      *parent.add_subcommand("reload", "Have a running broker read its config file again");
  auto form = std::make_shared<OutputForm>();
  add_output_option(command, *form);
  command.footer(R"(
As SIGHUP does, and from afar: the file that the broker was started with (--config) is read where
the broker runs. What can be taken while it runs is in force at once; what takes a new start is
named and left. A file with a fault changes nothing, and the command says why (exit code 2); so it
does when the broker has no file (exit code 1). Flags and the environment still win over the file.

Example:
  weir config check --config /etc/weir/weir.toml
  weir config reload)");
  command.callback([&line, form] {
    line.action = [&line, form] {
      return show_answer(
          line.connection, *form, line.connection.url,
          [](Client& client) { return client.reload_config(); }, reload_text, reload_json);
    };
  });
}

}  // namespace weir::cli
