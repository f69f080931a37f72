#pragma once

#include "client/core/convert.hpp"
#include "client/session/engine.hpp"
#include "client/session/pending_call.hpp"
#include "proto/names.hpp"
#include "proto/wire_message.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"
#include "weir/v1/protocol.pb.h"

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

// What the calls of Client have in common.
namespace weir::sdk {

[[nodiscard]] inline Error without_content() {
  return Error(ErrorCode::kMalformed, "the broker's answer lacks its content");
}

/// What a response holds: `convert()` makes it, once it is known that `has` says so.
template <class T, class Convert>
[[nodiscard]] Result<T> content_of(const Result<v1::Response>& response,
                                   bool (v1::Response::*has)() const, Convert convert) {
  if (!response) {
    return response.error();
  }
  if (!((*response).*has)()) {
    return without_content();
  }
  return convert();
}

[[nodiscard]] inline Result<> check_queue(std::string_view name) {
  return to_public(proto::check_queue_name(name));
}

[[nodiscard]] inline Result<> check_topic(std::string_view name) {
  return to_public(proto::check_topic_name(name));
}

[[nodiscard]] inline Result<> check_namespace(std::string_view name) {
  return to_public(proto::check_namespace_name(name));
}

/// Of a call whose answer says that it was done, and no more.
[[nodiscard]] inline Result<> nothing_of(Result<v1::Response> response) {
  return response ? Result<>() : Result<>(std::move(response).error());
}

/// The outcome of each entry of a call; MALFORMED where there are not as many as `expected`.
template <class Wire>
[[nodiscard]] Result<std::vector<Result<>>> outcomes_of(const Wire& wire, std::size_t expected) {
  if (static_cast<std::size_t>(wire.outcomes_size()) != expected) {
    return Error(ErrorCode::kMalformed, "the broker's answer has not one outcome an entry");
  }
  std::vector<Result<>> outcomes(expected);
  for (std::size_t i = 0; i < expected; ++i) {
    const v1::SettleOutcome& outcome = wire.outcomes(static_cast<int>(i));
    if (outcome.has_error()) {
      outcomes[i] = to_public(proto::from_wire(outcome.error()));
    }
  }
  return outcomes;
}

/// Waits for a call that takes the overall timeout where it names none.
template <class Start>
auto wait(const Engine& engine, const CallOptions& call, bool changes_something, Start start) {
  return wait_for(engine, engine.deadline_of(call, engine.options().overall_timeout()),
                  changes_something, std::move(start));
}

}  // namespace weir::sdk
