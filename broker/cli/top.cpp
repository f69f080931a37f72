#include "broker/cli/command.hpp"
#include "broker/cli/late_client.hpp"
#include "broker/cli/pages.hpp"
#include "broker/cli/top_page.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/cli/watch.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>

namespace weir::cli {
namespace {

struct TopArguments {
  std::string pattern;
  double interval_s = 1;
};

ExitCode top(const Connection& connection, const TopArguments& arguments) {
  LateClient client(connection);
  TopPage page;
  const auto look = [&]() -> Result<std::string> {
    const Result<Client*> connected = client.get();
    if (!connected) {
      return connected.error();
    }
    const auto list = [&](const ListOptions& options) {
      return (*connected)->list_queues(options);
    };
    const auto queues = list_all<QueueDescription>(arguments.pattern, list, &QueuePage::queues);
    if (!queues) {
      return queues.error();
    }
    return page.next(*queues, std::chrono::steady_clock::now(), wall_now());
  };
  return watch(look, std::chrono::duration<double>(arguments.interval_s), connection.url);
}

}  // namespace

void add_top(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("top", "Watch the queues, the longest first");
  auto arguments = std::make_shared<TopArguments>();
  command.add_option("PATTERN", arguments->pattern, "Only queues of such names: * is any text");
  command.add_option("--interval", arguments->interval_s, "Seconds between two looks")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
  command.footer(R"(
IN is what was sent since the look before, OUT what was done with, each a second. Ends with Ctrl-C.
Without a terminal the tables come one behind the other.

Example:
  weir top
  weir top 'mail-*' --interval 5)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return top(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
