#pragma once

#include "proto/result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::storage {

/// What the scan of the WAL needs to know from RocksDB's manifest.
struct ManifestFacts {
  /// The smallest number of a WAL that still holds rows which are in no table file. Files with
  /// smaller numbers wait for their deletion. nullopt when the manifest has entries that this
  /// program does not know.
  std::optional<std::uint64_t> first_live_wal = std::nullopt;
  /// The largest sequence number in table files when that WAL became the first: everything later
  /// was in the live WALs then. nullopt when the manifest does not tell.
  std::optional<std::uint64_t> flushed_sequence = std::nullopt;
  /// Every family begins with the same WAL: when that became the first, all rows were in tables.
  bool families_agree = false;
  std::string file = {};
  /// Where the last whole entry ends.
  std::uint64_t entries_end = 0;
  /// Where bytes are no entry; what is above comes from the entries before.
  std::optional<std::uint64_t> damage_offset = std::nullopt;
};

/// Reads the manifest that CURRENT in `database_path` names. STORAGE_FAILED when one of the two
/// cannot be read, with what to do. A damaged tail is left for RocksDB to judge.
[[nodiscard]] proto::Result<ManifestFacts> read_manifest(const std::string& database_path);

}  // namespace weir::storage
