#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

// `weir queue ls` and `weir topic ls`: page after page, printed when all are there.
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

/// All that match; `page` asks for one page and appends what it holds, giving the next one's token.
template <class Page>
Result<> for_each_page(const ListArguments& arguments, Page page) {
  ListOptions options;
  options.set_pattern(arguments.pattern);
  for (;;) {
    Result<std::string> next = page(options);
    if (!next) {
      return std::move(next).error();
    }
    if (next->empty()) {
      return {};
    }
    options.set_page_token(*std::move(next));
  }
}

ExitCode list_queues(const Connection& connection, const ListArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  std::vector<QueueDescription> queues;
  const auto one = [&](const ListOptions& options) -> Result<std::string> {
    Result<QueuePage> page = client->list_queues(options);
    if (!page) {
      return std::move(page).error();
    }
    queues.insert(queues.end(), page->queues.begin(), page->queues.end());
    return std::move(page->next_page_token);
  };
  if (const Result<> listed = for_each_page(arguments, one); !listed) {
    return report(listed.error(), arguments.pattern);
  }
  if (arguments.names) {
    return print(names_of(queues));
  }
  return print(arguments.output == "json" ? queues_json(queues) : queues_table(queues));
}

ExitCode list_topics(const Connection& connection, const ListArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  std::vector<TopicDescription> topics;
  const auto one = [&](const ListOptions& options) -> Result<std::string> {
    Result<TopicPage> page = client->list_topics(options);
    if (!page) {
      return std::move(page).error();
    }
    topics.insert(topics.end(), page->topics.begin(), page->topics.end());
    return std::move(page->next_page_token);
  };
  if (const Result<> listed = for_each_page(arguments, one); !listed) {
    return report(listed.error(), arguments.pattern);
  }
  if (arguments.names) {
    return print(names_of(topics));
  }
  return print(arguments.output == "json" ? topics_json(topics) : topics_table(topics));
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

}  // namespace weir::cli
