#pragma once

#include <rocksdb/file_system.h>

#include <memory>

// RocksDB makes a manifest, and the tables that a start writes, syncs their bytes, and then renames
// CURRENT to name that manifest; the folder is synced only behind the rename. A file system that
// keeps the order of changes to a folder is enough for that. Where it may keep the rename and lose
// a name from before, the database cannot be opened any more after a power loss. So the folder is
// synced in front of the rename as well: once at each start and for each new manifest.
namespace weir::storage {

/// A file system that is `base` except for two things. A file becomes CURRENT only when every name
/// made before in its folder is durable; an error of that sync is the rename's. And a failed sync
/// of a folder is final: it is not done again, each later one fails in the same way. RocksDB goes
/// on where the options could not be written, and would take its next sync's word for all names.
[[nodiscard]] std::shared_ptr<rocksdb::FileSystem> make_names_durable(
    const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace weir::storage
