#include "client/workers/worker_crew.hpp"

#include "client/core/backoff.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace weir::sdk {
namespace {

// Between two tries of a subscription that is refused: the library asks the broker again by itself.
constexpr std::chrono::milliseconds kRefusedPause{200};
// As good as for ever.
constexpr std::chrono::hours kLongestWait{24 * 365};

thread_local const WorkerCrew* this_threads_crew = nullptr;

}  // namespace

WorkerCrew::WorkerCrew(QueueConsumer consumer, WorkerPoolOptions options, WorkHandler handler,
                       const std::shared_ptr<Engine>& engine)
    : consumer_(std::move(consumer)),
      options_(std::move(options)),
      handler_(std::move(handler)),
      engine_(engine),
      prefetch_(options_.concurrency()),
      random_(engine->seed()) {}

std::uint32_t WorkerCrew::first_window(const WorkerPoolOptions& options) {
  return options.concurrency() + options.prefetch().value_or(options.concurrency());
}

Result<> WorkerCrew::start() {
  drained_ = std::make_shared<Awaited<>>(engine_, [crew = weak_from_this()] {
    const auto self = crew.lock();
    return self ? self->still_busy() : Error(ErrorCode::kDeadlineExceeded);
  });
  threads_.reserve(options_.concurrency());
  try {
    for (std::uint32_t i = 0; i < options_.concurrency(); ++i) {
      threads_.emplace_back([crew = shared_from_this()] { crew->work(); });
    }
  } catch (const std::system_error& thrown) {
    const std::size_t count = threads_.size();
    join();
    return Error(ErrorCode::kLimitExceeded, "the system gives no more than " +
                                                std::to_string(count) +
                                                " threads: " + thrown.code().message());
  }
  return {};
}

void WorkerCrew::begin() {
  const std::lock_guard lock(mutex_);
  has_begun_ = true;
  changed_.notify_all();
}

void WorkerCrew::set_paused(bool paused) {
  if (paused) {
    consumer_.pause();
  } else {
    consumer_.resume();
  }
}

void WorkerCrew::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!drain_by_) {
      drain_by_ = engine_->clock().now() + options_.drain_timeout();
    }
  }
  if (taking_.request_stop()) {
    consumer_.close();
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
}

void WorkerCrew::cancel() {
  stop();
  handling_.request_stop();
}

Result<> WorkerCrew::drain(const CallOptions& call) {
  if (is_mine() || is_io_thread()) {
    return Error(ErrorCode::kInvalidArgument,
                 "handlers and callbacks cannot wait for their own end");
  }
  // The time is kept here: the client, and its thread with it, may be closed before the pool.
  std::stop_source given_up;
  const std::stop_callback give_up(call.stop_token(), [&given_up] { given_up.request_stop(); });
  stop();
  Future<> drained = until_drained(TimePoint::max(), given_up.get_token());
  if (!drained.wait_until(deadline_of(call))) {
    given_up.request_stop();
    return still_busy();
  }
  return drained.get();
}

Future<> WorkerCrew::async_drain(const CallOptions& call) {
  stop();
  return until_drained(deadline_of(call), call.stop_token());
}

Future<> WorkerCrew::until_drained(TimePoint deadline, const std::stop_token& stop_waiting) {
  bool drained = false;
  {
    const std::lock_guard lock(mutex_);
    drained = is_drained();
  }
  if (drained) {
    drained_->tell({});
  }
  return drained_->wait(deadline, stop_waiting);
}

Error WorkerCrew::still_busy() const {
  const std::lock_guard lock(mutex_);
  return Error(ErrorCode::kDeadlineExceeded,
               std::to_string(counts_.running) + " messages are still being handled, and " +
                   std::to_string(counts_.unconfirmed) + " outcomes are not confirmed");
}

TimePoint WorkerCrew::deadline_of(const CallOptions& call) const {
  if (call.timeout() || call.deadline()) {
    return engine_->deadline_of(call, options_.drain_timeout());
  }
  const std::lock_guard lock(mutex_);
  return *drain_by_;
}

