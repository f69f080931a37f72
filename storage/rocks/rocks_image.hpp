#pragma once

#include "proto/result.hpp"
#include "storage/kv.hpp"
#include "storage/rocks/rocks_options.hpp"

#include <memory>
#include <string>

namespace weir::storage {

/// A database that nobody writes, to be looked at: what a start would find, and nothing on the disk
/// changes. What lies in the write-ahead log is read into memory.
class RocksImage {
 public:
  virtual ~RocksImage() = default;
  /// Must not outlive this.
  [[nodiscard]] virtual std::unique_ptr<Reader> snapshot() const = 0;
};

/// STORAGE_FAILED, with RocksDB's words, when it does not open. Does not look at the write-ahead
/// log first, as open_rocks_store() does: damage in its middle is its end here (wal_scan.hpp).
[[nodiscard]] proto::Result<std::unique_ptr<RocksImage>> open_rocks_image(
    const std::string& path, const RocksBudget& budget = {});

}  // namespace weir::storage
