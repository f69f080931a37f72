#pragma once

#include "weir/error.hpp"
#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

// Waiting for what the library does in the background, in three ways: with get(), with then() and
// with co_await, from any C++20 coroutine.
namespace weir {

template <class T = void>
class Future;

/// Runs the work that it is given once, soon, on a thread of its choice: a pool, an event loop. It
/// must not throw.
using Executor = UniqueFunction<void(UniqueFunction<void()>)>;

namespace sdk {

/// True on a thread that serves a client. Who waits there holds up what he waits for.
[[nodiscard]] WEIR_API bool is_io_thread() noexcept;

/// What a value learns when the application takes it out of its Future. Specialised for deliveries.
template <class T>
struct Taken {
  static void mark(T&) {}
};

/// What a Promise and its Future share.
template <class T>
class FutureState {
 public:
  using Pointer = std::shared_ptr<FutureState>;
  using Continuation = UniqueFunction<void(FutureState&)>;

  // ---- the promise's side

  /// Once.
  static void set(Pointer state, Result<T> result) {
    {
      const std::lock_guard lock(state->mutex_);
      state->result_.emplace(std::move(result));
      state->ready_.notify_all();
      if (!state->continuation_) {
        return;
      }
    }
    run(std::move(state));
  }

  // ---- the future's side, one thread at a time

  [[nodiscard]] bool is_ready() {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return ready_.wait_until(lock, deadline, [this] { return result_.has_value(); });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return result_.has_value(); });
  }
  /// Before a continuation.
  void set_executor(Executor executor) { executor_ = std::move(executor); }
  [[nodiscard]] bool has_executor() const { return static_cast<bool>(executor_); }
  /// Runs it when the result is there: now, if it is.
  static void continue_with(Pointer state, Continuation continuation) {
    {
      const std::lock_guard lock(state->mutex_);
      state->continuation_ = std::move(continuation);
      if (!state->result_) {
        return;
      }
    }
    run(std::move(state));
  }
  /// Has the coroutine resumed when the result is there; false when it may go on at once.
  static bool resume_later(Pointer state, std::coroutine_handle<> coroutine) {
    {
      const std::lock_guard lock(state->mutex_);
      if (state->result_ && !state->executor_) {
        return false;
      }
      state->continuation_ = [coroutine](FutureState&) { coroutine.resume(); };
      if (!state->result_) {
        return true;
      }
    }
    run(std::move(state));
    return true;
  }
  /// Nothing is resumed any more.
  void forget_continuation() {
    Continuation forgotten;
    const std::lock_guard lock(mutex_);
    forgotten = std::move(continuation_);
  }
  /// The result, once it is there, as something that nobody has seen yet.
  [[nodiscard]] Result<T> pass_on() { return std::move(*result_); }
  /// The result, once it is there, for the application.
  [[nodiscard]] Result<T> take() {
    Result<T> result = pass_on();
    if constexpr (!std::is_void_v<T>) {
      if (result) {
        Taken<T>::mark(*result);
      }
    }
    return result;
  }

