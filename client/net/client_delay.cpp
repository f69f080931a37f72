#include "client/net/client_calls.hpp"
#include "client/session/wire_convert.hpp"
#include "weir/client.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// Calls about messages that are put off.
namespace weir {
namespace {

using sdk::check_queue;
using sdk::wait;
using Outcomes = std::vector<Result<>>;

constexpr std::size_t kMaxMessages = 1'000;

/// Fills a request's method with what a change of messages names; nothing is left to ask where the
/// answer is known.
template <class Wire>
std::optional<Future<Outcomes>> fill(Wire& wire, std::string_view queue,
                                     std::span<const MessageId> messages) {
  if (Result<> checked = check_queue(queue); !checked) {
    return Future<Outcomes>(std::move(checked).error());
  }
  if (messages.size() > kMaxMessages) {
    return Future<Outcomes>(Error(ErrorCode::kInvalidArgument,
                                  "one call names at most " + std::to_string(kMaxMessages) +
                                      " messages, not " + std::to_string(messages.size())));
  }
  if (messages.empty()) {
    return Future<Outcomes>(Outcomes());
  }
  wire.set_queue(std::string(queue));
  for (const MessageId& message : messages) {
    wire.add_message_ids(message.to_string());
  }
  return std::nullopt;
}

Future<Outcomes> ask_change(const std::shared_ptr<sdk::Engine>& engine, v1::Request request,
                            std::size_t count, const CallOptions& call) {
  return sdk::ask<Outcomes>(engine, std::move(request), call, /*changes_something=*/true,
                            [count](const Result<v1::Response>& response) {
                              return sdk::content_of<Outcomes>(
                                  response, &v1::Response::has_delayed_changed, [&] {
                                    return sdk::outcomes_of(response->delayed_changed(), count);
                                  });
                            });
}

}  // namespace

Result<DelayedPage> Client::list_delayed(std::string_view queue, const DelayedOptions& options,
                                         const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_list_delayed(queue, options, call); });
}

Future<DelayedPage> Client::async_list_delayed(std::string_view queue,
                                               const DelayedOptions& options,
                                               const CallOptions& call) {
  if (Result<> checked = check_queue(queue); !checked) {
    return Future<DelayedPage>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_list_delayed()->set_queue(std::string(queue));
  request.mutable_list_delayed()->set_page_token(options.page_token());
  request.mutable_list_delayed()->set_max_messages(options.max_messages());
  return sdk::ask<DelayedPage>(
      engine_, std::move(request), call, false, [](const Result<v1::Response>& response) {
        return sdk::content_of<DelayedPage>(response, &v1::Response::has_delayed_list, [&] {
          return sdk::to_public(sdk::to_page(response->delayed_list()));
        });
      });
}

Result<Outcomes> Client::cancel_delayed(std::string_view queue, std::span<const MessageId> messages,
                                        const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_cancel_delayed(queue, messages, call); });
}

Future<Outcomes> Client::async_cancel_delayed(std::string_view queue,
                                              std::span<const MessageId> messages,
                                              const CallOptions& call) {
  v1::Request request;
  if (auto known = fill(*request.mutable_cancel_delayed(), queue, messages)) {
    return *std::move(known);
  }
  return ask_change(engine_, std::move(request), messages.size(), call);
}

Result<Outcomes> Client::reschedule_delayed(std::string_view queue,
                                            std::span<const MessageId> messages, Milliseconds delay,
                                            const CallOptions& call) {
  return wait(*engine_, call, true,
              [&] { return async_reschedule_delayed(queue, messages, delay, call); });
}

Future<Outcomes> Client::async_reschedule_delayed(std::string_view queue,
                                                  std::span<const MessageId> messages,
                                                  Milliseconds delay, const CallOptions& call) {
  if (delay < Milliseconds::zero()) {
    return Future<Outcomes>(Error(ErrorCode::kInvalidArgument, "a delay is not negative"));
  }
  v1::Request request;
  if (auto known = fill(*request.mutable_reschedule_delayed(), queue, messages)) {
    return *std::move(known);
  }
  request.mutable_reschedule_delayed()->set_delay_ms(static_cast<std::uint64_t>(delay.count()));
  return ask_change(engine_, std::move(request), messages.size(), call);
}

}  // namespace weir
