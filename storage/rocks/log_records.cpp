#include "storage/rocks/log_records.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"

#include <algorithm>

namespace weir::storage {
namespace {

constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTypeAt = 6;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kRecycledHeaderBytes = 11;

constexpr std::uint8_t kFirstType = 1;
constexpr std::uint8_t kFirstRecycledType = 5;
constexpr std::uint8_t kTypes = 4;

// A CRC is stored rotated and shifted, because the CRC of bytes that contain their own CRC is weak.
std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15U) | (crc << 17U)) + 0xa282ead8U;
}

}  // namespace

proto::Result<bool> FragmentReader::load_block() {
  if (is_loaded_) {
    return true;
  }
  block_.resize(kLogBlockBytes);
  const proto::Result<std::size_t> count = file_.read_at(block_offset_, block_);
  if (!count) {
    return count.error();
  }
  block_.resize(*count);
  position_ = 0;
  is_loaded_ = *count > 0;
  is_guessing_ = false;
  return is_loaded_;
}

void FragmentReader::skip_block() {
  block_offset_ += kLogBlockBytes;
  is_loaded_ = false;
}

std::optional<Fragment> FragmentReader::parse_at(std::size_t position, std::size_t& end) const {
  const std::string_view rest = std::string_view(block_).substr(position);
  if (rest.size() < kHeaderBytes) {
    return std::nullopt;
  }
  const auto type = static_cast<std::uint8_t>(rest[kTypeAt]);
  const bool is_recycled = type >= kFirstRecycledType && type < kFirstRecycledType + kTypes;
  if (!is_recycled && (type < kFirstType || type >= kFirstType + kTypes)) {
    return std::nullopt;
  }
  const std::size_t header = is_recycled ? kRecycledHeaderBytes : kHeaderBytes;
  const std::size_t length = proto::load_le<std::uint16_t>(rest.data() + kLengthAt);
  if (header + length > rest.size()) {
    return std::nullopt;
  }
  const std::uint32_t crc = proto::crc32c(0, rest.substr(kTypeAt, header + length - kTypeAt));
  if (masked(crc) != proto::load_le<std::uint32_t>(rest.data())) {
    return std::nullopt;
  }
  end = position + header + length;
  const auto part = type - (is_recycled ? kFirstRecycledType : kFirstType);
  return Fragment{.offset = block_offset_ + position,
                  .part = static_cast<FragmentPart>(part),
                  .bytes = rest.substr(header, length)};
}

bool FragmentReader::is_zero_from(std::size_t position) const {
  return block_.find_first_not_of('\0', position) == std::string::npos;
}

void FragmentReader::find_next_beginning() {
  is_guessing_ = true;
  for (++position_; position_ < block_.size(); ++position_) {
    std::size_t end = 0;
    const std::optional<Fragment> found = parse_at(position_, end);
    if (found && found->begins_record()) {
      return;
    }
  }
}

proto::Result<FragmentReader::Step> FragmentReader::next() {
  while (true) {
    const proto::Result<bool> loaded = load_block();
    if (!loaded) {
      return loaded.error();
    }
    if (!*loaded) {
      return Step::kEnd;
    }
    if (block_.size() == kLogBlockBytes && block_.size() - position_ < kHeaderBytes) {
      skip_block();  // no header fits in what is left
      continue;
    }
    std::size_t end = 0;
    if (const std::optional<Fragment> fragment = parse_at(position_, end)) {
      fragment_ = *fragment;
      position_ = end;
      return Step::kFragment;
    }
    if (is_zero_from(position_)) {
      skip_block();
      return Step::kZeros;
    }
    damage_offset_ = block_offset_ + position_;
    find_next_beginning();
    return Step::kDamage;
  }
}

}  // namespace weir::storage
