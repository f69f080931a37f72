#pragma once

#include <rocksdb/file_system.h>

#include <memory>

// RocksDB makes a manifest, and the tables that a start writes, syncs their bytes, and then renames
// CURRENT to name that manifest; the folder is synced only behind the rename. A file system that
// keeps the order of changes to a folder is enough for that. Where it may keep the rename and lose
// a name from before, the database cannot be opened any more after a power loss. So the folder is
// synced in front of the rename as well: once at each start and for each new manifest.
namespace weir::storage {

/// A file system that is `base` except that a file becomes CURRENT only when every name made before
/// in its folder is durable. An error of that sync is the rename's.
[[nodiscard]] std::shared_ptr<rocksdb::FileSystem> names_before_current(
    const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace weir::storage
