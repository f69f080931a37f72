#include "broker/cli/cli.hpp"

#include "broker/cli/command.hpp"
#include "broker/cli/output.hpp"
#include "weir/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <signal.h>

namespace weir::cli {
namespace {

constexpr const char* kFooter = R"(
Exit codes: 0 done, 1 refused, 2 bad usage, 3 not reachable, 4 not found,
            5 unknown outcome or time was up

Example:
  weir serve --data-dir data &
  weir queue create mail
  seq 3 | weir queue send mail
  weir queue work mail --exit-when-empty -- cat)";

// Fills `app`; what the parsed values are stored in is `line`.
void build(CLI::App& app, CommandLine& line) {
  app.require_subcommand(1);
  // Options of the whole program are taken after a command's name too.
  app.fallthrough();
  app.set_version_flag("--version", "weir " + std::string(version()), "Print the version");
  app.footer(kFooter);
  app.add_option("--url", line.connection.url,
                 "The broker: weir://HOST[:PORT][,HOST[:PORT]...][/NAMESPACE]")
      ->envname("WEIR_URL")
      ->capture_default_str();
  app.add_option("--timeout-ms", line.connection.timeout_ms, "For one request with all its tries")
      ->check(CLI::Range(1, 24 * 3600 * 1000))
      ->capture_default_str();

  // serve, restore and verify parse their own arguments; here they only show in the help.
  app.add_subcommand("serve", "Run a broker (weir serve --help)");
  CLI::App& queue = *app.add_subcommand("queue", "Create, inspect, fill and work off queues");
  queue.require_subcommand(1);
  add_queue_admin(queue, line);
  add_queue_send(queue, line);
  add_queue_receive(queue, line);
  add_queue_work(queue, line);
  CLI::App& topic = *app.add_subcommand("topic", "Create, inspect, fill and replay topics");
  topic.require_subcommand(1);
  add_topic_admin(topic, line);
  add_topic_publish(topic, line);
  add_topic_consume(topic, line);
  add_health(app, line);
  add_backup(app, line);
  app.add_subcommand("restore", "Make a data directory of a backup (weir restore --help)");
  app.add_subcommand("verify", "Check a backup or a data directory (weir verify --help)");
}

// The words in front of the command's own arguments, for "try: weir queue send --help".
std::string command_name(const CLI::App& app) {
  std::string name = "weir";
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    name += " " + at->get_name();
  }
  return name;
}

ExitCode refuse(const CLI::App& app, const CLI::ParseError& error) {
  std::string line = std::string("weir: ") + error.what();
  std::ranges::replace(line, '\n', ' ');
  print_error_line(line + " (see: " + command_name(app) + " --help)");
  return ExitCode::kBadUsage;
}

ExitCode parse_and_run(const std::vector<std::string>& args) {
  CLI::App app("Durable queues and retained topics on one log", "weir");
  CommandLine line;
  build(app, line);
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    // CLI11 asks the innermost chosen command by itself.
    return print(app.help());
  } catch (const CLI::CallForVersion& version_text) {
    return print(std::string(version_text.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    return refuse(app, error);
  }
  return line.action ? line.action() : ExitCode::kBadUsage;
}

}  // namespace

int run(const std::vector<std::string>& args, const OwnCommands& commands) {
  const auto own = args.empty() ? commands.end() : commands.find(args.front());
  if (own != commands.end()) {
    return own->second(std::vector<std::string>(args.begin() + 1, args.end()));
  }
  // A reader that has gone shows as an error where it is written.
  ::signal(SIGPIPE, SIG_IGN);
  return static_cast<int>(parse_and_run(args));
}

}  // namespace weir::cli
