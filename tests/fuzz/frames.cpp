#include "proto/frame/frames.hpp"

#include "proto/assert.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/limits.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::fuzz {
namespace {

using proto::FrameType;

// What a decoder takes says its bytes again: there is one way to write a frame.
template <class Frame>
void check_same_again(const proto::Result<Frame>& frame, FrameType type, std::string_view body) {
  if (!frame) {
    return;
  }
  std::string again;
  proto::encode(*frame, again);
  std::string given;
  proto::encode_frame(type, body, given);
  WEIR_ASSERT(again == given, "a frame that was taken is written as it was");
}

void decode(FrameType type, std::string_view body) {
  switch (type) {
    case FrameType::kSend:
      return check_same_again(proto::decode_send(body), type, body);
    case FrameType::kSent:
      return check_same_again(proto::decode_sent(body), type, body);
    case FrameType::kDeliver:
      return check_same_again(proto::decode_deliver(body), type, body);
    case FrameType::kSettle:
      return check_same_again(proto::decode_settle(body), type, body);
    case FrameType::kSettled:
      return check_same_again(proto::decode_settled(body), type, body);
    case FrameType::kCredit:
      return check_same_again(proto::decode_credit(body), type, body);
    case FrameType::kSendCredit:
      return check_same_again(proto::decode_send_credit(body), type, body);
    case FrameType::kRecords:
      return check_same_again(proto::decode_records(body), type, body);
    default:
      return;  // protobuf: another target
  }
}

// A stream, cut into pieces of a size that the input chooses.
void read_stream(std::string_view stream, std::size_t piece_bytes, std::size_t max_frame_bytes) {
  proto::FrameReader reader(max_frame_bytes);
  const std::size_t given = stream.size();
  std::size_t taken = 0;
  bool failed = false;
  while (!stream.empty() && !failed) {
    const std::span<char> room = reader.prepare();
    WEIR_ASSERT(!room.empty(), "there is room for the next read");
    const std::size_t part = std::min({room.size(), stream.size(), piece_bytes});
    stream.copy(room.data(), part);
    stream.remove_prefix(part);
    reader.commit(part);
    while (true) {
      const proto::Result<std::optional<proto::RawFrame>> frame = reader.next();
      failed = !frame;
      if (failed || !*frame) {
        break;
      }
      taken += 5 + (*frame)->body.size();
      WEIR_ASSERT((*frame)->body.size() < max_frame_bytes, "no frame is over the limit");
      decode((*frame)->type, (*frame)->body);
    }
    WEIR_ASSERT(reader.capacity() <= 8 * (given + proto::FrameReader::kReadBytesMin),
                "memory follows what arrives, not what a length claims");
  }
  if (failed) {
    WEIR_ASSERT(!reader.next(), "a stream that is malformed stays so");
  } else {
    WEIR_ASSERT(taken + reader.buffered() == given, "every byte is in a frame or waits");
  }
}

}  // namespace

void frames(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  if ((how & 1U) != 0) {
    return decode(static_cast<FrameType>(how >> 1U), input.rest());
  }
  const std::size_t limit =
      (how & 2U) != 0 ? proto::kMaxFrameBytesBeforeHello : proto::kMaxFrameBytes;
  const std::size_t piece = how >> 2U;
  read_stream(input.rest(), piece * piece + 1, limit);
}

}  // namespace weir::fuzz
