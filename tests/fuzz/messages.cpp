#include "broker/net/messages.hpp"

#include "client/session/wire_convert.hpp"
#include "proto/assert.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"
#include "proto/wire_message.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::fuzz {
namespace {

// A message that was parsed is framed, and parsed again from there, as the same one.
template <class Message, class Parse>
void check_same_again(const Message& message, proto::FrameType type, const Parse& parse) {
  std::string frame;
  proto::append_frame(type, message, frame);
  WEIR_ASSERT(frame.size() == 5 + message.ByteSizeLong(), "a frame is its head and its message");
  const auto again = parse(std::string_view(frame).substr(5));
  WEIR_ASSERT(again && again->SerializeAsString() == message.SerializeAsString(),
              "a message comes back as it was");
}

void check_error(const weir::v1::Error& wire) {
  const proto::Error error = proto::from_wire(wire);
  WEIR_ASSERT(proto::from_wire(proto::to_wire(error)) == error, "an error comes back as it was");
  WEIR_ASSERT(proto::is_wire_code(static_cast<std::uint16_t>(error.code)),
              "no peer gives an error of our own side");
}

void request(std::string_view body) {
  const auto parsed = proto::parse_request(body);
  if (!parsed) {
    return;
  }
  WEIR_ASSERT(body.size() <= proto::kMaxRequestBytes, "requests have a limit of their own");
  const auto command = net::to_core(*parsed, "default", core::Uuid{}, 1);
  if (!command) {
    check_error(net::to_wire(parsed->id(), command.error()).error());
  }
  if (parsed->SerializeAsString().size() <= proto::kMaxRequestBytes) {
    check_same_again(*parsed, proto::FrameType::kRequest, proto::parse_request);
  }
}

void response(std::string_view body) {
  const auto parsed = proto::parse_response(body);
  if (!parsed) {
    return;
  }
  check_error(parsed->error());
  static_cast<void>(sdk::to_positions(parsed->offsets().positions()));
  static_cast<void>(sdk::to_positions(parsed->subscribed_topic().positions()));
  static_cast<void>(sdk::to_description(parsed->queue()));
  static_cast<void>(sdk::to_description(parsed->topic()));
  static_cast<void>(sdk::to_page(parsed->queue_list()));
  static_cast<void>(sdk::to_page(parsed->topic_list()));
  static_cast<void>(sdk::to_update(parsed->queue_update()));
  static_cast<void>(sdk::to_page(parsed->namespace_list()));
  static_cast<void>(sdk::to_page(parsed->client_list()));
  static_cast<void>(sdk::to_page(parsed->peeked()));
  check_same_again(*parsed, proto::FrameType::kResponse, proto::parse_response);
}

}  // namespace

void messages(std::string_view bytes) {
  Input input(bytes);
  const std::size_t which = input.below(6);
  const std::string_view body = input.rest();
  switch (which) {
    case 0:
      return request(body);
    case 1:
      return response(body);
    case 2:
      if (const auto hello = proto::parse_hello(body)) {
        static_cast<void>(proto::check_namespace_name(hello->namespace_()));
        static_cast<void>(proto::printable(hello->client()));
      }
      return;
    case 3:
      if (const auto welcome = proto::parse_welcome(body)) {
        check_same_again(*welcome, proto::FrameType::kWelcome, proto::parse_welcome);
      }
      return;
    case 4:
      if (const auto go_away = proto::parse_go_away(body)) {
        check_error(go_away->error());
        check_same_again(*go_away, proto::FrameType::kGoAway, proto::parse_go_away);
      }
      return;
    default:
      if (const auto ended = proto::parse_subscription_ended(body)) {
        check_error(ended->error());
        check_same_again(*ended, proto::FrameType::kSubscriptionEnded,
                         proto::parse_subscription_ended);
      }
      return;
  }
}

}  // namespace weir::fuzz
