#pragma once

#include "client/core/convert.hpp"
#include "client/session/engine.hpp"
#include "client/session/pending_call.hpp"
#include "proto/names.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"
#include "weir/v1/protocol.pb.h"

#include <string_view>
#include <utility>

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

/// Waits for a call that takes the overall timeout where it names none.
template <class Start>
auto wait(const Engine& engine, const CallOptions& call, bool changes_something, Start start) {
  return wait_for(engine, engine.deadline_of(call, engine.options().overall_timeout()),
                  changes_something, std::move(start));
}

}  // namespace weir::sdk
