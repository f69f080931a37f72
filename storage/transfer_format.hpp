#pragma once

#include "storage/commit_chain.hpp"
#include "storage/key_codec.hpp"
#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

// How an exported shard lies in a file. Little-endian; what follows a version is its own.
//
//   header   8 bytes "WEIRSHRD" | u32 version | u32 0 | commit point (32 bytes) | u32 CRC
//   block    u8 kind | u32 payload bytes | payload | u32 CRC
//   rows     u8 family | u32 key bytes | u32 value bytes | key | value, one behind the other
//   trailer  u64 blocks of rows | u64 rows of kState | u64 rows of kLog | u64 bytes of keys, values
//
// Each CRC-32C covers everything before it in the stream, other checksums left out: a block that is
// missing, moved or of another export does not fit, and the trailer's covers the whole. Rows come
// in the order of family and key, each once.
namespace weir::storage::transfer {

inline constexpr std::string_view kMagic = "WEIRSHRD";
inline constexpr std::uint32_t kVersion = 2;
inline constexpr std::size_t kVersionAt = 8;
inline constexpr std::size_t kZeroAt = 12;
inline constexpr std::size_t kPointAt = 16;
inline constexpr std::size_t kHeaderBytes = kPointAt + kCommitPointBytes;
inline constexpr std::size_t kCrcBytes = 4;

enum class Block : std::uint8_t { kRows = 1, kTrailer = 2 };
inline constexpr std::size_t kBlockHeadBytes = 5;
inline constexpr std::size_t kRowHeadBytes = 9;
inline constexpr std::size_t kTrailerBytes = 32;

/// No row of ours comes near these; a reader takes nothing larger, so that its memory is bounded.
inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::size_t kMaxValueBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxBlockBytes =
    (std::size_t{1} << 20) + kMaxKeyBytes + kMaxValueBytes;

/// What was counted on the way, as the trailer says it.
struct Totals {
  std::uint64_t blocks = 0;
  std::uint64_t rows[kFamilyCount] = {};
  std::uint64_t bytes = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

/// Whether a row belongs to the store that it lies in, not to the shard, and stays behind.
[[nodiscard]] inline bool is_left_out(Family family, std::string_view key) {
  return family == Family::kState &&
         (key == meta_key(MetaRow::kCommit) || key == meta_key(MetaRow::kImport));
}

}  // namespace weir::storage::transfer
