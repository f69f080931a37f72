#include "broker/cli/command.hpp"
#include "broker/cli/late_client.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/cli/top_page.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace weir::cli {
namespace {

struct TopArguments {
  std::string pattern;
  double interval_s = 1;
  bool once = false;
  OutputForm form;
};

ExitCode top(const Connection& connection, const TopArguments& arguments) {
  LateClient client(connection);
  TopPage page;
  const auto look = [&]() -> Result<Look> {
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
  if (!arguments.once && arguments.form.kind == "table") {
    OutputForm again = arguments.form;
    again.watch_s = arguments.interval_s;
    return show(again, look, connection.url);
  }
  // A first look has no rates.
  if (const Result<Look> first = look(); !first) {
    return report(first.error(), connection.url);
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(arguments.interval_s));
  return show(arguments.form, look, connection.url);
}

}  // namespace

void add_top(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("top", "Watch the queues, the longest first");
  auto arguments = std::make_shared<TopArguments>();
  command.add_option("PATTERN", arguments->pattern, "Only queues of such names: * is any text");
  command.add_option("--interval", arguments->interval_s, "Seconds between two looks")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
  command.add_flag("--once", arguments->once, "Print one table, of one interval, and end");
  add_output_option(command, arguments->form);
  command.footer(R"(
IN is what was sent since the look before, OUT what was done with, each a second. Ends with Ctrl-C.
Without a terminal the tables come one behind the other. With -o json or a template it ends as with
--once: the objects of `weir queue info`, with in_per_second and out_per_second.

Example:
  weir top
  weir top --once
  weir top 'mail-*' --interval 5)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return top(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
