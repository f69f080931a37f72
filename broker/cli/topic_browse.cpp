#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/time_text.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// `weir topic browse`: a bounded look at a topic.
namespace weir::cli {
namespace {

struct BrowseArguments {
  std::string name;
  std::optional<std::uint32_t> partition;
  std::optional<std::int64_t> offset;
  std::int64_t count = 10;
  bool oldest = false;
};

/// The first offset to show of a partition, and the one behind the last.
struct Span {
  std::uint32_t partition = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

std::vector<Span> spans_of(const TopicDescription& topic, const BrowseArguments& arguments) {
  std::vector<Span> spans;
  for (const PartitionDescription& one : topic.partitions) {
    if (arguments.partition && *arguments.partition != one.partition) {
      continue;
    }
    std::int64_t from = arguments.oldest ? one.log_start : one.high_watermark - arguments.count;
    from = std::max(arguments.offset.value_or(from), one.log_start);
    const std::int64_t to =
        std::min(one.high_watermark, from <= one.high_watermark ? from + arguments.count : from);
    if (from < to) {
      spans.push_back({one.partition, from, to});
    }
  }
  return spans;
}

/// Adds a partition's records to the table. A gap that compaction left makes it fewer.
Result<> show_span(Client& client, const std::string& topic, const Span& span, Table& table,
                   std::chrono::milliseconds timeout) {
  ReaderOptions options;
  options.add_partition(span.partition, StartPosition::offset(span.from)).set_to(span.to);
  Result<TopicReader> reader = client.read_topic(topic, options);
  if (!reader) {
    return reader.error();
  }
  while (!reader->finished()) {
    const Result<std::optional<Record>> record = reader->next(timeout);
    if (!record) {
      return record.error();
    }
    if (!*record) {
      if (reader->finished()) {
        break;
      }
      return Error(ErrorCode::kDeadlineExceeded, "no record in time");
    }
    const Record& one = **record;
    table.add({std::to_string(one.partition()), std::to_string(one.offset()),
               terminal::time_text(ms_of(one.timestamp())), preview(one.key()),
               one.value() ? std::to_string(one.value()->size()) : "-", preview(one.value())});
  }
  return {};
}

ExitCode browse(const Connection& connection, const BrowseArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<TopicDescription> topic = client->describe_topic(arguments.name);
  if (!topic) {
    return report(topic.error(), arguments.name);
  }
  if (arguments.partition && *arguments.partition >= topic->partitions.size()) {
    return report(Error(ErrorCode::kPartitionNotFound,
                        "topic " + topic->name + " has " +
                            std::to_string(topic->partitions.size()) + " partitions"),
                  arguments.name);
  }
  Table table({{"partition"},
               {"offset"},
               {"timestamp", Table::Align::kLeft},
               {"key", Table::Align::kLeft},
               {"size"},
               {"value", Table::Align::kLeft}});
  for (const Span& span : spans_of(*topic, arguments)) {
    const Result<> shown = show_span(*client, topic->name, span, table, connection.timeout());
    if (!shown) {
      return report(shown.error(), arguments.name);
    }
  }
  return print(table.text());
}

}  // namespace

void add_topic_browse(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("browse", "Look at a few records of a topic");
  auto arguments = std::make_shared<BrowseArguments>();
  command.add_option("NAME", arguments->name)->required();
  command.add_option("--partition", arguments->partition, "Only this one (default: all)");
  command.add_option("-n,--count", arguments->count, "So many of each partition")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{10'000}))
      ->capture_default_str();
  CLI::Option* const offset =
      command.add_option("--offset", arguments->offset, "From this offset on")
          ->check(CLI::NonNegativeNumber);
  command.add_flag("--oldest", arguments->oldest, "The first ones instead of the last")
      ->excludes(offset);
  command.footer(R"(
The newest records of each partition, keys and values cut; nothing is taken off the topic. For whole
records, and for more of them: weir topic consume.

Example:
  weir topic browse clicks
  weir topic browse clicks --partition 0 --offset 1200 -n 3)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return browse(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