void WorkerCrew::join() {
  stop();
  for (std::thread& thread : threads_) {
    if (is_io_thread() || thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  threads_.clear();
}

bool WorkerCrew::is_mine() const {
  return this_threads_crew == this;
}

Result<> WorkerCrew::status() const {
  return consumer_.status();
}

WorkerPoolStats WorkerCrew::stats() const {
  WorkerPoolStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = counts_;
  }
  stats.waiting = consumer_.buffered();
  return stats;
}

// ---- the workers' threads

void WorkerCrew::work() {
  this_threads_crew = this;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return has_begun_ || taking_.stop_requested(); });
  }
  const CallOptions call = CallOptions(kLongestWait).set_stop_token(taking_.get_token());
  while (!taking_.stop_requested()) {
    Result<std::optional<Delivery>> next = consumer_.next(call);
    if (!next && next.error().code == ErrorCode::kCancelled) {
      return;
    }
    if (!next) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kRefusedPause, [this] { return taking_.stop_requested(); });
      continue;
    }
    if (*next) {
      handle(std::move(**next));
    }
  }
}

void WorkerCrew::handle(Delivery delivery) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.taken;
    ++counts_.running;
  }
  const TimePoint began = engine_->clock().now();
  const Outcome outcome = call(delivery);
  const Duration spent = engine_->clock().now() - began;
  if (!delivery.settled()) {
    settle(delivery, outcome);
  }
  on_handled(spent);
}

Outcome WorkerCrew::call(Delivery& delivery) {
  // A message that came as the pool was stopped.
  if (taking_.stop_requested()) {
    return Outcome::release();
  }
  try {
    return handler_(delivery, handling_.get_token());
  } catch (const OutcomeException& thrown) {
    return thrown.outcome();
  } catch (const Exception& thrown) {
    return Outcome::nack(thrown.error());
  } catch (const std::exception& thrown) {
    return Outcome::nack(thrown.what());
  } catch (...) {
    return Outcome::nack("the handler threw something that is no std::exception");
  }
}

void WorkerCrew::settle(Delivery& delivery, const Outcome& outcome) {
  using Kind = Outcome::Kind;
  const bool is_done = outcome.kind() == Kind::kAck || outcome.kind() == Kind::kRelease;
  if (!is_done && options_.failure_handler()) {
    options_.failure_handler()(delivery, outcome.reason());
  }
  delivery.settle(with_pause(outcome, delivery.attempt()),
                  count_into(outcome.kind() == Kind::kAck       ? &WorkerPoolStats::acked
                             : outcome.kind() == Kind::kRelease ? &WorkerPoolStats::released
                                                                : &WorkerPoolStats::nacked));
}

Outcome WorkerCrew::with_pause(const Outcome& outcome, std::uint32_t attempt) {
  const bool queue_decides =
      !options_.has_own_backoff() && consumer_.redelivery_delay() > std::chrono::milliseconds{0};
  if (outcome.delay() || queue_decides) {
    return outcome;
  }
  switch (outcome.kind()) {
    case Outcome::Kind::kNack:
      return Outcome::nack(pause_after(attempt), outcome.reason());
    case Outcome::Kind::kTransient:
      return Outcome::transient(pause_after(attempt), outcome.reason());
    case Outcome::Kind::kAck:
    case Outcome::Kind::kRelease:
    case Outcome::Kind::kPoison:
    case Outcome::Kind::kNotNow:
      break;
  }
  return outcome;
}

SettleCallback WorkerCrew::count_into(std::uint64_t WorkerPoolStats::* counter) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.unconfirmed;
  }
  return [crew = shared_from_this(), counter](const Result<>& result) {
    bool drained = false;
    {
      const std::lock_guard lock(crew->mutex_);
      --crew->counts_.unconfirmed;
      ++(crew->counts_.*(result ? counter : &WorkerPoolStats::late));
      drained = crew->is_drained();
    }
    if (drained) {
      crew->drained_->tell({});
    }
  };
}

std::chrono::milliseconds WorkerCrew::pause_after(std::uint32_t attempt) {
  const std::lock_guard lock(mutex_);
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      Backoff::pause(options_.first_backoff(), options_.longest_backoff(), attempt - 1, random_));
}

void WorkerCrew::on_handled(Duration spent) {
  std::optional<std::uint32_t> prefetch;
  bool drained = false;
  {
    const std::lock_guard lock(mutex_);
    --counts_.running;
    drained = is_drained();
    if (!options_.prefetch()) {
      prefetch = prefetch_.on_handled(spent);
    }
  }
  if (drained) {
    drained_->tell({});
  }
  if (prefetch) {
    consumer_.set_window(options_.concurrency() + *prefetch, options_.window_bytes());
  }
}

}  // namespace weir::sdk
