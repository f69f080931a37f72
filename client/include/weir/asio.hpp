#pragma once

#include "weir/future.hpp"
#include "weir/result.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <stop_token>
#include <type_traits>
#include <utility>

// For users of Boost.Asio, who include it themselves: the library does not need it in its headers.
namespace weir {

namespace sdk {

/// Waits for the future on behalf of an Asio handler, which runs on its own executor and keeps that
/// busy until then.
struct GetForHandler {
  template <class Handler, class T>
  void operator()(Handler handler, Future<T> future) const {
    auto work = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
    const auto post = [work = std::move(work)](UniqueFunction<void()> function) {
      boost::asio::post(work.get_executor(), std::move(function));
    };
    std::move(future).via(post).deliver_to(std::move(handler));
  }
};

/// Starts a call that the handler's cancellation slot stops.
struct StartForHandler {
  template <class Handler, class Start>
  void operator()(Handler handler, Start start) const {
    std::stop_source source(std::nostopstate);
    const auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) {
      source = std::stop_source();
      auto stop = slot;
      stop.assign([source](boost::asio::cancellation_type) mutable { source.request_stop(); });
    }
    GetForHandler()(std::move(handler), start(source.get_token()));
  }
};

}  // namespace sdk

/// Hands the result of a future to any completion token of Asio; the signature is void(Result<T>).
/// The handler runs on its associated executor, never within this function, and counts as work of
/// that executor until then.
///
///     auto stored = co_await weir::async_get(producer.async_send("hello"), asio::use_awaitable);
template <class T, class Token>
auto async_get(Future<T> future, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<T>)>(sdk::GetForHandler(), token,
                                                             std::move(future));
}

/// The same for a call that cancellation of the Asio operation is to stop: `start` makes the call
/// with the std::stop_token that it is given, and gives its future. It is called when the operation
/// begins, which for lazy tokens (use_awaitable) is when it is awaited; what it refers to must live
/// until then.
///
///     const auto describe = [&](std::stop_token stop) {
///       return client.async_describe_queue("work", stop);
///     };
///     auto queue = co_await (weir::async_call(describe, asio::use_awaitable) || timer);
template <class Start, class Token>
auto async_call(Start start, Token&& token) {
  using T = typename std::invoke_result_t<Start&, std::stop_token>::value_type;
  return boost::asio::async_initiate<Token, void(Result<T>)>(sdk::StartForHandler(), token,
                                                             std::move(start));
}

}  // namespace weir
