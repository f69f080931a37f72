#include "weir/error.hpp"

#include "client/core/convert.hpp"
#include "proto/error.hpp"

#include <utility>

namespace weir {

std::string_view name(ErrorCode code) {
  return proto::name(sdk::to_proto(code));
}

std::string_view describe(ErrorCode code) {
  return proto::describe(sdk::to_proto(code));
}

bool is_retriable(ErrorCode code) {
  return proto::is_retriable(sdk::to_proto(code));
}

Error::Error() = default;

Error::Error(ErrorCode error_code)
    : code(error_code), message(proto::describe(sdk::to_proto(error_code))) {}

Error::Error(ErrorCode error_code, std::string text, std::chrono::milliseconds retry_in)
    : code(error_code), message(std::move(text)), retry_after(retry_in) {}

std::string Error::to_string() const {
  std::string text(name(code));
  if (!message.empty()) {
    text += ": ";
    text += message;
  }
  return text;
}

Exception::Exception(Error error)
    : std::runtime_error(error.to_string()), error_(std::move(error)) {}

}  // namespace weir
