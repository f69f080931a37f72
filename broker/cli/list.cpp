#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/pages.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

// `ls` of queues, topics and namespaces: page after page, printed when all are there.
namespace weir::cli {
namespace {

struct ListArguments {
  std::string pattern;
  std::string output = "table";
  bool names = false;
};

template <class Item>
std::string names_of(const std::vector<Item>& items) {
  std::string out;
  for (const Item& item : items) {
    out += item.name + "\n";
  }
  return out;
}

/// Prints what a list holds in the form that was asked for.
template <class Item>
ExitCode print_list(const Result<std::vector<Item>>& items, const ListArguments& arguments,
                    std::string (*table)(const std::vector<Item>&),
                    std::string (*json)(const std::vector<Item>&)) {
  if (!items) {
    return report(items.error(), arguments.pattern);
  }
  if (arguments.names) {
    return print(names_of(*items));
  }
  return print(arguments.output == "json" ? json(*items) : table(*items));
}

ExitCode list_queues(const Connection& connection, const ListArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto list = [&](const ListOptions& options) { return client->list_queues(options); };
  return print_list(list_all<QueueDescription>(arguments.pattern, list, &QueuePage::queues),
                    arguments, queues_table, queues_json);
}

ExitCode list_topics(const Connection& connection, const ListArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto list = [&](const ListOptions& options) { return client->list_topics(options); };
  return print_list(list_all<TopicDescription>(arguments.pattern, list, &TopicPage::topics),
                    arguments, topics_table, topics_json);
}

ExitCode list_namespaces(const Connection& connection, const ListArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto list = [&](const ListOptions& options) { return client->list_namespaces(options); };
  return print_list(
      list_all<NamespaceDescription>(arguments.pattern, list, &NamespacePage::namespaces),
      arguments, namespaces_table, namespaces_json);
}

using List = ExitCode (*)(const Connection&, const ListArguments&);

CLI::App& add_list(CLI::App& parent, CommandLine& line, const std::string& description, List how) {
  CLI::App& command = *parent.add_subcommand("ls", description);
  auto arguments = std::make_shared<ListArguments>();
  command.add_option("PATTERN", arguments->pattern,
                     "Names that match: * is any text, ? any character (default: all)");
  CLI::Option* const output = command.add_option("-o,--output", arguments->output, "table or json")
                                  ->check(CLI::IsMember({"table", "json"}))
                                  ->capture_default_str();
  command.add_flag("--names", arguments->names, "Nothing but the names, one a line")
      ->excludes(output);
  command.callback([&line, arguments, how] {
    line.action = [&line, arguments, how] { return how(line.connection, *arguments); };
  });
  return command;
}

}  // namespace

void add_queue_list(CLI::App& parent, CommandLine& line) {
  add_list(parent, line, "List queues with their messages", list_queues).footer(R"(
In the order of names; `weir queue info` says what the columns mean.

Example:
  weir queue ls 'mail-*'
  weir queue ls --names | xargs -n 1 weir queue info)");
}

void add_topic_list(CLI::App& parent, CommandLine& line) {
  add_list(parent, line, "List topics with their records", list_topics).footer(R"(
In the order of names. Records are those that can be read, of all partitions together.

Example:
  weir topic ls 'clicks.*' -o json)");
}

void add_namespace_list(CLI::App& parent, CommandLine& line) {
  add_list(parent, line, "List namespaces with what they hold", list_namespaces).footer(R"(
Example:
  weir namespace ls -o json)");
}

}  // namespace weir::cli
