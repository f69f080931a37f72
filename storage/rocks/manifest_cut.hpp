#pragma once

#include "proto/result.hpp"

#include <string>

namespace weir::storage {

/// Cuts off what a power loss left of the last write to the manifest that CURRENT names, and syncs
/// it: RocksDB takes a record whose bytes came only in part for damage and does not open, although
/// nothing had followed from that write yet. What it would have dropped (a log, tables) goes only
/// when it is durable, so where the log that the whole records begin with is still there, nothing
/// is given up: RocksDB itself refuses when one of their tables is missing. Without that log the
/// manifest stays as it is, for RocksDB to refuse. A copy stays beside as "<name>.torn". Nothing
/// happens where there is no database yet. STORAGE_FAILED when a file cannot be read or written.
[[nodiscard]] proto::Result<> cut_torn_manifest(const std::string& database_path);

}  // namespace weir::storage
