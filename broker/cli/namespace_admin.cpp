#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/terminal/counted.hpp"
#include "proto/names.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

// `weir namespace create|info|delete`.
namespace weir::cli {
namespace {

struct NamespaceArguments {
  std::string name;
  OutputForm form;
  bool recursive = false;
  Caution caution;
};

ExitCode create_namespace(const Connection& connection, const NamespaceArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<NamespaceDescription> created = client->create_namespace(arguments.name);
  if (!created) {
    return report(created.error(), arguments.name);
  }
  return print(created->created ? "created namespace " + created->name + "\n"
                                : "namespace " + created->name + " is there already\n");
}

ExitCode show_namespace(const Connection& connection, const NamespaceArguments& arguments) {
  return show_answer(
      connection, arguments.form, arguments.name,
      [&](Client& client) { return client.describe_namespace(arguments.name); }, namespace_table,
      namespace_json);
}

/// Everything in it, one after the other; what a retry finds gone is gone.
Result<> empty_namespace(Client& inside) {
  const auto queues = list_all<QueueDescription>(
      "", [&](const ListOptions& options) { return inside.list_queues(options); },
      &QueuePage::queues);
  if (!queues) {
    return queues.error();
  }
  for (const QueueDescription& queue : *queues) {
    const auto deleted = inside.delete_queue(queue.name, DeleteOptions().set_force(true));
    if (!deleted && deleted.error().code != ErrorCode::kQueueNotFound) {
      return deleted.error();
    }
  }
  const auto topics = list_all<TopicDescription>(
      "", [&](const ListOptions& options) { return inside.list_topics(options); },
      &TopicPage::topics);
  if (!topics) {
    return topics.error();
  }
  for (const TopicDescription& topic : *topics) {
    const auto deleted = inside.delete_topic(topic.name);
    if (!deleted && deleted.error().code != ErrorCode::kTopicNotFound) {
      return deleted.error();
    }
  }
  return {};
}

/// The same broker, but in that namespace.
std::string url_inside(const std::string& url, const std::string& name_space) {
  const std::size_t hosts = url.find("://");
  const std::size_t path = url.find('/', hosts == std::string::npos ? 0 : hosts + 3);
  return url.substr(0, path) + "/" + name_space;
}

ExitCode delete_namespace(const Connection& connection, const NamespaceArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<NamespaceDescription> found = client->describe_namespace(arguments.name);
  if (!found) {
    return report(found.error(), arguments.name);
  }
  const std::string holding = terminal::counted(found->queues, "queue") + " and " +
                              terminal::counted(found->topics, "topic");
  const bool is_empty = found->queues + found->topics == 0;
  if (!is_empty && !arguments.recursive) {
    return report(Error(ErrorCode::kInUse, "namespace " + found->name + " holds " + holding +
                                               "; --recursive deletes them too"),
                  arguments.name);
  }
  const std::string what = "namespace " + found->name + " is deleted" +
                           (is_empty ? "" : " with " + holding + " and all their messages");
  if (const auto held = hold_back(arguments.caution, what, removed_json(*found, true))) {
    return *held;
  }
  if (!is_empty) {
    Connection inside = connection;
    inside.url = url_inside(connection.url, found->name);
    Result<Client> there = inside.connect();
    if (!there) {
      return report(there.error(), inside.url);
    }
    if (const Result<> emptied = empty_namespace(*there); !emptied) {
      return report(emptied.error(), arguments.name);
    }
  }
  const Result<NamespaceDescription> deleted = client->delete_namespace(arguments.name);
  if (!deleted) {
    return report(deleted.error(), arguments.name);
  }
  return show(arguments.caution.form,
              Look{.table = "deleted namespace " + deleted->name +
                            (is_empty ? "" : " with " + holding) + "\n",
                   .json = removed_json(*found, false)},
              arguments.name);
}

using Act = ExitCode (*)(const Connection&, const NamespaceArguments&);

CLI::App& add_act(CLI::App& parent, CommandLine& line, const std::string& name,
                  const std::string& description,
                  const std::shared_ptr<NamespaceArguments>& arguments, Act how) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.add_option("NAME", arguments->name, std::string(proto::kNamespaceNameRule))->required();
  command.callback([&line, arguments, how] {
    line.action = [&line, arguments, how] { return how(line.connection, *arguments); };
  });
  return command;
}

}  // namespace

void add_namespace_admin(CLI::App& parent, CommandLine& line) {
  add_act(parent, line, "create", "Create a namespace", std::make_shared<NamespaceArguments>(),
          create_namespace)
      .footer(R"(
Queues and topics of one namespace do not meet those of another. A client lives in the one that its
address names; without one it lives in `default`.

Example:
  weir namespace create billing
  weir --url weir://127.0.0.1:7340/billing queue create mail)");

  auto query = std::make_shared<NamespaceArguments>();
  CLI::App& info =
      add_act(parent, line, "info", "Show what a namespace holds", query, show_namespace);
  add_output_options(info, query->form);
  info.footer(R"(
Example:
  weir namespace info billing)");

  auto removal = std::make_shared<NamespaceArguments>();
  CLI::App& remove =
      add_act(parent, line, "delete", "Delete a namespace", removal, delete_namespace);
  remove.add_flag("--recursive", removal->recursive, "With all its queues and topics");
  add_caution(remove, removal->caution);
  remove.footer(R"(
One that holds something is deleted only with --recursive: then its queues and topics go one after
the other, and an interrupted command leaves those that it did not get to. `default` stays.

Example:
  weir namespace delete billing --recursive --dry-run
  weir namespace delete billing --recursive --yes)");
}

}  // namespace weir::cli
