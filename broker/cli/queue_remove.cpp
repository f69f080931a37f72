#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

// `weir queue purge`: what takes messages away for good.
namespace weir::cli {
namespace {

struct RemoveArguments {
  std::string name;
  Caution caution;
};

std::uint64_t messages_of(const QueueDescription& queue) {
  return queue.ready + queue.in_flight + queue.delayed + queue.dying + queue.parked;
}

std::string shown_messages(const QueueDescription& queue) {
  std::string shown = counted(messages_of(queue), "message");
  if (queue.in_flight > 0) {
    shown += " (" + std::to_string(queue.in_flight) + " in flight)";
  }
  return shown;
}

ExitCode purge(const Connection& connection, const RemoveArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  if (!arguments.caution.yes || arguments.caution.dry_run) {
    const Result<QueueDescription> queue = client->describe_queue(arguments.name);
    if (!queue) {
      return report(queue.error(), arguments.name);
    }
    if (const auto held = hold_back(
            arguments.caution, "queue " + queue->name + " loses its " + shown_messages(*queue))) {
      return *held;
    }
  }
  const Result<QueueDescription> purged = client->purge_queue(arguments.name);
  if (!purged) {
    return report(purged.error(), arguments.name);
  }
  return print("purged queue " + purged->name + " of " + shown_messages(*purged) + "\n");
}

using Remove = ExitCode (*)(const Connection&, const RemoveArguments&);

CLI::App& add_remove(CLI::App& parent, CommandLine& line, const std::string& name,
                     const std::string& description,
                     const std::shared_ptr<RemoveArguments>& arguments, Remove how) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.add_option("NAME", arguments->name)->required();
  add_caution(command, arguments->caution);
  command.callback([&line, arguments, how] {
    line.action = [&line, arguments, how] { return how(line.connection, *arguments); };
  });
  return command;
}

}  // namespace

void add_queue_remove(CLI::App& parent, CommandLine& line) {
  add_remove(parent, line, "purge", "Delete all messages of a queue",
             std::make_shared<RemoveArguments>(), purge)
      .footer(R"(
Everything that is in the queue goes at once, however much that is: what waits, what is delayed or
parked, and what consumers hold, whose acknowledgements then come too late. What is sent afterwards
stays. The disk gives the space back in the background.

Example:
  weir queue purge mail --dry-run
  weir queue purge mail --yes)");
}

}  // namespace weir::cli
