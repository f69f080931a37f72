#pragma once

#include "weir/consumer.hpp"
#include "weir/error.hpp"
#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/options.hpp"
#include "weir/outcome.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// Threads that handle the messages of a queue: Client::start_workers().
namespace weir {

namespace sdk {
class WorkerCrew;
template <class R>
inline constexpr bool kIsResult = false;
template <class T>
inline constexpr bool kIsResult<Result<T>> = true;
}  // namespace sdk

/// What handles a message: any callable that takes a `Delivery&`, or a `Delivery&` and a
/// `std::stop_token`. It runs on the pool's threads, on several of them at once, and may block.
///
/// How it ends decides what becomes of the message:
///   returns nothing    acknowledged
///   returns a Result   acknowledged, or, with an error, Outcome::nack(error)
///   returns an Outcome what that says
///   throws             failed; an OutcomeException says what else
/// A message that the handler settled itself, or moved out of its hands, is left as it is.
///
/// The stop token is asked to stop by WorkerPool::cancel(): what is handled then should be broken
/// off.
class WorkHandler {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, WorkHandler> &&
             (std::is_invocable_v<std::decay_t<F>&, Delivery&> ||
              std::is_invocable_v<std::decay_t<F>&, Delivery&, std::stop_token>))
  WorkHandler(F handler)  // NOLINT: a callable is one
      : function_([handler = std::move(handler)](Delivery& delivery,
                                                 const std::stop_token& stop) mutable -> Outcome {
          if constexpr (std::is_invocable_v<F&, Delivery&, std::stop_token>) {
            return judge([&]() -> decltype(auto) { return handler(delivery, stop); });
          } else {
            return judge([&]() -> decltype(auto) { return handler(delivery); });
          }
        }) {}

  /// Calls it; what it throws comes out.
  [[nodiscard]] Outcome operator()(Delivery& delivery, const std::stop_token& stop) {
    return function_(delivery, stop);
  }

 private:
  template <class Call>
  static Outcome judge(Call call) {
    using Returned = std::remove_cvref_t<std::invoke_result_t<Call&>>;
    static_assert(
        std::is_void_v<Returned> || std::is_same_v<Returned, Outcome> || sdk::kIsResult<Returned>,
        "a work handler returns nothing, a weir::Result or a weir::Outcome");
    if constexpr (std::is_void_v<Returned>) {
      call();
      return Outcome::ack();
    } else if constexpr (std::is_same_v<Returned, Outcome>) {
      return call();
    } else {
      const auto result = call();
      return result ? Outcome::ack() : Outcome::nack(result.error());
    }
  }

  UniqueFunction<Outcome(Delivery&, const std::stop_token&)> function_;
};

/// How a pool of workers works.
class WEIR_API WorkerPoolOptions {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using FailureHandler = std::function<void(const Delivery& delivery, std::string_view reason)>;

  WorkerPoolOptions();

  /// Messages that are handled at a time, each on a thread of its own: 1 to 1000. Default: the
  /// number of processors.
  WorkerPoolOptions& set_concurrency(std::uint32_t workers);
  /// Messages that wait here for a free worker, besides those that are handled; zero: what this
  /// pool cannot begin at once stays with the broker, for others. Default: as many as the workers
  /// handle in 100 ms, at least one for each of them, at most 1000 in all.
  WorkerPoolOptions& set_prefetch(std::uint32_t messages);
  /// Bytes of the messages that wait or are handled. Default 8 MiB.
  WorkerPoolOptions& set_window_bytes(std::uint32_t bytes);
  /// How long a message is this pool's when its process dies or hangs. Default: the queue's.
  WorkerPoolOptions& set_lease(Milliseconds lease);
  /// Leases are extended while a message waits or is handled, until it was held this long; then
  /// another consumer gets it, and the outcome of this one comes too late. Default 5 min.
  WorkerPoolOptions& set_max_hold(Milliseconds max_hold);
  /// The pause before a failed message is handed out again: `first` after the first attempt,
  /// doubled with each further one up to `longest`, each shortened by up to a half by chance.
  /// Default: what the queue's redelivery policy says, and where it has none 1 s and 60 s.
  WorkerPoolOptions& set_retry_backoff(Milliseconds first, Milliseconds longest);
  /// How long what was begun may take to its end, from the first stop() or drain(), before the
  /// destructor cancels it. Default 15 s; with the client's own drain timeout behind it, as long as
  /// a process that is to end takes at most while its broker is away.
  WorkerPoolOptions& set_drain_timeout(Milliseconds timeout);
  /// Learns of each message that is neither done nor released, and why, on the worker's thread and
  /// before the message goes back. Must not throw. Default: none.
  WorkerPoolOptions& set_failure_handler(FailureHandler handler);

