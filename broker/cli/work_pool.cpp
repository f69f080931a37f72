#include "broker/cli/work_pool.hpp"

#include "broker/cli/exit_code.hpp"
#include "broker/cli/output.hpp"

#include <utility>

namespace weir::cli {
namespace {

// stop() wakes the waiting threads; this only bounds how long a lost wake-up could matter.
constexpr std::chrono::milliseconds kLongestWait{1'000};
constexpr std::size_t kMaxKeyBytes = std::size_t{64} << 10;

}  // namespace

std::string WorkTally::summary() const {
  std::string text =
      "acked " + std::to_string(acked.load()) + ", nacked " + std::to_string(nacked.load());
  if (const std::uint64_t count = lost.load(); count > 0) {
    text += ", done but not acknowledged " + std::to_string(count);
  }
  return text;
}

std::vector<std::pair<std::string, std::optional<std::string>>> message_environment(
    const std::string& queue, const std::string& message_id, std::uint32_t attempt,
    std::optional<std::string_view> key) {
  const bool fits = key && key->size() <= kMaxKeyBytes && key->find('\0') == std::string_view::npos;
  return {{"WEIR_QUEUE", queue},
          {"WEIR_MESSAGE_ID", message_id},
          {"WEIR_ATTEMPT", std::to_string(attempt)},
          {"WEIR_KEY", fits ? std::optional<std::string>(*key) : std::nullopt}};
}

WorkPool::WorkPool(QueueConsumer consumer, WorkSettings settings, WorkTally& tally)
    : consumer_(std::move(consumer)), settings_(std::move(settings)), tally_(tally) {
  for (std::uint32_t i = 0; i < settings_.concurrency; ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

WorkPool::~WorkPool() {
  stop();
  join();
}

void WorkPool::stop() {
  if (!stopping_.exchange(true)) {
    consumer_.close();
  }
}

void WorkPool::kill() {
  stop();
  const std::lock_guard lock(mutex_);
  killing_ = true;
  for (ChildProcess* child : running_) {
    child->kill();
  }
}

void WorkPool::join() {
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

std::optional<Error> WorkPool::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void WorkPool::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      failure_ = error;
    }
  }
  stop();
}

void WorkPool::work() {
  while (!stopping_.load()) {
    Result<std::optional<Delivery>> next = consumer_.next(kLongestWait);
    if (!next) {
      // After stop() the subscription is closed, which is no failure.
      if (!stopping_.load()) {
        fail(next.error());
      }
      return;
    }
    if (!*next) {
      continue;
    }
    ++busy_;
    ++activity_;
    handle(std::move(**next));
    ++activity_;
    --busy_;
  }
}

void WorkPool::handle(Delivery delivery) {
  if (stopping_.load()) {
    delivery.release();
    return;
  }
  const ChildSpec spec{
      .command = settings_.command,
      .environment = message_environment(settings_.queue, delivery.message_id().to_string(),
                                         delivery.attempt(), delivery.key()),
      .input = delivery.body()};
  const std::optional<ChildEnd> end = run_command(spec);
  if (!end) {
    delivery.release();
    return;
  }
  if (!end->ok()) {
    delivery.nack(settings_.nack_delay);
    ++tally_.nacked;
    return;
  }
  ++tally_.unconfirmed;
  delivery.ack([tally = &tally_](const Result<>& result) {
    ++(result ? tally->acked : tally->lost);
    if (!result) {
      print_error_line(error_line(result.error(), ""));
    }
    --tally->unconfirmed;
  });
}

std::optional<ChildEnd> WorkPool::run_command(const ChildSpec& spec) {
  Result<std::unique_ptr<ChildProcess>> started = ChildProcess::start(spec);
  if (!started) {
    // Every message would fail in the same way, and lose its attempts by it.
    fail(started.error());
    return std::nullopt;
  }
  ChildProcess& child = **started;
  {
    const std::lock_guard lock(mutex_);
    running_.insert(&child);
    if (killing_) {
      child.kill();
    }
  }
  const ChildEnd end = child.wait();
  const std::lock_guard lock(mutex_);
  running_.erase(&child);
  // One that had succeeded before it could be killed is done.
  return killing_ && !end.ok() ? std::nullopt : std::optional(end);
}

}  // namespace weir::cli
