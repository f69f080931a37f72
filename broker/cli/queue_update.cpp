#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/queue_options.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

// `weir queue update`, `pause` and `resume`: what can be changed of a queue while it is in use.
namespace weir::cli {
namespace {

struct UpdateArguments {
  std::string name;
  QueueOptions options;
  bool receives = false;  // of pause and resume
  bool sends = false;
  bool dry_run = false;
  OutputForm form;
};

ExitCode update(const Connection& connection, const UpdateArguments& arguments,
                QueueChanges changes) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  changes.set_dry_run(arguments.dry_run);
  const Result<QueueUpdate> done = client->update_queue(arguments.name, changes);
  if (!done) {
    return report(done.error(), arguments.name);
  }
  return show(arguments.form,
              Look{.table = update_text(*done, arguments.dry_run),
                   .json = update_json(*done, arguments.dry_run)},
              arguments.name);
}

std::shared_ptr<UpdateArguments> add_update_arguments(CLI::App& command) {
  auto arguments = std::make_shared<UpdateArguments>();
  command.add_option("NAME", arguments->name)->required();
  command.add_flag("--dry-run", arguments->dry_run, "Say what would change, and change nothing");
  add_output_option(command, arguments->form);
  return arguments;
}

void add_update(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("update", "Change a queue's settings");
  const auto arguments = add_update_arguments(command);
  arguments->options.add_to_update(command);
  command.footer(R"(
What is not named stays as it is, and a queue that is like that already stays so: the command may be
repeated. Messages that are parked already stay parked.

A subscription keeps the lease that it began with. Attempts are looked at when a message comes back.
What a queue holds beyond a lower bound stays: senders get QUEUE_FULL until there is room.

Example:
  weir queue update mail --max-receive-count 5 --dry-run
  weir queue update mail --max-receive-count 5
  weir queue update mail --max-messages 0)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      return update(line.connection, *arguments, arguments->options.changes());
    };
  });
}

void add_pause(CLI::App& parent, CommandLine& line, bool pauses, const std::string& footer) {
  const std::string name = pauses ? "pause" : "resume";
  CLI::App& command = *parent.add_subcommand(
      name, pauses ? "Hand out nothing, or take nothing, for a while" : "Go on after a pause");
  const auto arguments = add_update_arguments(command);
  command.add_flag("--receives", arguments->receives, "Handing out");
  command.add_flag("--sends", arguments->sends, "Taking messages");
  command.footer(footer);
  command.callback([&line, arguments, pauses] {
    line.action = [&line, arguments, pauses] {
      const bool all = !arguments->receives && !arguments->sends;
      QueueChanges changes;
      if (all || arguments->receives) {
        changes.set_receives_paused(pauses);
      }
      if (all || arguments->sends) {
        changes.set_sends_paused(pauses);
      }
      return update(line.connection, *arguments, changes);
    };
  });
}

}  // namespace

void add_queue_update(CLI::App& parent, CommandLine& line) {
  add_update(parent, line);
  add_pause(parent, line, true, R"(
With neither --receives nor --sends, both. While receives are paused nothing is handed out: leases
run on, and what is in flight can be acknowledged. While sends are paused senders get PAUSED and try
again until their own patience ends. A pause lasts until `weir queue resume`, whatever restarts.

Example:
  weir queue pause mail --receives
  weir queue info mail)");
  add_pause(parent, line, false, R"(
With neither --receives nor --sends, both.

Example:
  weir queue resume mail --receives)");
}

}  // namespace weir::cli
