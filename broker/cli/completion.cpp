#include "broker/cli/command.hpp"
#include "broker/cli/complete.hpp"
#include "broker/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace weir::cli {

void add_completion(CLI::App& parent, CommandLine& line) {
  CLI::App& command =
      *parent.add_subcommand("completion", "Print what makes a shell complete the commands");
  auto shell = std::make_shared<std::string>();
  command.add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command.footer(R"(
Commands, options, and the names of contexts, queues, topics, namespaces and services, which the
broker is asked for.

Example:
  weir completion bash > /etc/bash_completion.d/weir
  source <(weir completion bash)
  weir completion fish > ~/.config/fish/completions/weir.fish)");
  command.callback([&line, shell] {
    line.is_local = true;
    line.action = [shell] { return print(completion_script(*shell)); };
  });
}

}  // namespace weir::cli
