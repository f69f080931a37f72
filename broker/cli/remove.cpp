#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>

// `weir queue purge`, `weir queue delete` and `weir topic delete`: what is gone for good.
namespace weir::cli {
namespace {

struct RemoveArguments {
  std::string name;
  bool force = false;
  Caution caution;
};

std::string shown_messages(const QueueDescription& queue) {
  std::string shown = counted(messages_in(queue), "message");
  if (queue.in_flight > 0) {
    shown += " (" + std::to_string(queue.in_flight) + " in flight)";
  }
  return shown;
}

/// Holds back unless it was told not to; `what` looks and says what would happen.
template <class What>
std::optional<ExitCode> look_first(const RemoveArguments& arguments, What what) {
  if (arguments.caution.yes && !arguments.caution.dry_run) {
    return std::nullopt;
  }
  const Result<std::string> said = what();
  return said ? hold_back(arguments.caution, *said)
              : std::optional(report(said.error(), arguments.name));
}

ExitCode purge(const Connection& connection, const RemoveArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto held = look_first(arguments, [&]() -> Result<std::string> {
    const Result<QueueDescription> queue = client->describe_queue(arguments.name);
    return queue ? Result<std::string>("queue " + queue->name + " loses its " +
                                       shown_messages(*queue))
                 : queue.error();
  });
  if (held) {
    return *held;
  }
  const Result<QueueDescription> purged = client->purge_queue(arguments.name);
  if (!purged) {
    return report(purged.error(), arguments.name);
  }
  return print("purged queue " + purged->name + " of " + shown_messages(*purged) + "\n");
}

ExitCode delete_queue(const Connection& connection, const RemoveArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto held = look_first(arguments, [&]() -> Result<std::string> {
    const Result<QueueDescription> queue = client->describe_queue(arguments.name);
    return queue ? Result<std::string>("queue " + queue->name + " is deleted with its " +
                                       shown_messages(*queue))
                 : queue.error();
  });
  if (held) {
    return *held;
  }
  const Result<QueueDescription> deleted =
      client->delete_queue(arguments.name, DeleteOptions().set_force(arguments.force));
  if (!deleted && deleted.error().code == ErrorCode::kInUse) {
    return report(
        Error(ErrorCode::kInUse, deleted.error().message + "; --force leaves them without one"),
        arguments.name);
  }
  if (!deleted) {
    return report(deleted.error(), arguments.name);
  }
  return print("deleted queue " + deleted->name + " with " + shown_messages(*deleted) + "\n");
}

std::string shown_records(const TopicDescription& topic) {
  std::uint64_t records = 0;
  for (const PartitionDescription& partition : topic.partitions) {
    records += static_cast<std::uint64_t>(partition.high_watermark - partition.log_start);
  }
  return counted(records, "record");
}

ExitCode delete_topic(const Connection& connection, const RemoveArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto held = look_first(arguments, [&]() -> Result<std::string> {
    const Result<TopicDescription> topic = client->describe_topic(arguments.name);
    return topic ? Result<std::string>("topic " + topic->name + " is deleted with its " +
                                       shown_records(*topic))
                 : topic.error();
  });
  if (held) {
    return *held;
  }
  const Result<TopicDescription> deleted = client->delete_topic(arguments.name);
  if (!deleted) {
    return report(deleted.error(), arguments.name);
  }
  return print("deleted topic " + deleted->name + " with " + shown_records(*deleted) + "\n");
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

  auto arguments = std::make_shared<RemoveArguments>();
  CLI::App& command = add_remove(parent, line, "delete", "Delete a queue", arguments, delete_queue);
  command.add_flag("--force", arguments->force,
                   "Also when it is the dead-letter queue of others, which then have none");
  command.footer(R"(
Its messages go with it. Consumers end with QUEUE_NOT_FOUND, and senders are refused. A queue that
is created by this name afterwards is another queue.

Example:
  weir queue delete mail --dry-run
  weir queue ls 'test-*' --names | xargs -n 1 weir queue delete --yes)");
}

void add_topic_remove(CLI::App& parent, CommandLine& line) {
  add_remove(parent, line, "delete", "Delete a topic", std::make_shared<RemoveArguments>(),
             delete_topic)
      .footer(R"(
Its records go with it. Readers end with TOPIC_NOT_FOUND, and publishers are refused.

Example:
  weir topic delete clicks --dry-run
  weir topic delete clicks --yes)");
}

}  // namespace weir::cli
