#include "broker/cli/command.hpp"
#include "broker/cli/delay_option.hpp"
#include "broker/cli/line_reader.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/send_tally.hpp"
#include "broker/cli/time_spec.hpp"
#include "broker/cli/wall_clock.hpp"
#include "proto/limits.hpp"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

// More than the broker takes, so that the library says so with its own words.
constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

struct SendArguments {
  bool is_topic = false;
  std::string name;
  std::optional<std::string> value;
  std::optional<std::string> key;
  std::vector<std::string> headers;
  std::optional<std::uint32_t> partition;
  Compression compression = Compression::kNone;
  DelayOption until;
  std::optional<std::int64_t> ttl_ms;
  std::optional<std::string> group;
  std::optional<int> priority;
  std::optional<std::string> deduplication_id;
  std::string deadline;
};

// Views into `arguments`; nullopt where one is not name=value.
std::optional<std::vector<HeaderView>> headers_of(const SendArguments& arguments) {
  std::vector<HeaderView> headers;
  for (const std::string& text : arguments.headers) {
    const std::size_t mark = text.find('=');
    if (mark == std::string::npos || mark == 0) {
      return std::nullopt;
    }
    const std::string_view header = text;
    headers.emplace_back(header.substr(0, mark), header.substr(mark + 1));
  }
  return headers;
}

// Hands messages to the producer until one fails: what follows a failed line would be stored
// without it.
class Feeder {
 public:
  Feeder(Producer& producer, const MessageView& pattern, SendTally& tally)
      : producer_(producer), pattern_(pattern), tally_(tally) {}

  void send(std::string_view body) {
    const std::uint64_t number = ++count_;
    MessageView message = pattern_;
    message.set_body(body);
    SendTally* tally = &tally_;
    const Result<> taken = producer_.send(
        message,
        [tally, number](const Result<SendReceipt>& result) { tally->on_result(number, result); });
    if (!taken) {
      tally_.on_failure(number, taken.error());
    }
  }

  void send_lines(int fd) {
    LineReader lines(fd, kMaxLineBytes);
    while (!tally_.failed()) {
      const Result<std::optional<std::string_view>> line = lines.next();
      if (!line) {
        tally_.on_failure(count_ + 1, line.error());
        return;
      }
      if (!*line) {
        return;
      }
      send(**line);
    }
  }

 private:
  Producer& producer_;
  MessageView pattern_;
  SendTally& tally_;
  std::uint64_t count_ = 0;
};

Result<Producer> open_producer(Client& client, const SendArguments& arguments) {
  ProducerOptions options;
  options.set_compression(arguments.compression);
  return arguments.is_topic ? client.topic_producer(arguments.name, options)
                            : client.queue_producer(arguments.name, options);
}

ExitCode send(const Connection& connection, const SendArguments& arguments) {
  const std::optional<std::vector<HeaderView>> headers = headers_of(arguments);
  if (!headers) {
    return report(Error(ErrorCode::kInvalidArgument, "a header is written -H name=value"), "");
  }
  MessageView pattern;
  pattern.set_headers(*headers);
  if (arguments.key) {
    pattern.set_key(*arguments.key);
  }
  if (arguments.partition) {
    pattern.set_partition(*arguments.partition);
  }

  if (arguments.until.is_set()) {
    const Result<std::chrono::milliseconds> delay = arguments.until.delay();
    if (!delay) {
      return report(delay.error(), arguments.name);
    }
    pattern.set_delay(*delay);
  }

  if (arguments.ttl_ms) {
    pattern.set_ttl(std::chrono::milliseconds(*arguments.ttl_ms));
  }
  if (!arguments.deadline.empty()) {
    const Result<Timestamp> deadline = parse_time(arguments.deadline, wall_now());
    if (!deadline) {
      return report(deadline.error(), arguments.name);
    }
    pattern.set_deadline(*deadline);
  }

  if (arguments.group) {
    pattern.set_group(*arguments.group);
  }
  if (arguments.priority) {
    pattern.set_priority(static_cast<std::uint8_t>(*arguments.priority));
  }
  if (arguments.deduplication_id) {
    pattern.set_deduplication_id(*arguments.deduplication_id);
  }

  // Outlives the client, whose callbacks fill it.
  SendTally tally;
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  Result<Producer> producer = open_producer(*client, arguments);
  if (!producer) {
    return report(producer.error(), arguments.name);
  }
  Feeder feeder(*producer, pattern, tally);
  if (arguments.value) {
    feeder.send(*arguments.value);
  } else {
    feeder.send_lines(STDIN_FILENO);
  }
  // Each message has its own deadline; this one is behind them all. What it may miss is answered
  // by close(), after which no callback runs.
  const Result<> flushed = producer->flush(connection.timeout() + std::chrono::seconds(5));
  client->close();
  if (!flushed && !tally.failed()) {
    return report(flushed.error(), arguments.name);
  }
  return tally.conclude(arguments.is_topic ? "published" : "sent", arguments.name);
}

