#include "broker/cli/command.hpp"
#include "broker/cli/format.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/signals.hpp"
#include "broker/cli/time_spec.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// How often a wait looks whether it should go on.
constexpr milliseconds kLook{100};

struct ConsumeArguments {
  std::string name;
  std::string from = "start";
  std::optional<std::string> to;
  std::string format = "%v\\n";
  std::vector<std::uint32_t> partitions;
  std::optional<std::uint64_t> count;
};

// The command line's words, understood.
struct Plan {
  ReaderOptions reader;
  Format format;
  bool follows = false;  // has no stop position
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
};

Result<Plan> plan_of(const ConsumeArguments& arguments) {
  Result<Format> format = Format::parse(arguments.format);
  if (!format) {
    return std::move(format).error();
  }
  const auto now = wall_now();
  const Result<StartPosition> from = parse_from(arguments.from, now);
  if (!from) {
    return Error(from.error().code, "--from: " + from.error().message);
  }
  Plan plan{.reader = {}, .format = std::move(*format), .follows = !arguments.to};
  plan.reader.set_from(*from);
  for (const std::uint32_t partition : arguments.partitions) {
    plan.reader.add_partition(partition);
  }
  if (arguments.to) {
    const Result<StopPosition> to = parse_to(*arguments.to);
    if (!to) {
      return Error(to.error().code, "--to: " + to.error().message);
    }
    if (to->offset) {
      plan.reader.set_to(*to->offset);
    } else {
      plan.reader.set_stop_at_end();
    }
  }
  plan.count = arguments.count.value_or(plan.count);
  return plan;
}

class Replay {
 public:
  Replay(const ConsumeArguments& arguments, const Plan& plan, const Connection& connection)
      : arguments_(arguments), plan_(plan), connection_(connection) {}

  // Ends the replay after the record at hand; any thread.
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

  ExitCode run(Client& client, TopicReader& reader) {
    last_connected_ = Clock::now();
    std::uint64_t left = plan_.count;
    while (left > 0 && !stopping_.load(std::memory_order_relaxed)) {
      const Result<std::optional<Record>> record = next(client, reader);
      if (!record) {
        out_.flush();
        return report(record.error(), arguments_.name);
      }
      if (!*record) {
        break;
      }
      --left;
      if (!show(**record)) {
        break;
      }
    }
    return finish(out_);
  }

 private:
  // nullopt: there is no more to show.
  Result<std::optional<Record>> next(Client& client, TopicReader& reader) {
    Result<std::optional<Record>> record = reader.next(milliseconds(0));
    while (record && !*record && !reader.finished()) {
      // What has been shown must not wait for what comes.
      if (!out_.flush() || stopping_.load(std::memory_order_relaxed)) {
        break;
      }
      if (client.connected()) {
        last_connected_ = Clock::now();
      } else if (!plan_.follows && Clock::now() - last_connected_ > connection_.timeout()) {
        return Error(ErrorCode::kConnectFailed,
                     "lost the broker before the end, and it did not come back");
      }
      record = reader.next(kLook);
    }
    return record;
  }

  bool show(const Record& record) {
    plan_.format.render({.source = arguments_.name,
                         .partition = record.partition(),
                         .offset = record.offset(),
                         .key = record.key(),
                         .value = record.value(),
                         .headers = record.headers(),
                         .timestamp_ms = ms_of(record.timestamp()),
                         .handle = {},
                         .message_id = {}},
                        out_.buffer());
    return out_.commit();
  }

  const ConsumeArguments& arguments_;
  const Plan& plan_;
  const Connection& connection_;
  Output out_{STDOUT_FILENO};
  std::atomic<bool> stopping_ = false;
  Clock::time_point last_connected_;
};

ExitCode consume(const Connection& connection, const ConsumeArguments& arguments) {
  const Result<Plan> plan = plan_of(arguments);
  if (!plan) {
    return report(plan.error(), arguments.name);
  }
  // A replay up to a stop position is whole or it is not: a signal ends it at once, as a signal's
  // victim. One that follows is ended by a signal and by nothing else, and that is success.
  std::optional<SignalMask> mask;
  if (plan->follows) {
    mask.emplace();
  }
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  Result<TopicReader> reader = client->read_topic(arguments.name, plan->reader);
  if (!reader) {
    return report(reader.error(), arguments.name);
  }
  Replay replay(arguments, *plan, connection);
  std::optional<SignalListener> listener;
  if (plan->follows) {
    listener.emplace([&replay](int count) {
      if (count > 1) {
        // The output may be stuck, so nothing is flushed.
        ::_exit(kInterruptedStatus);
      }
      replay.stop();
    });
  }
  return replay.run(*client, *reader);
}

}  // namespace

void add_topic_consume(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("consume", "Replay and follow a topic");
  auto arguments = std::make_shared<ConsumeArguments>();
  command.add_option("NAME", arguments->name)->required();
  command.add_option("--from", arguments->from, "start, end, an offset, or @TIME")
      ->capture_default_str();
  command.add_option("--to", arguments->to,
                     "end (of when the command begins), or an offset, which is not shown itself; "
                     "without it the command follows the topic until it is interrupted");
  command.add_option("--partition", arguments->partitions, "Only this one; may be repeated")
      ->allow_extra_args(false);
  command.add_option("-n,--count", arguments->count, "End after so many records")
      ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()));
  command
      .add_option("-f,--format", arguments->format,
                  "%v value %k %K key %h headers %p partition %o offset %d timestamp %s size "
                  "%t topic %%; \\n \\t \\0 \\\\")
      ->capture_default_str();
  command.footer(std::string(R"(
@TIME is RFC 3339 (@2026-05-01T12:00:00Z), milliseconds since 1970 (@1777636800000), or how long ago
(@-1h30m). Records of one partition come in order. Nothing is taken off the topic.
)") + kQuotingHelp +
                 R"(
Example:
  weir topic consume clicks --from start --to end -f '%o %k %v\n'
  weir topic consume clicks --from @-1h)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return consume(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
