#include "broker/cli/command.hpp"
#include "broker/cli/message_command.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/signals.hpp"

#include <CLI/CLI.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
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
// A command may take as long as it likes.
constexpr std::chrono::hours kLongestWork{24 * 365};

struct WorkArguments {
  std::string queue;
  MessageCommandSettings command;
  std::uint32_t concurrency = 1;
  std::optional<std::int64_t> nack_delay_ms;
  std::optional<std::int64_t> lease_ms;
  bool exit_when_empty = false;
};

// Stops a pool from a handler of its own, from the thread of signals, and from the first thread,
// which it wakes.
class Control {
 public:
  // Those who want to stop it wait for that.
  void set_pool(WorkerPool& pool) {
    const std::lock_guard lock(mutex_);
    pool_ = &pool;
    changed_.notify_all();
  }
  // Running commands go on.
  void stop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pool_ != nullptr; });
    is_stopping_ = true;
    changed_.notify_all();
    pool_->stop();
  }
  // Running commands are killed.
  void kill() {
    stop();
    pool_->cancel();
  }
  [[nodiscard]] bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return is_stopping_;
  }
  void wait(milliseconds longest) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, longest, [this] { return is_stopping_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  WorkerPool* pool_ = nullptr;
  bool is_stopping_ = false;
};

// Tells when a queue has nothing left for this process to do.
class EmptyWatch {
 public:
  EmptyWatch(Client& client, const WorkerPool& pool, std::string queue)
      : client_(client), pool_(pool), queue_(std::move(queue)) {}

  Result<bool> look() {
    const WorkerPoolStats before = pool_.stats();
    if (!is_idle(before) || activity_of(before) != last_activity_) {
      last_activity_ = activity_of(before);
      looked_empty_ = false;
      return false;
    }
    const Result<QueueDescription> queue = client_.describe_queue(queue_, kDescribeTimeout);
    if (!queue) {
      return queue.error();
    }
    // What others hold is theirs; what is on the way to this process shows as activity.
    const WorkerPoolStats after = pool_.stats();
    const bool is_empty = queue->ready == 0 && queue->delayed == 0 && !waits_for(queue->dying) &&
                          is_idle(after) && activity_of(after) == last_activity_;
    return std::exchange(looked_empty_, is_empty) && is_empty;
  }

 private:
  static bool is_idle(const WorkerPoolStats& stats) {
    return stats.running == 0 && stats.waiting == 0 && stats.unconfirmed == 0;
  }
  // Messages taken and commands ended: equal numbers say that nothing happened in between.
  static std::uint64_t activity_of(const WorkerPoolStats& stats) {
    return 2 * stats.taken - stats.running;
  }
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
  const WorkerPool& pool_;
  std::string queue_;
  std::uint64_t last_activity_ = 0;
  bool looked_empty_ = false;
  std::optional<Clock::time_point> dying_since_;
};

// Says on the standard error what a person who watches wants to know about the connection.
void tell(const ClientEvent& event) {
  if (event.kind == ClientEvent::Kind::kLost) {
    print_error_line("weir: " + event.to_string() + "; reconnecting");
  }
}

// Until the pool has stopped, or (when asked for) the queue is empty.
Result<> supervise(Client& client, const WorkerPool& pool, Control& control,
                   const WorkArguments& arguments) {
  EmptyWatch watch(client, pool, arguments.queue);
  while (true) {
    control.wait(kLook);
    if (control.is_stopping()) {
      return {};
    }
    if (Result<> status = pool.status(); !status) {
      return status;
    }
    if (arguments.exit_when_empty) {
      const Result<bool> empty = watch.look();
      if (!empty) {
        return empty.error();
      }
      if (*empty) {
        return {};
      }
    }
  }
}

ExitCode work(const Connection& connection, const WorkArguments& arguments) {
  const SignalMask mask;
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
  Control control;
  MessageCommand command(arguments.command, [&control] { control.stop(); });
  WorkerPoolOptions pool_options;
  // What waits here for a free command could run elsewhere.
  pool_options.set_concurrency(arguments.concurrency).set_prefetch(0).set_max_hold(kLongestWork);
  if (arguments.lease_ms) {
    pool_options.set_lease(milliseconds(*arguments.lease_ms));
  }
  Result<WorkerPool> pool = client->start_workers(
      arguments.queue, pool_options, [&command](Delivery& delivery, const std::stop_token& stop) {
        return command.run(delivery, stop);
      });
  if (!pool) {
    return report(pool.error(), arguments.queue);
  }
  control.set_pool(*pool);
  Result<> supervised;
  {
    const SignalListener listener([&control](int count) {
      if (count == 1) {
        control.stop();
      } else {
        control.kill();
      }
    });
    supervised = supervise(*client, *pool, control, arguments);
    static_cast<void>(pool->drain(kLongestWork));
  }
  ending.store(true);
  client->close();
  print_error_line(summary_of(pool->stats()));
  if (const std::optional<Error> failure = command.failure()) {
    return report(*failure, arguments.queue);
  }
  return supervised ? ExitCode::kDone : report(supervised.error(), arguments.queue);
}

}  // namespace

void add_queue_work(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("work", "Run a command for each message of a queue");
  auto arguments = std::make_shared<WorkArguments>();
  command.add_option("NAME", arguments->queue)->required();
  command.add_option("CMD", arguments->command.command, "Program and arguments, behind --")
      ->required();
  command.add_option("--concurrency", arguments->concurrency, "Commands at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_flag("--exit-when-empty", arguments->exit_when_empty,
                   "End when nothing is ready, waits for a retry, or is being worked on here");
  command
      .add_option("--nack-delay-ms", arguments->nack_delay_ms,
                  "How long a failed message waits for its next attempt (default: 1 s after the "
                  "first, doubled with each further one up to 60 s, each shortened by up to a half "
                  "by chance)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{30} * 24 * 3600 * 1000));
  command
      .add_option("--max-failures-in-a-row", arguments->command.max_failures_in_a_row,
                  "End, with exit code 1, when so many commands failed and none succeeded between "
                  "them; 0: never")
      ->capture_default_str();
  command
      .add_option("--lease-ms", arguments->lease_ms,
                  "After how long the message of a worker that has died comes again (default: the "
                  "queue's)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{12} * 3600 * 1000));
  command.footer(R"(
CMD finds the message on its standard input and WEIR_MESSAGE_ID, WEIR_ATTEMPT, WEIR_QUEUE and, for a
message with one, WEIR_KEY in its environment. However long CMD runs, the message stays its own. How
it ends says what becomes of it:

  0         done
  75        something that it needs is away (EX_TEMPFAIL): comes again, later each time; no failure
  65        it can never be handled (EX_DATAERR): to the dead-letter queue at once, or parked
  other     failed, and so with a signal: comes again, later each time; at the queue's
            max_receive_count it goes to the dead-letter queue, or is parked

A mistake in CMD fails for every message. So that it does not cost all of them their attempts, the
command ends by itself after --max-failures-in-a-row; a service that runs unattended, and finds
whole rows of bad messages, sets it higher, or to 0.

SIGINT and SIGTERM: takes no more messages and waits for running commands; a second one kills them,
and their messages are given back. Ends with a line `acked A, nacked B` on the standard error.

Example:
  weir queue work mail --concurrency 4 -- sh -c 'read to && sendmail "$to" < letter.txt')");
  command.callback([&line, arguments] {
    if (arguments->nack_delay_ms) {
      arguments->command.nack_delay = milliseconds(*arguments->nack_delay_ms);
    }
    line.action = [&line, arguments] { return work(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
