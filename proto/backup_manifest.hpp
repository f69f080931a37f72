#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

// What lies beside the bytes of a backup and says that they are whole: a text file, written last.
// Who makes a backup and who restores it share nothing else.
namespace weir::proto {

/// Files of a backup's directory.
inline constexpr std::string_view kBackupManifestName = "MANIFEST";
inline constexpr std::string_view kBackupShardName = "shard-0";

/// What this program writes.
inline constexpr std::uint32_t kBackupFormat = 1;
/// No manifest of any format is longer.
inline constexpr std::size_t kMaxBackupManifestBytes = 4096;

struct BackupManifest {
  /// Name and version of the broker that was read, printable.
  std::string broker;
  std::uint32_t incarnation = 0;
  /// The backup's point: everything that was acknowledged up to this commit is in it.
  CommitIndex commit{};
  std::uint64_t commit_digest = 0;
  TimeMs commit_time = 0;
  /// The file kBackupShardName.
  std::uint64_t shard_bytes = 0;
  std::uint32_t shard_crc = 0;  // CRC-32C of all of them
  std::uint64_t rows = 0;
  std::uint64_t row_bytes = 0;    // of keys and values
  std::uint64_t rows_digest = 0;  // over keys and values

  friend bool operator==(const BackupManifest&, const BackupManifest&) = default;
};

/// Lines "name: value", the last one with the CRC-32C of those before it. `broker` must hold no
/// newline.
[[nodiscard]] std::string encode_backup_manifest(const BackupManifest& manifest);

/// CORRUPT_BATCH: it is not a manifest, or not as it was written. UNSUPPORTED: a newer version
/// wrote it.
[[nodiscard]] Result<BackupManifest> parse_backup_manifest(std::string_view text);

/// Sixteen hexadecimal digits: how a digest is shown to people.
[[nodiscard]] std::string hex_digest(std::uint64_t digest);

}  // namespace weir::proto
