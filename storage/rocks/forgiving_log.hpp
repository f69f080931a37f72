#pragma once

#include <rocksdb/file_system.h>

#include <memory>

namespace weir::storage {

/// As `base`, but what RocksDB logs about itself (the files LOG) is dropped where it cannot be
/// written: on a full disk the second such line would end the process by an assertion.
std::shared_ptr<rocksdb::FileSystem> forgive_info_log(
    const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace weir::storage
