#include "proto/frame/frame_reader.hpp"

#include "proto/assert.hpp"
#include "proto/endian.hpp"
#include "proto/frame/wire_io.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::proto {

std::span<char> FrameReader::prepare() {
  const std::size_t held = end_ - begin_;
  const std::size_t missing = missing_bytes();
  // What ends a partial frame is room enough, however little: asking for more would copy the frame
  // again and again as it trickles in.
  const std::size_t needed = missing == 0 ? read_bytes_ : std::min(missing, read_bytes_);
  // As much again as is held: what is copied stays in proportion to what arrives, and a length
  // field alone gains nothing.
  const std::size_t useful = missing == 0 ? held : std::min(held, missing + read_bytes_);
  const std::size_t wanted = held + std::max(read_bytes_, useful);
  const bool too_small = buffer_.size() - held < needed;
  // Four times, or frames of two sizes in turn would have it allocate all the time.
  const bool too_large = buffer_.size() > 4 * wanted;
  if (too_small || too_large) {
    std::string fresh;
    fresh.reserve(wanted);
    fresh.append(buffer_, begin_, held);
    fresh.resize(wanted);
    buffer_ = std::move(fresh);
    begin_ = 0;
    end_ = held;
  } else if (held == 0 || buffer_.size() - end_ < needed) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
  }
  return {buffer_.data() + end_, buffer_.size() - end_};
}

std::size_t FrameReader::missing_bytes() const {
  const std::size_t held = end_ - begin_;
  if (held < kFrameLengthBytes) {
    return 0;
  }
  const std::size_t frame =
      kFrameLengthBytes + std::size_t{load_le<std::uint32_t>(buffer_.data() + begin_)};
  return frame > held ? frame - held : 0;
}

void FrameReader::commit(std::size_t bytes) {
  WEIR_ASSERT(bytes <= buffer_.size() - end_, "no more can arrive than there was room for");
  if (bytes >= read_bytes_) {
    read_bytes_ = std::min(2 * read_bytes_, kReadBytesMax);
  } else if (bytes < read_bytes_ / 4) {
    read_bytes_ = std::max(read_bytes_ / 2, kReadBytesMin);
  }
  end_ += bytes;
}

Result<std::optional<RawFrame>> FrameReader::next() {
  if (failed_) {
    return fail(Errc::kMalformed, "the stream is malformed");
  }
  const std::string_view held(buffer_.data() + begin_, end_ - begin_);
  if (held.size() < kFrameLengthBytes) {
    return std::nullopt;
  }
  const std::size_t length = load_le<std::uint32_t>(held.data());
  if (length == 0 || length > max_frame_bytes_) {
    failed_ = true;
    return fail(Errc::kMalformed, "a frame of " + std::to_string(length) + " bytes, where 1 to " +
                                      std::to_string(max_frame_bytes_) + " are allowed");
  }
  if (held.size() < kFrameHeadBytes) {
    return std::nullopt;
  }
  const auto type = static_cast<std::uint8_t>(held[kFrameLengthBytes]);
  if (!is_known_type(type)) {
    failed_ = true;
    return fail(Errc::kMalformed, "a frame of the unknown type " + std::to_string(type));
  }
  if (held.size() < kFrameLengthBytes + length) {
    return std::nullopt;
  }
  begin_ += kFrameLengthBytes + length;
  return RawFrame{static_cast<FrameType>(type), held.substr(kFrameHeadBytes, length - 1)};
}

}  // namespace weir::proto
