#pragma once

#include "storage/kv.hpp"

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace weir::storage {

/// What a reader needs of an open database. Outlives every reader.
struct OpenDatabase {
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};  // owned, see RocksStore::Impl
  mutable std::atomic<std::uint64_t> reads = 0;

  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(Family which) const {
    return families[static_cast<std::size_t>(which)];
  }
};

/// A reader of this moment.
std::unique_ptr<Reader> take_snapshot(const OpenDatabase& database);

}  // namespace weir::storage
