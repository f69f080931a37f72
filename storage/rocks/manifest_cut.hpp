#pragma once

#include "proto/result.hpp"
#include "storage/rocks/wal_scan.hpp"

namespace weir::storage {

/// Cuts off what a power loss left of the last write to the manifest, and syncs it; false where
/// there is nothing to cut. RocksDB takes an entry whose bytes came only in part for damage and
/// does not open, although nothing had followed from that entry yet: logs and tables that it would
/// have dropped go only once it is durable.
///
/// Bytes that rotted look the same, and then logs may be gone for which a lost entry was the
/// reason. So `report`, of the scan with what the whole entries say, must show that the live logs
/// go on from the tables without a gap; where they hold nothing, that is known only when all
/// families were flushed together. (RocksDB itself refuses when a table is missing, and the commit
/// that must be there is asked for afterwards.) Otherwise the manifest stays as it is, for RocksDB
/// to refuse.
///
/// A copy of the whole stays beside as "<name>.torn". STORAGE_FAILED when a file cannot be read or
/// written.
[[nodiscard]] proto::Result<bool> cut_torn_manifest(const WalReport& report);

}  // namespace weir::storage
