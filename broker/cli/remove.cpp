#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/terminal/counted.hpp"

#include <CLI/CLI.hpp>

#include <memory>
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
  std::string shown = terminal::counted(messages_in(queue), "message");
  if (queue.in_flight > 0) {
    shown += " (" + std::to_string(queue.in_flight) + " in flight)";
  }
  return shown;
}

std::string shown_records(const TopicDescription& topic) {
  std::uint64_t records = 0;
  for (const PartitionDescription& partition : topic.partitions) {
    records += static_cast<std::uint64_t>(partition.high_watermark - partition.log_start);
  }
  return terminal::counted(records, "record");
}

/// Looks first where that is needed, does it unless something holds it back, and says what it did.
/// `before` and `after` make the sentences of what is looked at.
template <class Describe, class Act, class Before, class After>
ExitCode remove(const Connection& connection, const RemoveArguments& arguments, Describe describe,
                Act act, Before before, After after) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  if (arguments.caution.looks_first()) {
    const auto found = describe(*client);
    if (!found) {
      return report(found.error(), arguments.name);
    }
    if (const auto held =
            hold_back(arguments.caution, before(*found), removed_json(*found, true))) {
      return *held;
    }
  }
  const auto removed = act(*client);
  if (!removed) {
    return report(removed.error(), arguments.name);
  }
  return show(arguments.caution.form,
              Look{.table = after(*removed) + "\n", .json = removed_json(*removed, false)},
              arguments.name);
}

ExitCode purge(const Connection& connection, const RemoveArguments& arguments) {
  return remove(
      connection, arguments, [&](Client& client) { return client.describe_queue(arguments.name); },
      [&](Client& client) { return client.purge_queue(arguments.name); },
      [](const QueueDescription& queue) {
        return "queue " + queue.name + " loses its " + shown_messages(queue);
      },
      [](const QueueDescription& queue) {
        return "purged queue " + queue.name + " of " + shown_messages(queue);
      });
}

Result<QueueDescription> delete_at(Client& client, const RemoveArguments& arguments) {
  Result<QueueDescription> deleted =
      client.delete_queue(arguments.name, DeleteOptions().set_force(arguments.force));
  if (!deleted && deleted.error().code == ErrorCode::kInUse) {
    return Error(ErrorCode::kInUse, deleted.error().message + "; --force leaves them without one");
  }
  return deleted;
}

ExitCode delete_queue(const Connection& connection, const RemoveArguments& arguments) {
  return remove(
      connection, arguments, [&](Client& client) { return client.describe_queue(arguments.name); },
      [&](Client& client) { return delete_at(client, arguments); },
      [](const QueueDescription& queue) {
        return "queue " + queue.name + " is deleted with its " + shown_messages(queue);
      },
      [](const QueueDescription& queue) {
        return "deleted queue " + queue.name + " with " + shown_messages(queue);
      });
}

ExitCode delete_topic(const Connection& connection, const RemoveArguments& arguments) {
  return remove(
      connection, arguments, [&](Client& client) { return client.describe_topic(arguments.name); },
      [&](Client& client) { return client.delete_topic(arguments.name); },
      [](const TopicDescription& topic) {
        return "topic " + topic.name + " is deleted with its " + shown_records(topic);
      },
      [](const TopicDescription& topic) {
        return "deleted topic " + topic.name + " with " + shown_records(topic);
      });
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
