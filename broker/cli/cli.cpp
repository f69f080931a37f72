#include "broker/cli/cli.hpp"

#include "broker/cli/command.hpp"
#include "broker/cli/complete.hpp"
#include "broker/cli/contexts.hpp"
#include "broker/cli/misspelling.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/pages.hpp"
#include "weir/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <signal.h>

namespace weir::cli {
namespace {

// A person waits for it with a finger on the key.
constexpr std::int64_t kCompletionTimeoutMs = 500;

constexpr const char* kFooter = R"(
Exit codes: 0 done, 1 refused, 2 bad usage, 3 not reachable, 4 not found,
            5 unknown outcome or time was up

Example:
  weir serve --data-dir data &
  weir queue create mail
  seq 3 | weir queue send mail
  weir queue work mail --exit-when-empty -- cat)";

// Commands that are told apart by a verb; `footer` ends the help of those that have none.
CLI::App& add_group(CLI::App& app, const std::string& name, const std::string& description,
                    const std::string& footer) {
  CLI::App& group = *app.add_subcommand(name, description);
  group.require_subcommand(1);
  group.footer(footer);
  return group;
}

// Fills `app`; what the parsed values are stored in is `line`.
void build(CLI::App& app, CommandLine& line) {
  app.require_subcommand(1);
  // Options of the whole program are taken after a command's name too.
  app.fallthrough();
  app.set_version_flag("--version", "weir " + std::string(version()), "Print the version");
  app.footer(kFooter);
  app.add_option("--url", line.connection.url_flag,
                 "The broker: weir://HOST[:PORT][,HOST[:PORT]...][/NAMESPACE] (WEIR_URL)");
  app.add_option("--context", line.connection.context_flag,
                 "A broker by its name: weir context --help (WEIR_CONTEXT)");
  app.add_option("--timeout-ms", line.connection.timeout_flag_ms,
                 "For one request with all its tries (default: 15000)")
      ->check(CLI::Range(1, 24 * 3600 * 1000));

  // serve, restore, verify and config parse their own arguments; here they only show in the help.
  app.add_subcommand("serve", "Run a broker (weir serve --help)");
  CLI::App& queue = add_group(app, "queue", "Create, inspect, fill and work off queues", R"(
Example:
  weir queue create mail
  seq 3 | weir queue send mail
  weir queue work mail --exit-when-empty -- cat)");
  add_queue_admin(queue, line);
  add_queue_list(queue, line);
  add_queue_update(queue, line);
  add_queue_remove(queue, line);
  add_queue_unpark(queue, line);
  add_queue_peek(queue, line);
  add_queue_send(queue, line);
  add_queue_receive(queue, line);
  add_queue_settle(queue, line);
  add_queue_work(queue, line);
  CLI::App& dlq = add_group(app, "dlq", "Look at dead letters, move them back or drop them", R"(
Example:
  weir dlq ls
  weir dlq peek mail-failed
  weir dlq redrive mail-failed --dry-run
  weir dlq redrives)");
  add_dlq_admin(dlq, line);
  add_dlq_peek(dlq, line);
  add_dlq_show(dlq, line);
  CLI::App& message = add_group(app, "message", "Find a message by its id", R"(
Example:
  weir message where 00000001-0000-0000-0002-000000000003)");
  add_message_where(message, line);
  CLI::App& delayed =
      add_group(app, "delayed", "List, cancel and reschedule messages that are put off", R"(
Example:
  weir queue send mail --value later --delay-ms 60000
  weir delayed ls mail)");
  add_delayed(delayed, line);
  CLI::App& topic = add_group(app, "topic", "Create, inspect, fill and replay topics", R"(
Example:
  weir topic create clicks --partitions 4
  seq 3 | weir topic publish clicks
  weir topic consume clicks --from start --to end)");
  add_topic_admin(topic, line);
  add_topic_list(topic, line);
  add_topic_remove(topic, line);
  add_topic_browse(topic, line);
  add_topic_publish(topic, line);
  add_topic_consume(topic, line);
  CLI::App& name_space =
      add_group(app, "namespace", "Create, list, inspect and delete namespaces", R"(
Example:
  weir namespace create billing
  weir --url weir://127.0.0.1:7340/billing queue create mail)");
  add_namespace_admin(name_space, line);
  add_namespace_list(name_space, line);
  CLI::App& client = add_group(app, "client", "List connections and end them", R"(
Example:
  weir client ls 'check*'
  weir client kick 17)");
  add_client_admin(client, line);
  add_health(app, line);
  add_backup(app, line);
  app.add_subcommand("restore", "Make a data directory of a backup (weir restore --help)");
  app.add_subcommand("verify", "Check a backup or a data directory (weir verify --help)");
  CLI::App& config =
      add_group(app, "config", "Check, print and reload the settings of a broker", R"(
Example:
  weir config check --config /etc/weir/weir.toml
  weir config reload)");
  config.add_subcommand("check", "Say whether settings are good (weir config check --help)");
  config.add_subcommand("print", "Print the settings that would be in force");
  add_config_reload(config, line);
  add_bench(app, line);
  CLI::App& context = add_group(app, "context", "Give brokers names, and choose one of them", R"(
Example:
  weir context add prod weir://10.0.0.7/orders
  weir context use prod
  weir queue ls)");
  add_context_admin(context, line);
  add_top(app, line);
  add_completion(app, line);
}

// Where the command's broker is.
Result<> resolve(Connection& connection) {
  Result<Target> target =
      find_target(connection.url_flag, connection.context_flag, process_environment);
  if (!target) {
    return std::move(target).error();
  }
  connection.url = std::move(target->url);
  connection.timeout_ms =
      connection.timeout_flag_ms.value_or(target->timeout_ms.value_or(connection.timeout_ms));
  return {};
}

// Where the words of a command line that is being typed say that the broker is.
Connection connection_in(const std::vector<std::string>& words) {
  Connection connection;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--url") {
      connection.url_flag = words[i + 1];
    } else if (words[i] == "--context") {
      connection.context_flag = words[i + 1];
    }
  }
  connection.timeout_flag_ms = kCompletionTimeoutMs;
  return connection;
}

