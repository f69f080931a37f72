#pragma once

#include "proto/error.hpp"
#include "proto/frame/frames.hpp"
#include "proto/result.hpp"
#include "weir/v1/protocol.pb.h"

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>
#include <string_view>

// The protobuf messages of the native protocol, in and out of frames. Library weir::wire.
namespace weir::proto {

// Parsing the body of a frame from a peer. MALFORMED: no such message, text that is not UTF-8,
// messages nested more than 16 deep, or a request over kMaxRequestBytes (proto/limits.hpp). Unknown
// fields are ignored.
Result<weir::v1::Hello> parse_hello(std::string_view body);
Result<weir::v1::Welcome> parse_welcome(std::string_view body);
Result<weir::v1::Request> parse_request(std::string_view body);
Result<weir::v1::Response> parse_response(std::string_view body);
Result<weir::v1::GoAway> parse_go_away(std::string_view body);
Result<weir::v1::SubscriptionEnded> parse_subscription_ended(std::string_view body);

/// Appends `message` to `out` as a whole frame of `type`.
void append_frame(FrameType type, const google::protobuf::MessageLite& message, std::string& out);

/// An error as it goes over the wire. The client's own codes, which no broker sends, become
/// INTERNAL.
weir::v1::Error to_wire(const Error& error);
/// The code that a frame of a broker gives; INTERNAL for a number that may not stand there.
Errc code_from_wire(std::uint16_t number);
/// An error from the wire. A code that this version does not know becomes INTERNAL with the number
/// in its message.
Error from_wire(const weir::v1::Error& error);

}  // namespace weir::proto
