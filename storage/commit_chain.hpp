#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Where a shard's history has got to. Every commit writes one row with the index of its last unit
// and a digest over all units up to it, in the same atomic change. Whoever else remembers such a
// point (the mark file) can tell afterwards whether the history is still whole, and the same one.
namespace weir::storage {

struct CommitPoint {
  /// Units so far; 0 before the first.
  proto::CommitIndex index;
  std::uint64_t digest = 0;
  /// Broker time of the last unit; a restart continues from it.
  proto::TimeMs time = 0;

  friend bool operator==(const CommitPoint&, const CommitPoint&) = default;
};

/// CRC-32C over the operations of a unit, in order.
std::uint32_t operations_crc(const WriteBatch& rows);

/// The point after one more unit: digest = f(digest before, index, CRC of the unit's operations).
/// `index` must be the next one.
CommitPoint next_point(const CommitPoint& before, proto::CommitIndex index, proto::TimeMs time,
                       const WriteBatch& rows);

/// 32 bytes: format (u8, with three zero bytes behind it), CRC-32C of the rest (u32), then index,
/// digest and time (u64 each), little-endian. The value of the commit row and of a mark's slot.
std::string encode_commit_point(const CommitPoint& point);
inline constexpr std::size_t kCommitPointBytes = 32;

/// STORAGE_FAILED when the checksum does not fit or the format is newer than this program.
proto::Result<CommitPoint> decode_commit_point(std::string_view bytes);

/// Adds the commit row to a change.
void put_commit_point(WriteBatch& rows, const CommitPoint& point);
/// What the commit row says; a point with index 0 in a store that has none yet.
proto::Result<CommitPoint> read_commit_point(const Reader& reader);

}  // namespace weir::storage
