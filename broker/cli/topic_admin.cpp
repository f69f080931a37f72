#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "proto/names.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace weir::cli {
namespace {

struct CreateArguments {
  std::string name;
  std::uint32_t partitions = 1;
};

ExitCode create(const Connection& connection, const CreateArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<TopicDescription> topic =
      client->create_topic(arguments.name, TopicSettings().set_partitions(arguments.partitions));
  if (!topic) {
    return report(topic.error(), arguments.name);
  }
  return print(topic->created
                   ? "created topic " + topic->name + "\n"
                   : "topic " + topic->name + " is there already, with these settings\n");
}

struct InfoArguments {
  std::string name;
  OutputForm form;
};

ExitCode show(const Connection& connection, const InfoArguments& arguments) {
  return show_answer(
      connection, arguments.form, arguments.name,
      [&](Client& client) { return client.describe_topic(arguments.name); }, topic_table,
      topic_json);
}

}  // namespace

void add_topic_admin(CLI::App& parent, CommandLine& line) {
  CLI::App& create_command = *parent.add_subcommand("create", "Create a topic");
  auto creation = std::make_shared<CreateArguments>();
  create_command.add_option("NAME", creation->name, std::string(proto::kTopicNameRule))->required();
  create_command
      .add_option("--partitions", creation->partitions,
                  "Order is kept within a partition; equal keys share one")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  create_command.footer(R"(
Creating a topic that exists with the same settings succeeds; with others it is refused, and the
answer names the difference.

Example:
  weir topic create clicks --partitions 4)");
  create_command.callback([&line, creation] {
    line.action = [&line, creation] { return create(line.connection, *creation); };
  });

  CLI::App& info_command = *parent.add_subcommand("info", "Show a topic's partitions");
  auto query = std::make_shared<InfoArguments>();
  info_command.add_option("NAME", query->name)->required();
  add_output_options(info_command, query->form);
  info_command.footer(R"(
Records from log_start up to high_watermark (exclusive) can be read.

Example:
  weir topic info clicks -o json)");
  info_command.callback(
      [&line, query] { line.action = [&line, query] { return show(line.connection, *query); }; });
}

}  // namespace weir::cli
