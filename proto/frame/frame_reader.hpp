#pragma once

#include "proto/frame/frames.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::proto {

/// A frame as it came off the wire. `body` points into the reader's buffer.
struct RawFrame {
  FrameType type{};
  std::string_view body;
};

/// Cuts a byte stream into frames. Pure and incremental: hand it space to read into, tell it how
/// much arrived, take frames until there is none. A frame's memory grows as its bytes arrive, never
/// by what its length field claims, and shrinks again when reads are small for a while (heartbeats
/// are enough): a quiet connection holds a few kReadBytesMin. Not for two threads at once.
class FrameReader {
 public:
  /// Frames whose length field exceeds `max_frame_bytes` are MALFORMED.
  explicit FrameReader(std::size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  /// Raised after Hello.
  void set_max_frame_bytes(std::size_t bytes) { max_frame_bytes_ = bytes; }

  /// How much prepare() makes room for, depending on how full the reads before were.
  static constexpr std::size_t kReadBytesMin = std::size_t{4} << 10;
  static constexpr std::size_t kReadBytesMax = std::size_t{256} << 10;

  /// Space for the next read, at least one byte. Invalidates views of earlier frames.
  [[nodiscard]] std::span<char> prepare();
  /// `bytes` of the span from prepare() were filled.
  void commit(std::size_t bytes);

  /// The next whole frame, nullopt when more bytes are needed, MALFORMED for a length of zero or
  /// over the limit or an unknown type; after an error the reader gives nothing more.
  [[nodiscard]] Result<std::optional<RawFrame>> next();

  /// Bytes held.
  [[nodiscard]] std::size_t buffered() const { return end_ - begin_; }
  /// Memory held for them, and for the next read.
  [[nodiscard]] std::size_t capacity() const { return buffer_.capacity(); }

 private:
  /// What the partial frame at the front still lacks; 0 when there is none or its length is
  /// unknown.
  [[nodiscard]] std::size_t missing_bytes() const;

  std::size_t max_frame_bytes_;
  std::string buffer_;  // its size is room, of which [begin_, end_) is filled
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t read_bytes_ = kReadBytesMin;
  bool failed_ = false;
};

}  // namespace weir::proto
