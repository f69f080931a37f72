#include "broker/cli/misspelling.hpp"

#include "broker/cli/command_tree.hpp"
#include "broker/terminal/edit_distance.hpp"
#include "broker/terminal/facts.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace weir::cli {
namespace {

using Words = std::vector<std::string_view>;

// Verbs that people bring from elsewhere, beside those of ours that mean the same.
const std::vector<Words>& synonyms() {
  static const std::vector<Words> sets = {
      {"ls", "list"},
      {"info", "show", "describe", "get", "status", "inspect"},
      {"delete", "rm", "remove", "del", "drop"},
      {"create", "add", "new", "make"},
      {"send", "publish", "put", "push", "produce"},
      {"receive", "consume", "pull", "pop", "read", "tail"},
      {"peek", "browse", "look"},
      {"purge", "clear", "empty", "truncate"},
      {"update", "set", "alter", "edit"},
      {"kick", "kill", "disconnect"},
      {"health", "ping"},
  };
  return sets;
}

// "weir queue: there is no verb 'list'"
std::string there_is_no(std::string_view kind, std::string_view word, std::string_view path) {
  std::string text(path);
  return text.append(": there is no ").append(kind).append(" '").append(word).append("'");
}

std::string did_you_mean(const std::string& meant) {
  return meant.empty() ? std::string() : "; did you mean '" + meant + "'?";
}

std::string there_are(const std::vector<std::string>& names) {
  return "; there are: " + terminal::joined(names);
}

}  // namespace

std::string closest(std::string_view word, const std::vector<std::string>& names) {
  for (const Words& set : synonyms()) {
    if (std::ranges::find(set, word) == set.end()) {
      continue;
    }
    const auto found = std::ranges::find_first_of(names, set);
    if (found != names.end()) {
      return *found;
    }
  }
  constexpr std::size_t kMaxDistance = 2;
  std::string best;
  std::size_t best_distance = kMaxDistance + 1;
  for (const std::string& name : names) {
    const std::size_t apart = terminal::edit_distance(word, name);
    // Of a short word nothing would be left.
    if (apart < best_distance && 2 * apart <= std::min(word.size(), name.size())) {
      best = name;
      best_distance = apart;
    }
  }
  return best;
}

std::optional<std::string> find_misspelling(const CLI::App& app,
                                            const std::vector<std::string>& args) {
  const CLI::App* command = &app;
  std::string path = app.get_name();
  const auto kind = [&] { return command == &app ? "command" : "verb"; };
  for (std::size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    const std::string& word = args[i];
    const std::vector<std::string> names = subcommands_of(*command);
    if (word.starts_with("--")) {
      const std::string flag = word.substr(0, word.find('='));
      const CLI::Option* const option = option_of(*command, flag);
      if (option == nullptr) {
        const std::string meant = closest(flag, flags_of(*command));
        return there_is_no("option", flag, path) + did_you_mean(meant);
      }
      if (takes_a_value(*option) && flag == word) {
        ++i;
      }
    } else if (word.starts_with('-')) {
      const CLI::Option* const option = option_of(*command, word);
      if (option != nullptr && takes_a_value(*option)) {
        ++i;
      }
    } else if (const CLI::App* const inner = subcommand_of(*command, word)) {
      command = inner;
      path.append(" ").append(word);
    } else if (!names.empty()) {
      const std::string meant = closest(word, names);
      return there_is_no(kind(), word, path) +
             (meant.empty() ? there_are(names) : did_you_mean(meant));
    }
  }
  const std::vector<std::string> names = subcommands_of(*command);
  return names.empty() ? std::nullopt
                       : std::optional(path + ": a " + kind() + " is missing" + there_are(names));
}

}  // namespace weir::cli
