#pragma once

#include "proto/result.hpp"
#include "storage/file.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// RocksDB's log format, of write-ahead logs and manifests alike: blocks of 32 KiB, each filled with
// fragments: masked CRC-32C (u32) of what follows the length, length (u16), type (u8), in recycled
// files the log's number (u32), then the bytes. A record is one FULL fragment, or FIRST, MIDDLE …,
// LAST. Little-endian. Source: RocksDB's wiki, "Write Ahead Log File Format", and db/log_format.h.
namespace weir::storage {

inline constexpr std::size_t kLogBlockBytes = 32768;

enum class FragmentPart : std::uint8_t { kFull, kFirst, kMiddle, kLast };

struct Fragment {
  std::uint64_t offset = 0;  // of its header, in the file
  FragmentPart part = FragmentPart::kFull;
  std::string_view bytes;  // valid until the reader moves on

  [[nodiscard]] bool begins_record() const {
    return part == FragmentPart::kFull || part == FragmentPart::kFirst;
  }
  [[nodiscard]] bool ends_record() const {
    return part == FragmentPart::kFull || part == FragmentPart::kLast;
  }
};

/// Walks over the fragments of one file, and over damage: it tells where it met bytes that are no
/// fragment and goes on where the next record begins.
class FragmentReader {
 public:
  /// `file` must outlive the reader.
  explicit FragmentReader(const File& file) : file_(file) {}

  enum class Step : std::uint8_t {
    kFragment,
    kZeros,   // nothing was written here; goes on with the next block
    kDamage,  // bytes that are no whole fragment, from damage_offset() on
    kEnd,
  };
  /// STORAGE_FAILED when the file cannot be read.
  [[nodiscard]] proto::Result<Step> next();

  /// After kFragment.
  [[nodiscard]] const Fragment& fragment() const { return fragment_; }
  /// After kFragment: where it ends in the file.
  [[nodiscard]] std::uint64_t fragment_end() const { return block_offset_ + position_; }
  /// After kFragment: it lies behind damage in its block, at a place that was guessed. It may be
  /// bytes of a value that look like a fragment. Where a block begins there is always a real one.
  [[nodiscard]] bool is_guessed() const { return is_guessing_; }
  /// After kDamage.
  [[nodiscard]] std::uint64_t damage_offset() const { return damage_offset_; }

 private:
  [[nodiscard]] proto::Result<bool> load_block();
  [[nodiscard]] std::optional<Fragment> parse_at(std::size_t position, std::size_t& end) const;
  [[nodiscard]] bool is_zero_from(std::size_t position) const;
  void skip_block();
  void find_next_beginning();

  const File& file_;
  std::string block_;
  std::uint64_t block_offset_ = 0;  // of block_ in the file
  std::size_t position_ = 0;        // in block_
  bool is_loaded_ = false;
  bool is_guessing_ = false;
  Fragment fragment_;
  std::uint64_t damage_offset_ = 0;
};

}  // namespace weir::storage