 private:
  // Without the lock: what follows is the application's.
  static void run(Pointer state) {
    if (!state->executor_) {
      state->go_on();
      return;
    }
    Executor executor = std::move(state->executor_);
    executor([state = std::move(state)] { state->go_on(); });
  }
  // What waits may have been forgotten while this was on its way.
  void go_on() {
    Continuation continuation;
    {
      const std::lock_guard lock(mutex_);
      continuation = std::move(continuation_);
    }
    if (continuation) {
      continuation(*this);
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<Result<T>> result_;
  Continuation continuation_;
  Executor executor_;
};

template <class R>
struct Unwrapped {
  using Type = R;
};
template <class U>
struct Unwrapped<Result<U>> {
  using Type = U;
};
template <class U>
struct Unwrapped<Future<U>> {
  using Type = U;
};

}  // namespace sdk

/// The side that answers a Future, for code that offers such calls itself and for tests that stand
/// in for this library. Dropped without an answer it answers CANCELLED.
///
/// Thread-safety: one thread at a time. What waits for the answer runs within set(), unless the
/// future names an executor: call it without holding locks. Nothing that it runs may throw.
template <class T = void>
class Promise {
 public:
  Promise() : state_(std::make_shared<sdk::FutureState<T>>()) {}
  Promise(Promise&&) noexcept = default;
  /// What it held is dropped.
  Promise& operator=(Promise&& other) noexcept {
    const Promise dropped(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() {
    if (state_) {
      set(Error(ErrorCode::kCancelled, "the client was closed"));
    }
  }

  /// Once, and before set().
  [[nodiscard]] Future<T> future() { return Future<T>(state_); }
  /// Once. Callable afterwards no more.
  void set(Result<T> result) noexcept {
    sdk::FutureState<T>::set(std::exchange(state_, nullptr), std::move(result));
  }

 private:
  typename sdk::FutureState<T>::Pointer state_;
};

/// The result of a call that goes on in the background. It is taken out once, by get(), then() or
/// co_await; a future that is dropped lets the call go on and forgets its result (messages that it
/// would have brought are given back). A call ends by its own deadline, and what waits for it with
/// it.
///
/// Where the application's code goes on: then() and co_await go on on the client's I/O thread when
/// the answer comes, as callbacks do, and must not block it; or at once, on the calling thread, if
/// it is there already. After via() they go on on that executor in either case. The library holds
/// no lock while they do.
///
/// A coroutine may be destroyed while it waits: it is then not resumed. This must not happen beside
/// its resumption, so destroy it on the thread that would resume it, or after the client is closed.
///
/// Thread-safety: one thread at a time. Costs one allocation.
template <class T>
class [[nodiscard]] Future {
 public:
  using value_type = T;

  /// Holds nothing: as if it were used up.
  Future() noexcept = default;
  /// With a result that is known.
  explicit Future(Result<T> result) {
    Promise<T> promise;
    *this = promise.future();
    promise.set(std::move(result));
  }
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;
  Future(const Future&) = delete;
  Future& operator=(const Future&) = delete;
  ~Future() = default;

  /// False once the result was taken out.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }
  [[nodiscard]] bool is_ready() const { return valid() && state_->is_ready(); }
  /// Waits for the result without taking it out: false when the time is up first, and at once on a
  /// client's I/O thread, where nothing may wait.
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point deadline) const {
    return is_ready() || (valid() && !sdk::is_io_thread() && state_->wait_until(deadline));
  }

  /// Waits for the result and takes it out. INVALID_ARGUMENT on a client's I/O thread, where
  /// nothing may wait (the future then keeps its result), and when it was taken out before.
  [[nodiscard]] Result<T> get() {
    if (Result<> may = may_take(); !may) {
      return std::move(may).error();
    }
    state_->wait();
    return std::exchange(state_, nullptr)->take();
  }
  /// As get(), but at most until then: DEADLINE_EXCEEDED says that nothing is known yet. The call
  /// goes on, and the future can be asked again.
  [[nodiscard]] Result<T> get(std::chrono::steady_clock::time_point deadline) {
    if (Result<> may = may_take(); !may) {
      return std::move(may).error();
    }
    if (!state_->wait_until(deadline)) {
      return Error(ErrorCode::kDeadlineExceeded, "nothing is known yet: the call goes on");
    }
    return std::exchange(state_, nullptr)->take();
  }
  [[nodiscard]] Result<T> get(std::chrono::milliseconds timeout) {
    return get(std::chrono::steady_clock::now() + timeout);
  }

  /// Has then() and co_await go on there. Before either of them.
  [[nodiscard]] Future via(Executor executor) && {
    hold_something();
    state_->set_executor(std::move(executor));
    return std::move(*this);
  }

  /// Calls `continuation` with the Result<T> and gives a future of what it returns: a value, a
  /// Result, another Future, or nothing. What it throws is the error of that future (the one that
  /// it carries for an Exception, else CANCELLED). Who makes nothing of that future takes
  /// deliver_to().
  template <class F>
  auto then(F continuation) && {
    using Returned = std::invoke_result_t<F&, Result<T>>;
    using Value = typename sdk::Unwrapped<Returned>::Type;
    Promise<Value> promise;
    Future<Value> future = promise.future();
    hold_something();
    State::continue_with(
        std::exchange(state_, nullptr),
        [continuation = std::move(continuation), promise = std::move(promise)](
            State& state) mutable { call(continuation, state.take(), std::move(promise)); });
    return future;
  }

  /// Calls `receiver` with the Result<T> and makes nothing of what it does: then() without a future
  /// of its own. What it throws leaves through the executor of via(); else it must not throw.
  template <class F>
  void deliver_to(F receiver) && {
    hold_something();
    State::continue_with(
        std::exchange(state_, nullptr),
        [receiver = std::move(receiver)](State& state) mutable { receiver(state.take()); });
  }

  /// What co_await works on; lives in the waiting coroutine.
  class Awaiter {
   public:
    explicit Awaiter(typename sdk::FutureState<T>::Pointer state) : state_(std::move(state)) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (state_) {
        state_->forget_continuation();
      }
    }

    [[nodiscard]] bool await_ready() const {
      return !state_ || (!state_->has_executor() && state_->is_ready());
    }
    // Not inlined: the coroutine, and this with it, may be gone before it returns, and compilers
    // have kept its variables in the coroutine's frame (llvm-project issue 56301).
    [[gnu::noinline]] bool await_suspend(std::coroutine_handle<> coroutine) {
      return State::resume_later(state_, coroutine);
    }
    [[nodiscard]] Result<T> await_resume() {
      return state_ ? std::exchange(state_, nullptr)->take() : used_up();
    }

   private:
    typename sdk::FutureState<T>::Pointer state_;
  };
  /// `co_await` gives the Result<T>. A future with a name is awaited as `co_await
  /// std::move(future)`.
  [[nodiscard]] Awaiter operator co_await() && { return Awaiter(std::exchange(state_, nullptr)); }
  Awaiter operator co_await() & = delete;  // std::move() it

