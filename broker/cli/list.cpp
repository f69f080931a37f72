#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/plain_text.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

// `ls` of queues, topics and namespaces: page after page, printed when all are there.
namespace weir::cli {
namespace {

struct ListArguments {
  std::string pattern;
  OutputForm form;
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

/// Shows a list in the form that was asked for; `list` asks for one page, whose items are `items`.
template <class Item, class Page, class List>
ExitCode show_list(const Connection& connection, const ListArguments& arguments, List list,
                   std::vector<Item> Page::* items, std::string (*table)(const std::vector<Item>&),
                   std::string (*json)(const std::vector<Item>&)) {
  const auto ask = [&](Client& client) {
    return list_all<Item>(
        arguments.pattern,
        [&](const ListOptions& options) { return (client.*list)(options, CallOptions()); }, items);
  };
  return show_answer(connection, arguments.form, arguments.pattern, ask,
                     arguments.names ? names_of<Item> : table, json);
}

std::string queues_table_now(const std::vector<QueueDescription>& queues) {
  return queues_table(queues, wall_now());
}

ExitCode list_queues(const Connection& connection, const ListArguments& arguments) {
  return show_list(connection, arguments, &Client::list_queues, &QueuePage::queues,
                   queues_table_now, queues_json);
}

ExitCode list_topics(const Connection& connection, const ListArguments& arguments) {
  return show_list(connection, arguments, &Client::list_topics, &TopicPage::topics, topics_table,
                   topics_json);
}

ExitCode list_namespaces(const Connection& connection, const ListArguments& arguments) {
  return show_list(connection, arguments, &Client::list_namespaces, &NamespacePage::namespaces,
                   namespaces_table, namespaces_json);
}

template <class Page, class Item>
std::vector<std::string> names_in(const Result<Page>& page, std::vector<Item> Page::* items) {
  std::vector<std::string> names;
  if (page) {
    for (const Item& item : (*page).*items) {
      names.push_back(item.name);
    }
  }
  return names;
}

using List = ExitCode (*)(const Connection&, const ListArguments&);

CLI::App& add_list(CLI::App& parent, CommandLine& line, const std::string& description, List how) {
  CLI::App& command = *parent.add_subcommand("ls", description);
  auto arguments = std::make_shared<ListArguments>();
  command.add_option("PATTERN", arguments->pattern,
                     "Names that match: * is any text, ? any character (default: all)");
  CLI::Option* const output = add_output_options(command, arguments->form);
  command.add_flag("--names", arguments->names, "Nothing but the names, one a line")
      ->excludes(output);
  command.callback([&line, arguments, how] {
    line.action = [&line, arguments, how] { return how(line.connection, *arguments); };
  });
  return command;
}

}  // namespace

std::vector<std::string> names_at(const Connection& connection, const std::string& kind,
                                  const std::string& pattern) {
  Result<Client> client = connection.connect();
  if (!client) {
    return {};
  }
  const ListOptions options = ListOptions().set_pattern(pattern);
  if (kind == "queue" || kind == "dlq") {
    return names_in(client->list_queues(options), &QueuePage::queues);
  }
  if (kind == "topic") {
    return names_in(client->list_topics(options), &TopicPage::topics);
  }
  if (kind == "namespace") {
    return names_in(client->list_namespaces(options), &NamespacePage::namespaces);
  }
  if (kind == "client") {
    std::vector<std::string> services;
    if (const auto page = client->list_clients(options)) {
      for (const ClientDescription& one : page->clients) {
        services.push_back(one.service);
      }
    }
    // What a shell could not take as it is, is not offered.
    std::erase_if(services, [](const std::string& service) {
      return service.empty() || terminal::plain(service) != service;
    });
    return services;
  }
  return {};
}

void add_queue_list(CLI::App& parent, CommandLine& line) {
  add_list(parent, line, "List queues with their messages", list_queues).footer(R"(
In the order of names; oldest is how long the oldest message has been there. `weir queue info
--help` says what the other columns mean.

Example:
  weir queue ls 'mail-*'
  weir queue ls --names | xargs -n 1 weir queue info
  weir queue ls --watch)");
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
