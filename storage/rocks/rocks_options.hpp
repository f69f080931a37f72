#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::storage {

/// Memory and disk that the database may use.
struct RocksBudget {
  /// Rows written and not yet flushed, all families together.
  std::size_t write_buffer_bytes = std::size_t{64} << 20;
  /// Blocks, indexes and filters of table files.
  std::size_t block_cache_bytes = std::size_t{32} << 20;
  /// What a restart has to replay at most, roughly.
  std::uint64_t max_wal_bytes = std::uint64_t{128} << 20;
};

rocksdb::DBOptions database_options(const RocksBudget& budget,
                                    std::shared_ptr<rocksdb::EventListener> events);

/// The column families in the order of enum Family.
std::vector<rocksdb::ColumnFamilyDescriptor> column_families(
    const RocksBudget& budget, const std::shared_ptr<rocksdb::Cache>& block_cache);

}  // namespace weir::storage
