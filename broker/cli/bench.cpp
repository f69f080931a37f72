#include "broker/cli/command.hpp"
#include "broker/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace weir::cli {
namespace {

// Beside this program, where both were built or installed; else whatever PATH knows by that name.
std::string path_of_bench() {
  std::error_code failed;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::filesystem::path beside = own.parent_path() / "weir-bench";
  return !failed && std::filesystem::exists(beside, failed) ? beside.string() : "weir-bench";
}

Error not_started(const std::string& program, int reason) {
  if (reason == ENOENT) {
    return Error(ErrorCode::kUnsupported,
                 "there is no weir-bench beside this program, nor in PATH: the Debian package weir "
                 "has it, and so has a build with -DWEIR_BUILD_BENCH=ON (target weir-bench)");
  }
  return Error(ErrorCode::kUnsupported,
               program + " cannot be started: " + std::generic_category().message(reason));
}

// Becomes the other program.
ExitCode run_bench(const Connection& connection, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {path_of_bench()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const bool asks_for_help = arguments.empty();
  if (asks_for_help) {
    words.emplace_back("--help");
  } else {
    words.insert(words.end(), {"--url", connection.url});
  }
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  return report(not_started(words[0], errno), "");
}

}  // namespace

void add_bench(CLI::App& parent, CommandLine& line) {
  CLI::App& command =
      *parent.add_subcommand("bench", "Measure a broker (weir bench: what there is)");
  auto arguments = std::make_shared<std::vector<std::string>>();
  command.add_option("WORKLOAD", *arguments,
                     "Names of workloads, and options of weir-bench behind --");
  command.footer(R"(
Runs the program weir-bench against the broker. It creates queues and topics of its own there and
fills them: not for a broker that others use. Without a workload it tells what there is.

Example:
  weir bench queue-roundtrip -- --seconds 10
  weir --context test bench topic-append topic-replay)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return run_bench(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