 private:
  template <class U>
  friend class Future;
  friend class Promise<T>;
  using State = sdk::FutureState<T>;

  explicit Future(typename State::Pointer state) : state_(std::move(state)) {}

  static Result<T> used_up() {
    return Error(ErrorCode::kInvalidArgument, "the result was taken out of the future before");
  }
  // The error of a future that is used up, where it is.
  void hold_something() {
    if (!valid()) {
      *this = Future(used_up());
    }
  }
  Result<> may_take() const {
    if (!valid()) {
      return Error(ErrorCode::kInvalidArgument, "the result was taken out of the future before");
    }
    if (!state_->is_ready() && sdk::is_io_thread()) {
      return Error(ErrorCode::kInvalidArgument,
                   "nothing may wait in callbacks: it would wait for itself");
    }
    return {};
  }

  template <class F, class U>
  static void call(F& continuation, Result<T> result, Promise<U> promise) noexcept {
    using Returned = std::invoke_result_t<F&, Result<T>>;
    try {
      if constexpr (std::is_void_v<Returned>) {
        continuation(std::move(result));
        promise.set({});
      } else if constexpr (std::is_same_v<Returned, Future<U>>) {
        Future<U> future = continuation(std::move(result));
        future.answer(std::move(promise));
      } else {
        promise.set(continuation(std::move(result)));
      }
    } catch (const Exception& thrown) {
      promise.set(thrown.error());
    } catch (const std::exception& thrown) {
      promise.set(
          Error(ErrorCode::kCancelled, std::string("the continuation threw: ") + thrown.what()));
    } catch (...) {
      promise.set(Error(ErrorCode::kCancelled, "the continuation threw"));
    }
  }
  void answer(Promise<T> promise) {
    hold_something();
    State::continue_with(
        std::exchange(state_, nullptr),
        [promise = std::move(promise)](State& state) mutable { promise.set(state.pass_on()); });
  }

  typename State::Pointer state_;
};

}  // namespace weir
