#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/wall_clock.hpp"
#include "proto/names.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMaxLeaseMs = std::int64_t{12} * 3600 * 1000;
constexpr std::int64_t kMaxDelayMs = std::int64_t{30} * 24 * 3600 * 1000;

struct CreateArguments {
  std::string name;
  std::int64_t lease_ms = 0;
  std::uint32_t max_receive_count = 0;
  std::string dead_letter_queue;
};

ExitCode create(const Connection& connection, const CreateArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  QueueSettings settings;
  settings.set_lease(milliseconds(arguments.lease_ms))
      .set_max_receive_count(arguments.max_receive_count)
      .set_dead_letter_queue(arguments.dead_letter_queue);
  const Result<QueueDescription> queue = client->create_queue(arguments.name, settings);
  if (!queue) {
    if (queue.error().code == ErrorCode::kAlreadyExists) {
      return report(Error(queue.error().code, queue.error().message + "; weir queue update " +
                                                  arguments.name + " changes settings"),
                    arguments.name);
    }
    // What a create misses is the dead-letter queue.
    return report(queue.error(), arguments.dead_letter_queue);
  }
  return print(queue->created
                   ? "created queue " + queue->name + "\n"
                   : "queue " + queue->name + " is there already, with these settings\n");
}

void add_create(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("create", "Create a queue");
  auto arguments = std::make_shared<CreateArguments>();
  command.add_option("NAME", arguments->name, std::string(proto::kQueueNameRule))->required();
  command
      .add_option("--lease-ms", arguments->lease_ms,
                  "How long a message stays with its consumer (default: the broker's, 30000)")
      ->check(CLI::Range(std::int64_t{1}, kMaxLeaseMs));
  command
      .add_option("--max-receive-count", arguments->max_receive_count,
                  "Attempts until a message is put aside (default: the broker's, 10)")
      ->check(CLI::Range(1, 1000));
  command.add_option("--dead-letter-queue", arguments->dead_letter_queue,
                     "Where it is put then; without one it is parked");
  command.footer(R"(
Creating a queue that exists with the same settings succeeds; with others it is refused, and the
answer names the difference: `weir queue update` makes it.

A dead-letter queue is a queue like any other. Who works on it has as many attempts as it allows;
unless it has a dead-letter queue itself, what fails as often is parked there, so give it more than
the default: at most 1000.

Example:
  weir queue create mail-failed --max-receive-count 100
  weir queue create mail --max-receive-count 3 --dead-letter-queue mail-failed)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return create(line.connection, *arguments); };
  });
}

struct InfoArguments {
  std::string name;
  OutputForm form;
};

ExitCode show(const Connection& connection, const InfoArguments& arguments) {
  return show_answer(
      connection, arguments.form, arguments.name,
      [&](Client& client) { return client.describe_queue(arguments.name); },
      [](const QueueDescription& queue) { return queue_table(queue, wall_now()); }, queue_json);
}

void add_info(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("info", "Show a queue's settings and messages");
  auto arguments = std::make_shared<InfoArguments>();
  command.add_option("NAME", arguments->name)->required();
  add_output_options(command, arguments->form);
  command.footer(R"(
  ready      may be handed out     in_flight  with a consumer
  delayed    waits for its retry   dying      on the way to the dead-letter queue
  parked     out of attempts, and there is no dead-letter queue

What is parked is kept, but nobody is given it any more; it goes when the queue is purged or
deleted. It can be looked at (weir queue peek --from parked), and what its values say can be sent
again. A dead-letter queue keeps later messages from being parked, but does not fetch those that
are: weir queue update --dead-letter-queue.

Example:
  weir queue info mail --watch
  weir queue info mail -o 'template={name}: {ready} ready\n'
  weir queue peek mail --from parked -n 1000 -f '%v\n' | weir queue send mail-again)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return show(line.connection, *arguments); };
  });
}

struct SettleArguments {
  std::string handle;
  std::int64_t milliseconds = 0;
};

using Settle = Result<> (*)(Client&, const SettleArguments&);

ExitCode settle(const Connection& connection, const SettleArguments& arguments, Settle how) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<> settled = how(*client, arguments);
  return settled ? ExitCode::kDone : report(settled.error(), arguments.handle);
}

CLI::App& add_settle(CLI::App& parent, CommandLine& line, const std::string& name,
                     const std::string& description,
                     const std::shared_ptr<SettleArguments>& arguments, Settle how) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.add_option("HANDLE", arguments->handle, "As `weir queue receive -f %R` prints it")
      ->required();
  command.callback([&line, arguments, how] {
    line.action = [&line, arguments, how] { return settle(line.connection, *arguments, how); };
  });
  return command;
}

void add_settling(CLI::App& parent, CommandLine& line) {
  auto ack = std::make_shared<SettleArguments>();
  add_settle(
      parent, line, "ack", "Done: forget a message that was received", ack,
      [](Client& client, const SettleArguments& arguments) { return client.ack(arguments.handle); })
      .footer(R"(
Example:
  handle=$(weir queue receive mail -f '%R')
  weir queue ack "$handle")");

  auto nack = std::make_shared<SettleArguments>();
  CLI::App& nack_command =
      add_settle(parent, line, "nack", "Failed: hand a message out again", nack,
                 [](Client& client, const SettleArguments& arguments) {
                   return client.nack(arguments.handle, milliseconds(arguments.milliseconds));
                 });
  nack_command.add_option("--delay-ms", nack->milliseconds, "Not before so long from now")
      ->check(CLI::Range(std::int64_t{0}, kMaxDelayMs));
  nack_command.footer(R"(
Example:
  weir queue nack "$handle" --delay-ms 5000)");

  auto extend = std::make_shared<SettleArguments>();
  CLI::App& extend_command =
      add_settle(parent, line, "extend", "Keep a message longer", extend,
                 [](Client& client, const SettleArguments& arguments) {
                   return client.extend(arguments.handle, milliseconds(arguments.milliseconds));
                 });
  extend_command.add_option("--lease-ms", extend->milliseconds, "Its lease ends so long from now")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, kMaxLeaseMs));
  extend_command.footer(R"(
Example:
  weir queue extend "$handle" --lease-ms 60000)");
}

}  // namespace

void add_queue_admin(CLI::App& parent, CommandLine& line) {
  add_create(parent, line);
  add_info(parent, line);
  add_settling(parent, line);
}

}  // namespace weir::cli
