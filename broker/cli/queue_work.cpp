#include "broker/cli/command.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/signals.hpp"
#include "broker/cli/work_pool.hpp"

#include <CLI/CLI.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Between two looks at an idle queue. It counts as empty when two in a row say so.
constexpr milliseconds kLook{100};
constexpr milliseconds kDescribeTimeout{5'000};
// Messages on the way to the dead-letter queue are waited for, but not for ever.
constexpr milliseconds kDyingPatience{5'000};

struct WorkArguments {
  WorkSettings settings;
  std::int64_t nack_delay_ms = 0;
  std::int64_t lease_ms = 0;
  bool exit_when_empty = false;
};

// Wakes the waiting first thread when the pool has been stopped.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    condition_.notify_all();
  }
  void wait(milliseconds longest) {
    std::unique_lock lock(mutex_);
    condition_.wait_for(lock, longest, [this] { return rung_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

// Tells when a queue has nothing left for this process to do.
class EmptyWatch {
 public:
  EmptyWatch(Client& client, const WorkPool& pool, const WorkTally& tally, std::string queue)
      : client_(client), pool_(pool), tally_(tally), queue_(std::move(queue)) {}

  Result<bool> look() {
    const std::uint64_t activity = pool_.activity();
    if (!pool_.idle() || tally_.unconfirmed.load() > 0 || activity != last_activity_) {
      last_activity_ = activity;
      looked_empty_ = false;
      return false;
    }
    const Result<QueueDescription> queue = client_.describe_queue(queue_, kDescribeTimeout);
    if (!queue) {
      return queue.error();
    }
    // What others hold is theirs; what is on the way to this process shows as activity.
    const bool is_empty = queue->ready == 0 && queue->delayed == 0 && !waits_for(queue->dying) &&
                          pool_.idle() && pool_.activity() == activity;
    return std::exchange(looked_empty_, is_empty) && is_empty;
  }

 private:
  bool waits_for(std::uint64_t dying) {
    if (dying == 0) {
      dying_since_.reset();
      return false;
    }
    if (!dying_since_) {
      dying_since_ = Clock::now();
    }
    return Clock::now() - *dying_since_ < kDyingPatience;
  }

  Client& client_;
  const WorkPool& pool_;
  const WorkTally& tally_;
  std::string queue_;
  std::uint64_t last_activity_ = 0;
  bool looked_empty_ = false;
  std::optional<Clock::time_point> dying_since_;
};

// Says on the standard error what a person who watches wants to know about the connection.
void tell(const ClientEvent& event) {
  if (event.kind == ClientEvent::Kind::kLost) {
    print_error_line("weir: " + event.error.to_string() + "; reconnecting");
  }
}

// Until the pool has stopped, or (when asked for) the queue is empty.
Result<> supervise(Client& client, WorkPool& pool, const WorkTally& tally, Bell& bell,
                   const WorkArguments& arguments) {
  EmptyWatch watch(client, pool, tally, arguments.settings.queue);
  while (!pool.stopping()) {
    bell.wait(kLook);
    if (!arguments.exit_when_empty || pool.stopping()) {
      continue;
    }
    const Result<bool> empty = watch.look();
    if (!empty) {
      return empty.error();
    }
    if (*empty) {
      return {};
    }
  }
  return {};
}

ExitCode work(const Connection& connection, const WorkArguments& arguments) {
  const SignalMask mask;
  WorkTally tally;
  ClientOptions options = connection.client_options();
  std::atomic<bool> ending = false;
  options.set_event_handler([&ending](const ClientEvent& event) {
    if (!ending.load()) {
      tell(event);
    }
  });
  Result<Client> client = Client::connect(std::move(options));
  if (!client) {
    return report(client.error(), connection.url);
  }
  const WorkSettings& settings = arguments.settings;
  ConsumerOptions consumer_options;
  // What waits here for a free command could run elsewhere.
  consumer_options.set_window_messages(settings.concurrency)
      .set_lease(milliseconds(arguments.lease_ms))
      .set_max_hold(std::chrono::hours(24 * 365));
  const Result<QueueConsumer> consumer = client->subscribe(settings.queue, consumer_options);
  if (!consumer) {
    return report(consumer.error(), settings.queue);
  }
  Bell bell;
  WorkPool pool(*consumer, settings, tally);
  Result<> supervised;
  {
    const SignalListener listener([&pool, &bell](int count) {
      if (count == 1) {
        pool.stop();
      } else {
        pool.kill();
      }
      bell.ring();
    });
    supervised = supervise(*client, pool, tally, bell, arguments);
    pool.stop();
    pool.join();
  }
  ending.store(true);
  client->close();
  print_error_line(tally.summary());
  if (const std::optional<Error> failure = pool.failure()) {
    return report(*failure, settings.queue);
  }
  return supervised ? ExitCode::kDone : report(supervised.error(), settings.queue);
}

}  // namespace

void add_queue_work(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("work", "Run a command for each message of a queue");
  auto arguments = std::make_shared<WorkArguments>();
  command.add_option("NAME", arguments->settings.queue)->required();
  command.add_option("CMD", arguments->settings.command, "Program and arguments, behind --")
      ->required();
  command.add_option("--concurrency", arguments->settings.concurrency, "Commands at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_flag("--exit-when-empty", arguments->exit_when_empty,
                   "End when nothing is ready, waits for a retry, or is being worked on here");
  command
      .add_option("--nack-delay-ms", arguments->nack_delay_ms,
                  "How long a failed message waits for its next attempt")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{30} * 24 * 3600 * 1000))
      ->capture_default_str();
  command
      .add_option("--lease-ms", arguments->lease_ms,
                  "After how long the message of a worker that has died comes again (default: the "
                  "queue's)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{12} * 3600 * 1000));
  command.footer(R"(
CMD finds the message on its standard input and WEIR_MESSAGE_ID, WEIR_ATTEMPT, WEIR_QUEUE and, for a
message with one, WEIR_KEY in its environment. Exit 0 acknowledges the message; any other exit, or a
signal, hands it out again. However long CMD runs, the message stays its own.

SIGINT and SIGTERM: takes no more messages and waits for running commands; a second one kills them,
and their messages are given back. Ends with a line `acked A, nacked B` on the standard error.

Example:
  weir queue work mail --concurrency 4 -- sh -c 'read to && sendmail "$to" < letter.txt')");
  command.callback([&line, arguments] {
    arguments->settings.nack_delay = milliseconds(arguments->nack_delay_ms);
    line.action = [&line, arguments] { return work(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
