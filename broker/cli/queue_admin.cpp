#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/queue_options.hpp"
#include "broker/cli/wall_clock.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

struct CreateArguments {
  std::string name;
  QueueOptions options;
};

ExitCode create(const Connection& connection, const CreateArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const QueueSettings& settings = arguments.options.settings();
  const Result<QueueDescription> queue = client->create_queue(arguments.name, settings);
  if (!queue) {
    if (queue.error().code == ErrorCode::kAlreadyExists) {
      return report(Error(queue.error().code, queue.error().message + "; weir queue update " +
                                                  arguments.name + " changes settings"),
                    arguments.name);
    }
    // What a create misses is the dead-letter queue.
    return report(queue.error(), settings.dead_letter_queue());
  }
  return print(queue->created
                   ? "created queue " + queue->name + "\n"
                   : "queue " + queue->name + " is there already, with these settings\n");
}

void add_create(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("create", "Create a queue");
  auto arguments = std::make_shared<CreateArguments>();
  command.add_option("NAME", arguments->name, std::string(proto::kQueueNameRule))->required();
  arguments->options.add_to_create(command);
  command.footer(R"(
Creating a queue that exists with the same settings succeeds; with others it is refused, and the
answer names the difference: `weir queue update` makes it.

A dead-letter queue is a queue like any other. Who works on it has as many attempts as it allows;
unless it has a dead-letter queue itself, what fails as often is parked there, so give it more than
the default: at most 1000.

--max-messages and --max-bytes are bounds for senders: what does not fit is refused, batch by batch,
with QUEUE_FULL, and senders try again until their own patience ends. All that is in the queue
counts, also what is delayed, in flight or parked. Dead letters that come from other queues are
always taken.

Example:
  weir queue create mail-failed --max-receive-count 100
  weir queue create mail --max-receive-count 3 --dead-letter-queue mail-failed
  weir queue create thumbnails --max-messages 100000 --max-in-flight 50)");
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

What is parked is kept, but nobody is given it any more, until `weir queue unpark` makes it ready
again; it goes when the queue is purged or deleted. It can be looked at (weir queue peek --from
parked). A dead-letter queue keeps later messages from being parked, but does not fetch those that
are: weir queue update --dead-letter-queue.

Example:
  weir queue info mail --watch
  weir queue info mail -o 'template={name}: {ready} ready\n'
  weir queue peek mail --from parked
  weir queue unpark mail)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return show(line.connection, *arguments); };
  });
}

}  // namespace

void add_queue_admin(CLI::App& parent, CommandLine& line) {
  add_create(parent, line);
  add_info(parent, line);
}

}  // namespace weir::cli