  [[nodiscard]] std::uint32_t concurrency() const { return concurrency_; }
  [[nodiscard]] std::optional<std::uint32_t> prefetch() const { return prefetch_; }
  [[nodiscard]] std::uint32_t window_bytes() const { return window_bytes_; }
  [[nodiscard]] std::optional<Milliseconds> lease() const { return lease_; }
  [[nodiscard]] Milliseconds max_hold() const { return max_hold_; }
  /// Whether set_retry_backoff() was called.
  [[nodiscard]] bool has_own_backoff() const { return has_own_backoff_; }
  [[nodiscard]] Milliseconds first_backoff() const { return first_backoff_; }
  [[nodiscard]] Milliseconds longest_backoff() const { return longest_backoff_; }
  [[nodiscard]] Milliseconds drain_timeout() const { return drain_timeout_; }
  [[nodiscard]] const FailureHandler& failure_handler() const { return failure_handler_; }

 private:
  std::uint32_t concurrency_;
  std::optional<std::uint32_t> prefetch_;
  std::uint32_t window_bytes_ = std::uint32_t{8} << 20;
  std::optional<Milliseconds> lease_;
  Milliseconds max_hold_{300'000};
  bool has_own_backoff_ = false;
  Milliseconds first_backoff_{1'000};
  Milliseconds longest_backoff_{60'000};
  Milliseconds drain_timeout_{15'000};
  FailureHandler failure_handler_;
};

/// What a pool has done since it was started, and what it is at.
struct WEIR_API WorkerPoolStats {
  WorkerPoolStats();

  std::uint64_t taken = 0;        // messages that a worker was given
  std::uint64_t acked = 0;        // outcomes that are durable
  std::uint64_t nacked = 0;       //
  std::uint64_t released = 0;     //
  std::uint64_t late = 0;         // outcomes that the broker did not take: another has the message
  std::uint32_t running = 0;      // messages that are handled now
  std::uint64_t unconfirmed = 0;  // outcomes on their way to the broker
  std::size_t waiting = 0;        // messages that wait here for a free worker
};

/// A subscription to a queue with threads of its own that handle its messages. Messages are taken
/// by credit, reported as begun when a worker takes them, kept alive while they wait and are
/// handled, and settled by what the handler returns or throws. While the broker is away, or refuses
/// the subscription, the pool waits and goes on by itself.
///
/// Thread-safety: every function may be called from any thread, by several at once; handlers may
/// call all but drain(). Moved-from it may only be assigned to or destroyed.
class WEIR_API WorkerPool {
 public:
  WorkerPool(WorkerPool&& other) noexcept;
  /// Ends what was held before, as the destructor does.
  WorkerPool& operator=(WorkerPool&& other) noexcept;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  /// drain(), which does not wait again where an earlier one has used up the drain timeout, and
  /// cancel() if that took too long; then waits until the handlers have returned, however long that
  /// takes: what they use may be destroyed after it. In a handler of its own it does not
  /// wait for that one, and in callbacks not at all: there it is cancel().
  ~WorkerPool();

  /// Stops and restarts the taking of messages; those that wait are given back.
  void pause();
  void resume();

  /// Takes no more messages, for good, and gives back those that wait. Does not wait itself.
  void stop();
  /// stop(), then waits until every message that was begun is handled and its outcome durable.
  /// DEADLINE_EXCEEDED (default: when the pool's drain timeout is over) says what is left,
  /// CANCELLED that the wait was stopped: in both cases it goes on. INVALID_ARGUMENT in handlers
  /// and callbacks, where nothing may wait for itself.
  [[nodiscard]] Result<> drain(const CallOptions& call = CallOptions());
  /// The same without waiting, also in handlers and callbacks. CANCELLED as well when the client is
  /// closed meanwhile.
  [[nodiscard]] Future<> async_drain(const CallOptions& call = CallOptions());
  /// stop(), and asks the handlers by their stop tokens to break off. Does not wait itself.
  void cancel();

  /// Success while the pool takes messages or is about to; else why it does not: the broker's
  /// refusal, or CANCELLED once it was stopped or its client closed.
  [[nodiscard]] Result<> status() const;
  [[nodiscard]] WorkerPoolStats stats() const;

  /// For the library: pools come from Client::start_workers().
  explicit WorkerPool(std::shared_ptr<sdk::WorkerCrew> crew);

 private:
  friend struct sdk::Taken<WorkerPool>;
  void begin();
  void end() noexcept;

  std::shared_ptr<sdk::WorkerCrew> crew_;
};

namespace sdk {

/// A pool begins to work when it is taken out of its future: one that is dropped has begun nothing.
template <>
struct Taken<WorkerPool> {
  static void mark(WorkerPool& pool) { pool.begin(); }
};

}  // namespace sdk

}  // namespace weir
