#pragma once

#include "proto/error.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "weir/error.hpp"
#include "weir/message.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <type_traits>
#include <utility>

// Between the library's own types and those that users see.
namespace weir::sdk {

inline proto::Errc to_proto(ErrorCode code) {
  return static_cast<proto::Errc>(code);
}
inline ErrorCode to_public(proto::Errc code) {
  return static_cast<ErrorCode>(code);
}

inline Error to_public(proto::Error error) {
  return Error(to_public(error.code), std::move(error.message),
               std::chrono::milliseconds(error.retry_after_ms));
}

inline proto::Error to_proto(Error error) {
  return proto::make_error(to_proto(error.code), std::move(error.message));
}

template <class T>
Result<T> to_public(proto::Result<T>&& result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return std::move(*result);
    }
  }
  return to_public(std::move(result).error());
}

inline Timestamp to_timestamp(proto::TimeMs time) {
  return Timestamp(std::chrono::milliseconds(time));
}

}  // namespace weir::sdk