CompletionSources sources_of(const std::vector<std::string>& words, const OwnCommands& commands) {
  CompletionSources sources;
  sources.contexts = [] {
    std::vector<std::string> names;
    if (const auto contexts = read_contexts(contexts_path(process_environment))) {
      for (const Context& context : contexts->all()) {
        names.push_back(context.name);
      }
    }
    return names;
  };
  sources.own_flags = [&commands](const std::string& command) {
    const auto found = commands.find(command);
    return found != commands.end() && found->second.flags ? found->second.flags()
                                                          : std::vector<std::string>();
  };
  sources.objects = [&words](const std::string& kind) {
    Connection connection = connection_in(words);
    return resolve(connection) ? names_at(connection, kind, words.back() + "*")
                               : std::vector<std::string>();
  };
  return sources;
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

ExitCode refuse(const CLI::App& app, const std::vector<std::string>& args,
                const CLI::ParseError& error) {
  // The parser says of a word that it does not know only that another one is missing.
  std::string line = find_misspelling(app, args).value_or(std::string("weir: ") + error.what());
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
    return refuse(app, args, error);
  }
  if (!line.action) {
    return ExitCode::kBadUsage;
  }
  if (!line.is_local) {
    if (const Result<> resolved = resolve(line.connection); !resolved) {
      return report(resolved.error(), "");
    }
  }
  return line.action();
}

// `weir complete -- queue inf`: words that a shell offers in place of the last one.
ExitCode print_completions(const std::vector<std::string>& args, const OwnCommands& commands) {
  CLI::App app("", "weir");
  CommandLine line;
  build(app, line);
  const std::size_t skipped = args.size() > 1 && args[1] == "--" ? 2 : 1;
  const std::vector<std::string> words(
      args.begin() + static_cast<std::ptrdiff_t>(std::min(skipped, args.size())), args.end());
  std::string text;
  for (const std::string& candidate : complete(app, words, sources_of(words, commands))) {
    text += candidate + "\n";
  }
  return print(text);
}

}  // namespace

int run(const std::vector<std::string>& args, const OwnCommands& commands) {
  std::string name;
  for (std::size_t words = 1; words <= std::min<std::size_t>(args.size(), 2); ++words) {
    name += (words > 1 ? " " : "") + args[words - 1];
    if (const auto own = commands.find(name); own != commands.end()) {
      return own->second.run({args.begin() + static_cast<std::ptrdiff_t>(words), args.end()});
    }
  }
  // A reader that has gone shows as an error where it is written.
  ::signal(SIGPIPE, SIG_IGN);
  if (!args.empty() && args.front() == "complete") {
    return static_cast<int>(print_completions(args, commands));
  }
  return static_cast<int>(parse_and_run(args));
}

}  // namespace weir::cli
