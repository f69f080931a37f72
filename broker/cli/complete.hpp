#pragma once

#include <CLI/App.hpp>

#include <functional>
#include <string>
#include <vector>

// What a shell offers for a command line that is being typed. The shells' scripts know nothing of
// the commands: they ask `weir complete`, so that they cannot be out of date.
namespace weir::cli {

/// Where words come from that only a broker, a file or another part of the program knows.
struct CompletionSources {
  std::function<std::vector<std::string>()> contexts;
  /// Of a command that parses its own arguments; none for any other.
  std::function<std::vector<std::string>(const std::string& command)> own_flags;
  /// Names of objects: "queue", "topic" or "namespace"; of "client" the services.
  std::function<std::vector<std::string>(const std::string& kind)> objects;
};

/// Words that may stand in place of the last of `words` (which may be empty), those in front of it
/// being what was typed behind `weir`. Empty: the shell offers files, if it likes.
[[nodiscard]] std::vector<std::string> complete(const CLI::App& app,
                                                const std::vector<std::string>& words,
                                                const CompletionSources& sources);

/// The script for bash, zsh or fish; empty for another shell.
[[nodiscard]] std::string completion_script(const std::string& shell);

}  // namespace weir::cli
