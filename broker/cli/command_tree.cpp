#include "broker/cli/command_tree.hpp"

#include <CLI/CLI.hpp>

namespace weir::cli {

const CLI::App* subcommand_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) {
      return command;
    }
  }
  return nullptr;
}

std::vector<std::string> subcommands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command :
       app.get_subcommands([](const CLI::App* at) { return !at->get_group().empty(); })) {
    names.push_back(command->get_name());
  }
  return names;
}

const CLI::Option* option_of(const CLI::App& app, const std::string& flag) {
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      if (option->nonpositional() && option->check_name(flag)) {
        return option;
      }
    }
  }
  return nullptr;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::App* at = &command; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        flags.push_back("--" + name);
      }
    }
  }
  return flags;
}

bool takes_a_value(const CLI::Option& option) {
  return option.get_items_expected_min() > 0;
}

}  // namespace weir::cli
