#include "broker/cli/complete.hpp"

#include "broker/cli/command_tree.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace weir::cli {
namespace {

// Where the words lead.
struct Place {
  const CLI::App* command;
  std::size_t positionals = 0;                // that stand there already
  const CLI::Option* awaits_value = nullptr;  // of the last word
  bool is_behind_dashes = false;
};

Place follow(const CLI::App& app, const std::vector<std::string>& words) {
  Place place{.command = &app};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    place.awaits_value = nullptr;
    if (place.is_behind_dashes) {
      continue;
    }
    if (word == "--") {
      place.is_behind_dashes = true;
    } else if (word.starts_with('-')) {
      const CLI::Option* const option = option_of(*place.command, word);
      if (option != nullptr && takes_a_value(*option)) {
        place.awaits_value = option;
        ++i;  // its value, unless that is what is typed
        if (i + 1 < words.size()) {
          place.awaits_value = nullptr;
        }
      }
    } else if (const CLI::App* const inner = subcommand_of(*place.command, word)) {
      place.command = inner;
    } else {
      ++place.positionals;
    }
  }
  return place;
}

// The words that the help lists for a value: "KIND:{lz4,none,zstd}".
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}', begin == std::string::npos ? 0 : begin);
  std::vector<std::string> values;
  if (begin == std::string::npos || end == std::string::npos) {
    return values;
  }
  std::string_view rest = std::string_view(type).substr(begin + 1, end - begin - 1);
  while (!rest.empty()) {
    std::string_view value = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), value.size() + 1));
    values.emplace_back(value);
  }
  return values;
}

std::vector<std::string> candidates_at(const Place& place, const std::string& word,
                                       const CompletionSources& sources) {
  if (place.awaits_value != nullptr) {
    return place.awaits_value->check_name("--context") ? sources.contexts()
                                                       : values_of(*place.awaits_value);
  }
  if (place.is_behind_dashes) {
    return {};
  }
  const std::string name = place.command->get_name();
  const CLI::App* const group = place.command->get_parent();
  const std::string kind = group != nullptr ? group->get_name() : std::string();
  if (word.starts_with('-')) {
    const bool is_in_a_group = group != nullptr && group->get_parent() != nullptr;
    std::vector<std::string> flags = sources.own_flags(is_in_a_group ? kind + " " + name : name);
    if (flags.empty()) {
      flags = flags_of(*place.command);
    }
    return flags;
  }
  std::vector<std::string> candidates = subcommands_of(*place.command);
  if (!candidates.empty() || place.positionals > 0) {
    return candidates;
  }
  const bool names_a_new_one = name == "create" || name == "add";
  if (kind == "context" && !names_a_new_one) {
    return sources.contexts();
  }
  const bool has_name = place.command->get_option_no_throw("NAME") != nullptr ||
                        place.command->get_option_no_throw("SERVICE") != nullptr;
  return has_name && !names_a_new_one ? sources.objects(kind) : candidates;
}

constexpr std::string_view kBash = R"(# weir completion bash: for ~/.bashrc, or a file in
# /usr/share/bash-completion/completions
_weir() {
  local IFS=$'\n'
  COMPREPLY=($(weir complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default
}
complete -F _weir weir
)";

constexpr std::string_view kZsh = R"(#compdef weir
# weir completion zsh: as _weir in a directory of $fpath, or `source` it behind compinit
_weir() {
  local -a candidates
  candidates=("${(@f)$(weir complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n ${candidates[1]} ]]; then compadd -a candidates; else _files; fi
}
compdef _weir weir
)";

constexpr std::string_view kFish =
    R"(# weir completion fish: as ~/.config/fish/completions/weir.fish
function __weir_complete
  set -l words (commandline -opc) (commandline -ct)
  weir complete -- $words[2..-1] 2>/dev/null
end
complete -c weir -a '(__weir_complete)'
)";

}  // namespace

std::vector<std::string> complete(const CLI::App& app, const std::vector<std::string>& words,
                                  const CompletionSources& sources) {
  const std::string word = words.empty() ? std::string() : words.back();
  std::vector<std::string> candidates = candidates_at(follow(app, words), word, sources);
  std::erase_if(candidates,
                [&word](const std::string& candidate) { return !candidate.starts_with(word); });
  std::ranges::sort(candidates);
  const auto repeated = std::ranges::unique(candidates);
  candidates.erase(repeated.begin(), repeated.end());
  return candidates;
}

std::string completion_script(const std::string& shell) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kScripts = {
      {{"bash", kBash}, {"zsh", kZsh}, {"fish", kFish}}};
  const auto found = std::ranges::find(kScripts, shell, &decltype(kScripts)::value_type::first);
  return found == kScripts.end() ? std::string() : std::string(found->second);
}

}  // namespace weir::cli
