#pragma once

#include "client/core/stopper.hpp"
#include "client/session/engine.hpp"
#include "client/session/session.hpp"
#include "weir/future.hpp"
#include "weir/options.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace weir::sdk {

/// A request on behalf of the application, which is answered once: by the broker, by its deadline,
/// or by who stops it before that. What comes later is dropped. I/O thread, where nothing else is
/// said.
template <class T>
class PendingCall : public std::enable_shared_from_this<PendingCall<T>> {
 public:
  explicit PendingCall(bool changes_something) : changes_something_(changes_something) {}

  /// Before anything else, on any thread.
  [[nodiscard]] Future<T> future() { return promise_->future(); }

  void answer(Result<T> result) {
    if (promise_) {
      Promise<T> promise = std::move(*promise_);
      promise_.reset();
      promise.set(std::move(result));
    }
  }

  /// Any thread, once the request with that ticket was handed to the engine.
  void stop_by(const std::stop_token& token, const std::shared_ptr<Engine>& engine,
               std::uint64_t ticket) {
    if (!token.stop_possible()) {
      return;
    }
    const auto stop = [call = this->weak_from_this(), ticket](Session& session) {
      if (const auto self = call.lock()) {
        self->stop(session, ticket);
      }
    };
    stopper_.arm(token, [engine = std::weak_ptr(engine), stop] {
      if (const auto alive = engine.lock()) {
        alive->post(stop);
      }
    });
  }

 private:
  void stop(Session& session, std::uint64_t ticket) {
    const bool is_undone = session.withdraw(ticket);
    if (is_undone || !changes_something_) {
      answer(Error(ErrorCode::kCancelled, "stopped by the application"));
    } else {
      answer(Error(ErrorCode::kUnknownOutcome,
                   "stopped by the application after it had left: it may have been carried out"));
    }
  }

  const bool changes_something_;
  std::optional<Promise<T>> promise_{std::in_place};
  Stopper stopper_;
};

/// Sends a request by `policy`, whose deadline and ticket are set here; `convert` makes the answer,
/// on the I/O thread. The time is that of `options`, else the client's overall timeout. Any thread.
template <class T, class Convert>
[[nodiscard]] Future<T> ask_by(const std::shared_ptr<Engine>& engine, v1::Request request,
                               const CallOptions& options, RequestPolicy policy, Convert convert) {
  const auto call = std::make_shared<PendingCall<T>>(policy.changes_something);
  Future<T> future = call->future();
  policy.deadline = engine->deadline_of(options, engine->options().overall_timeout());
  policy.ticket = engine->next_ticket();
  engine->post([request = std::move(request), policy, call,
                convert = std::move(convert)](Session& session) mutable {
    session.request(std::move(request), policy,
                    [call = std::move(call),
                     convert = std::move(convert)](proto::Result<v1::Response> response) mutable {
                      call->answer(convert(to_public(std::move(response))));
                    });
  });
  call->stop_by(options.stop_token(), engine, policy.ticket);
  return future;
}

/// As ask_by(): a request that is repeated while its time lasts.
template <class T, class Convert>
[[nodiscard]] Future<T> ask(const std::shared_ptr<Engine>& engine, v1::Request request,
                            const CallOptions& options, bool changes_something, Convert convert) {
  RequestPolicy policy;
  policy.try_timeout = engine->options().request_timeout();
  policy.changes_something = changes_something;
  return ask_by<T>(engine, std::move(request), options, policy, std::move(convert));
}

/// As ask_by(): a request that must not be carried out twice on one connection. It is repeated only
/// on another one, when this one was lost.
template <class T, class Convert>
[[nodiscard]] Future<T> ask_once(const std::shared_ptr<Engine>& engine, v1::Request request,
                                 const CallOptions& options, Convert convert) {
  return ask_by<T>(engine, std::move(request), options, RequestPolicy(), std::move(convert));
}

/// What a call says whose answer, or whose deadline, the I/O thread does not get to.
[[nodiscard]] inline Error held_up(bool changes_something) {
  return Error(changes_something ? ErrorCode::kUnknownOutcome : ErrorCode::kDeadlineExceeded,
               "no answer in time: a callback holds up the I/O thread");
}

/// Starts a call that ends by `deadline` and waits for it. INVALID_ARGUMENT on the I/O thread, and
/// nothing is started.
template <class Start>
[[nodiscard]] auto wait_for(const Engine& engine, TimePoint deadline, bool changes_something,
                            Start start) -> decltype(start().get()) {
  if (Result<> may = engine.may_wait(); !may) {
    return std::move(may).error();
  }
  auto future = start();
  if (!future.wait_until(deadline + kGrace)) {
    return held_up(changes_something);
  }
  return future.get();
}

}  // namespace weir::sdk
