#include "proto/handle.hpp"

#include "proto/base64.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "proto/hex.hpp"
#include "proto/lanes.hpp"

#include <charconv>

namespace weir::proto {
namespace {

constexpr std::uint8_t kHandleVersion = 1;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kCheckedBytes = kReceiptHandleBytes - kChecksumBytes;

using HandleBytes = std::array<char, kReceiptHandleBytes>;

// Three bytes are four characters of six bits. The handle is a whole number of threes: there is
// neither padding nor a last character with bits to spare, so a text stands for one handle only.
static_assert(kReceiptHandleBytes % 3 == 0);
constexpr std::size_t kTextSize = kReceiptHandleBytes / 3 * 4;

constexpr std::uint8_t kForeign = 0xff;

consteval std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kForeign);
  for (std::size_t i = 0; i < kBase64Url.size(); ++i) {
    values[static_cast<unsigned char>(kBase64Url[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> kValues = make_values();

std::string to_text(const HandleBytes& bytes) {
  return to_base64(std::string_view(bytes.data(), bytes.size()), kBase64Url);
}

/// False when `text` has another length or a foreign character.
bool from_text(std::string_view text, HandleBytes& bytes) {
  if (text.size() != kTextSize) {
    return false;
  }
  for (std::size_t i = 0; i < kTextSize / 4; ++i) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint8_t value = kValues[static_cast<unsigned char>(text[4 * i + k])];
      if (value == kForeign) {
        return false;
      }
      group = group << 6U | value;
    }
    for (unsigned k = 0; k < 3; ++k) {
      bytes[3 * i + k] = static_cast<char>(static_cast<unsigned char>(group >> (16 - 8 * k)));
    }
  }
  return true;
}

std::uint32_t checksum_of(const HandleBytes& bytes) {
  return crc32c(0, std::string_view(bytes.data(), kCheckedBytes));
}

template <class T>
void put(char*& at, T value) {
  store_be<T>(at, value);
  at += sizeof(T);
}

template <class T>
void take(const char*& at, T& value) {
  value = load_be<T>(at);
  at += sizeof(T);
}

}  // namespace

std::string encode_handle(const ReceiptHandle& handle) {
  HandleBytes bytes{};
  char* at = bytes.data();
  put(at, kHandleVersion);
  put(at, handle.incarnation);
  put(at, handle.epoch);
  put(at, handle.queue.value);
  put(at, handle.generation);
  put(at, handle.grant.value);
  put(at, handle.index);
  put(at, handle.nonce);
  put(at, handle.base_offset);
  put(at, handle.shard);
  put(at, checksum_of(bytes));
  return to_text(bytes);
}

Result<ReceiptHandle> decode_handle(std::string_view text) {
  HandleBytes bytes{};
  if (!from_text(text, bytes)) {
    return make_error(Errc::kReceiptInvalid);
  }
  ReceiptHandle handle;
  std::uint8_t version = 0;
  std::uint32_t checksum = 0;
  const char* at = bytes.data();
  take(at, version);
  take(at, handle.incarnation);
  take(at, handle.epoch);
  take(at, handle.queue.value);
  take(at, handle.generation);
  take(at, handle.grant.value);
  take(at, handle.index);
  take(at, handle.nonce);
  take(at, handle.base_offset);
  take(at, handle.shard);
  take(at, checksum);
  if (version != kHandleVersion || checksum != checksum_of(bytes)) {
    return make_error(Errc::kReceiptInvalid);
  }
  return handle;
}

std::string message_id(std::uint32_t incarnation, std::uint64_t object, Offset offset) {
  const std::uint64_t home = lane_of(QueueId{object}, offset).value;
  const auto place = static_cast<std::uint64_t>(offset);
  std::string text;
  text.reserve(36);
  append_hex(text, incarnation, 8);
  text.push_back('-');
  append_hex(text, home >> 32U, 4);
  text.push_back('-');
  append_hex(text, home >> 16U, 4);
  text.push_back('-');
  append_hex(text, home, 4);
  text.push_back('-');
  append_hex(text, place, 12);
  return text;
}

std::optional<MessagePlace> parse_message_id(std::string_view text) {
  // Where message_id() puts the pieces of its numbers.
  struct Piece {
    std::size_t at;
    std::size_t digits;
  };
  constexpr std::array kPieces = {Piece{0, 8}, Piece{9, 4}, Piece{14, 4}, Piece{19, 4},
                                  Piece{24, 12}};
  std::array<std::uint64_t, kPieces.size()> numbers{};
  constexpr std::size_t kIdSize = 36;
  for (std::size_t i = 0; text.size() == kIdSize && i < kPieces.size(); ++i) {
    const char* const from = text.data() + kPieces[i].at;
    const char* const end = from + kPieces[i].digits;
    if (std::from_chars(from, end, numbers[i], 16).ptr != end) {
      return std::nullopt;
    }
  }
  MessagePlace place;
  place.incarnation = static_cast<std::uint32_t>(numbers[0]);
  const QueueId lane{numbers[1] << 32U | numbers[2] << 16U | numbers[3]};
  place.object = home_of(lane).value;
  place.offset = first_offset(lane_tag(lane)) + static_cast<Offset>(numbers[4]);
  // Written again it is the same only if nothing stood between the numbers but dashes.
  return message_id(place.incarnation, place.object, place.offset) == text ? std::optional(place)
                                                                           : std::nullopt;
}

}  // namespace weir::proto
