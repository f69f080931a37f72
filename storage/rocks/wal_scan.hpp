#pragma once

#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/rocks/manifest.hpp"

#include <cstdint>
#include <optional>
#include <string>

// A look at the write-ahead logs before RocksDB opens. In its only usable recovery mode RocksDB
// takes a flipped byte in the middle of synced data for a torn end and drops everything behind it,
// without a word; a zeroed stretch it even passes over. This scan tells the cases apart:
//
//   * A commit begins only after the one before it is synced. So damage with a valid later record
//     behind it, in its file or a newer one, lies in synced data: it is damage.
//   * Damage with nothing behind it is how a crash leaves an unsynced write: normal. Its parts may
//     have reached the disk in any order, so zeros may stand in front of them.
//   * Zeros behind a whole record are where nothing was written yet (prefilled_wal.hpp): no damage.
//   * Sequence numbers run on from record to record and file to file; a jump is a missing record.
//     A newer file that goes on exactly where the readable part ends shows that an earlier start
//     has dropped the torn end already.
//
// What is newer than the mark file (mark_file.hpp) and damaged at the very end looks like a torn
// write. Nothing here can tell the two apart.
namespace weir::storage {

/// A place in a file and what is wrong there.
struct WalDamage {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
};

struct WalReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  /// Whole records before any damage, and the newest commit among them, where it can be told.
  std::uint64_t readable_records = 0;
  std::optional<CommitPoint> last_readable;
  /// The unsynced end that a crash left.
  std::optional<WalDamage> torn_end;
  /// Damage in synced data, with what lies intact behind it.
  std::optional<WalDamage> damage;
  std::uint64_t records_behind = 0;
  std::optional<CommitPoint> last_behind;
  /// What says which logs count.
  ManifestFacts manifest;
};

/// Reads the WALs in `database_path` that RocksDB would replay; changes nothing. An empty report
/// for a directory that is missing or empty. STORAGE_FAILED when a file cannot be read.
[[nodiscard]] proto::Result<WalReport> scan_wal(const std::string& database_path);

/// For a person: what is damaged, what is readable and what to do. Only for a report with damage.
[[nodiscard]] std::string describe_damage(const WalReport& report);

}  // namespace weir::storage
