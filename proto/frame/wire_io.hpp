#pragma once

#include "proto/assert.hpp"
#include "proto/endian.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

// Little-endian fields of frames, with every read checked. Internal to the frame codec.
namespace weir::proto {

inline constexpr std::size_t kFrameLengthBytes = 4;
inline constexpr std::size_t kFrameHeadBytes = kFrameLengthBytes + 1;

/// Takes fields off the front of a body. A read beyond the end gives zero and makes ok() false for
/// good, so a decoder may read on and ask once.
class WireReader {
 public:
  explicit WireReader(std::string_view body) : rest_(body) {}

  template <std::integral T>
  T take() {
    if (rest_.size() < sizeof(T)) {
      ok_ = false;
      rest_ = {};
      return 0;
    }
    const T value = load_le<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  /// Everything that is left; nothing afterwards.
  std::string_view take_rest() {
    const std::string_view rest = rest_;
    rest_ = {};
    return rest;
  }

  /// Takes a u32 that counts entries of `entry_bytes` each, which must be just what is left; else 0
  /// entries and not ok(). What the caller reserves is thereby bounded by the bytes that are there.
  std::size_t take_count(std::size_t entry_bytes) {
    const std::size_t count = take<std::uint32_t>();
    if (rest_.size() % entry_bytes != 0 || rest_.size() / entry_bytes != count) {
      ok_ = false;
      return 0;
    }
    return count;
  }

  /// The same where something may follow the entries.
  std::size_t take_leading_count(std::size_t entry_bytes) {
    const std::size_t count = take<std::uint32_t>();
    if (rest_.size() / entry_bytes < count) {
      ok_ = false;
      return 0;
    }
    return count;
  }

  /// So many bytes.
  std::string_view take_bytes(std::size_t bytes) {
    if (rest_.size() < bytes) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  [[nodiscard]] bool is_empty() const { return rest_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }
  /// Nothing was missing and nothing is left over.
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// Appends one frame: length and type at once, then the fields, which must fill `body_bytes`. The
/// length also counts `payload_bytes` that the caller appends or sends behind the fields.
class FrameWriter {
 public:
  FrameWriter(FrameType type, std::size_t body_bytes, std::size_t payload_bytes, std::string& out) {
    const std::size_t length = 1 + body_bytes + payload_bytes;
    WEIR_ASSERT(length <= kMaxFrameBytes, "a frame of ours is within the limit of the protocol");
    const std::size_t before = out.size();
    out.resize(before + kFrameHeadBytes + body_bytes);
    at_ = out.data() + before;
    end_ = out.data() + out.size();
    put<std::uint32_t>(static_cast<std::uint32_t>(length));
    put<std::uint8_t>(static_cast<std::uint8_t>(type));
  }
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;
  ~FrameWriter() { WEIR_ASSERT(at_ == end_, "the fields fill the body"); }

  template <std::integral T>
  void put(std::type_identity_t<T> value) {
    store_le<T>(at_, value);
    at_ += sizeof(T);
  }
  void put_bytes(std::string_view bytes) { at_ = std::copy(bytes.begin(), bytes.end(), at_); }

 private:
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace weir::proto
