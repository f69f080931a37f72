#include "proto/lanes.hpp"
#include "weir/message.hpp"

#include <algorithm>
#include <cstddef>

namespace weir {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kTextBytes = 36;

bool dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

MessageId::MessageId(std::uint32_t incarnation, std::uint64_t object, std::int64_t offset) {
  const auto put = [this](std::size_t at, std::size_t count, std::uint64_t value) {
    for (std::size_t i = count; i > 0; --i) {
      bytes_[at + i - 1] = static_cast<std::uint8_t>(value & 0xFFU);
      value >>= 8U;
    }
  };
  put(0, 4, incarnation);
  put(4, 6, proto::lane_of(proto::QueueId{object}, offset).value);
  put(10, 6, static_cast<std::uint64_t>(offset));
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != kTextBytes) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 16> bytes{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') {
      return std::nullopt;
    }
    const std::size_t high = kDigits.find(text[at++]);
    const std::size_t low = kDigits.find(text[at++]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      return std::nullopt;
    }
    bytes[i] = static_cast<std::uint8_t>((high << 4U) | low);
  }
  return MessageId(bytes);
}

bool MessageId::is_nil() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::string MessageId::to_string() const {
  std::string text;
  text.reserve(kTextBytes);
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (dash_before(i)) {
      text += '-';
    }
    text += kDigits[bytes_[i] >> 4U];
    text += kDigits[bytes_[i] & 0xFU];
  }
  return text;
}

}  // namespace weir