void add_common(CLI::App& command, const std::shared_ptr<SendArguments>& arguments,
                CommandLine& line) {
  command.add_option("NAME", arguments->name)->required();
  command.add_option("--value", arguments->value, "Send this one message, and read no input");
  command.add_option("--key", arguments->key, "The key of every message");
  command
      .add_option("-H,--header", arguments->headers, "A header of every message; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return send(line.connection, *arguments); };
  });
}

}  // namespace

void add_queue_send(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("send", "Send lines of the input to a queue");
  auto arguments = std::make_shared<SendArguments>();
  add_common(command, arguments, line);
  add_delay_options(command, arguments->until);
  command.add_option("--ttl-ms", arguments->ttl_ms, "Of no use so long after they are ready")
      ->check(CLI::Range(std::int64_t{1}, proto::kMaxTtlMs));
  command.add_option("--deadline", arguments->deadline,
                     "Of no use from then on: RFC 3339, or ms since 1970");
  command.add_option("--group", arguments->group,
                     "The group of every message: a FIFO queue keeps the order within it; in any "
                     "other one of which much waits does not hold up the others");
  command
      .add_option("--priority", arguments->priority,
                  "0 to 9, the most urgent, of every message; 4 without it")
      ->check(CLI::Range(0, 9));
  command.add_option("--deduplication-id", arguments->deduplication_id,
                     "A FIFO queue takes what has this id once within its deduplication time");
  command.footer(R"(
Each line of the standard input is a message, without its newline; empty lines too. When the command
prints `sent N messages`, all N are on the broker's disk. At the first failure it stops reading and
says how many messages were stored, unknown and refused. A queue that is full or paused is tried
again until --timeout-ms has passed.

With --delay-ms or --until messages are put off: nobody gets them before. weir delayed ls shows
them, and they can be cancelled or put off anew until then.

What is of no use any more, by --ttl-ms, --deadline or the queue's own retention, is handed out to
nobody: it is gone, or in the dead-letter queue (weir queue create --dead-letter-expired 1).

Example:
  weir queue send mail < addresses.txt
  weir queue send mail --value 'hello' -H lang=en
  weir queue send mail --value 'good morning' --until 2026-12-24T06:00:00Z
  weir queue send orders.fifo --group customer-7 < orders.txt)");
}

void add_topic_publish(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("publish", "Publish lines of the input to a topic");
  auto arguments = std::make_shared<SendArguments>();
  arguments->is_topic = true;
  add_common(command, arguments, line);
  command.add_option("--partition", arguments->partition,
                     "Publish to this partition (default: by key, or taken in turn)");
  command.add_option("--compression", arguments->compression, "none, lz4 or zstd (default: none)")
      ->type_name("KIND")
      // CLI11 would print the map with its values, as characters.
      ->transform(CLI::Transformer(std::map<std::string, Compression>{{"none", Compression::kNone},
                                                                      {"lz4", Compression::kLz4},
                                                                      {"zstd", Compression::kZstd}})
                      .description("{lz4,none,zstd}"))
      ->default_str("none");
  command.footer(R"(
Each line of the standard input is a record's value, without its newline; empty lines too. When the
command prints `published N messages`, all N are on the broker's disk. At the first failure it stops
reading and says how many messages were stored, unknown and refused.

Example:
  weir topic publish clicks --compression zstd < clicks.log
  weir topic publish clicks --key user-7 --value '{"page": "/"}')");
}

}  // namespace weir::cli
