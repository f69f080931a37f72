#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>

// `weir queue update`, `pause` and `resume`: what can be changed of a queue while it is in use.
namespace weir::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMaxUpdateLeaseMs = std::int64_t{12} * 3600 * 1000;

struct UpdateArguments {
  std::string name;
  std::optional<std::int64_t> lease_ms;
  std::optional<std::uint32_t> max_receive_count;
  std::string dead_letter_queue;
  bool no_dead_letter_queue = false;
  bool receives = false;  // of pause and resume
  bool sends = false;
  bool dry_run = false;
  OutputForm form;
};

QueueChanges changes_of(const UpdateArguments& arguments) {
  QueueChanges changes;
  if (arguments.lease_ms) {
    changes.set_lease(milliseconds(*arguments.lease_ms));
  }
  if (arguments.max_receive_count) {
    changes.set_max_receive_count(*arguments.max_receive_count);
  }
  if (arguments.no_dead_letter_queue || !arguments.dead_letter_queue.empty()) {
    changes.set_dead_letter_queue(arguments.dead_letter_queue);
  }
  return changes;
}

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
  command
      .add_option("--lease-ms", arguments->lease_ms,
                  "How long a message stays with its consumer; subscriptions keep what they have")
      ->check(CLI::Range(std::int64_t{1}, kMaxUpdateLeaseMs));
  command
      .add_option("--max-receive-count", arguments->max_receive_count,
                  "Attempts until a message is put aside, looked at when it comes back")
      ->check(CLI::Range(1, 1000));
  CLI::Option* const target = command.add_option(
      "--dead-letter-queue", arguments->dead_letter_queue, "Where it is put then, from here on");
  command
      .add_flag("--no-dead-letter-queue", arguments->no_dead_letter_queue,
                "From here on it is parked then")
      ->excludes(target);
  command.footer(R"(
What is not named stays as it is, and a queue that is like that already stays so: the command may be
repeated. Messages that are parked already stay parked.

Example:
  weir queue update mail --max-receive-count 5 --dry-run
  weir queue update mail --max-receive-count 5)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      return update(line.connection, *arguments, changes_of(*arguments));
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
