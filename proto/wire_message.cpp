#include "proto/wire_message.hpp"

#include "proto/frame/wire_io.hpp"
#include "proto/limits.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <limits>

namespace weir::proto {
namespace {

constexpr int kNestingMax = 16;

template <class Message>
Result<Message> parse(const char* what, std::string_view body, std::size_t bytes_max) {
  Message message;
  if (body.size() <= bytes_max) {
    // The library writes a line to stderr for text that is not UTF-8: no peer may fill a disk so.
    const google::protobuf::LogSilencer silence;
    google::protobuf::io::CodedInputStream stream(
        reinterpret_cast<const std::uint8_t*>(body.data()), static_cast<int>(body.size()));
    stream.SetRecursionLimit(kNestingMax);
    if (message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage()) {
      return message;
    }
  }
  return fail(Errc::kMalformed, std::string("the bytes are no ") + what + " message");
}

}  // namespace

Result<weir::v1::Hello> parse_hello(std::string_view body) {
  return parse<weir::v1::Hello>("Hello", body, kMaxFrameBytesBeforeHello);
}

Result<weir::v1::Welcome> parse_welcome(std::string_view body) {
  return parse<weir::v1::Welcome>("Welcome", body, kMaxFrameBytes);
}

Result<weir::v1::Request> parse_request(std::string_view body) {
  return parse<weir::v1::Request>("Request", body, kMaxRequestBytes);
}

Result<weir::v1::Response> parse_response(std::string_view body) {
  return parse<weir::v1::Response>("Response", body, kMaxFrameBytes);
}

Result<weir::v1::GoAway> parse_go_away(std::string_view body) {
  return parse<weir::v1::GoAway>("GoAway", body, kMaxFrameBytes);
}

Result<weir::v1::SubscriptionEnded> parse_subscription_ended(std::string_view body) {
  return parse<weir::v1::SubscriptionEnded>("SubscriptionEnded", body, kMaxFrameBytes);
}

void append_frame(FrameType type, const google::protobuf::MessageLite& message, std::string& out) {
  const std::size_t bytes = message.ByteSizeLong();
  out.reserve(out.size() + kFrameHeadBytes + bytes);
  {
    const FrameWriter head(type, 0, bytes, out);
  }
  const std::size_t at = out.size();
  out.resize(at + bytes);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data() + at));
}

Errc code_from_wire(std::uint16_t number) {
  return is_wire_code(number) ? static_cast<Errc>(number) : Errc::kInternal;
}

weir::v1::Error to_wire(const Error& error) {
  const Errc code = code_from_wire(static_cast<std::uint16_t>(error.code));
  weir::v1::Error wire;
  wire.set_code(static_cast<std::uint32_t>(code));
  wire.set_message(error.message);
  wire.set_retry_after_ms(error.retry_after_ms);
  return wire;
}

Error from_wire(const weir::v1::Error& error) {
  Error result;
  result.retry_after_ms = error.retry_after_ms();
  if (error.code() <= std::numeric_limits<std::uint16_t>::max() &&
      is_wire_code(static_cast<std::uint16_t>(error.code()))) {
    result.code = static_cast<Errc>(error.code());
    result.message = error.message();
  } else {
    result.code = Errc::kInternal;
    result.message = "error " + std::to_string(error.code()) + ": " + error.message();
  }
  return result;
}

}  // namespace weir::proto
