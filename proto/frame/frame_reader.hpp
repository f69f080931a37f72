#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/frame/frames.hpp"
#include "proto/result.hpp"

namespace weir::proto {

/// A frame as it came off the wire. `body` points into the reader's buffer.
struct RawFrame {
  FrameType type{};
  std::string_view body;
};

/// Cuts a byte stream into frames. Pure and incremental: hand it space to read into, tell it how
/// much arrived, take frames until there is none. A frame's memory grows as its bytes arrive, never
/// by what its length field claims.
class FrameReader {
 public:
  /// Frames whose length field exceeds `max_frame_bytes` are MALFORMED.
  explicit FrameReader(std::size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  /// Raised after Hello.
  void set_max_frame_bytes(std::size_t bytes) { max_frame_bytes_ = bytes; }

  /// Space for the next read, at least one byte. Invalidates views of earlier frames.
  [[nodiscard]] std::span<char> prepare();
  /// `bytes` of the span from prepare() were filled.
  void commit(std::size_t bytes);

  /// The next whole frame, nullopt when more bytes are needed, MALFORMED for a length of zero or
  /// over the limit or an unknown type; after an error the reader gives nothing more.
  [[nodiscard]] Result<std::optional<RawFrame>> next();

  /// Bytes held.
  [[nodiscard]] std::size_t buffered() const { return end_ - begin_; }

 private:
  std::size_t max_frame_bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool failed_ = false;
};

}  // namespace weir::proto
