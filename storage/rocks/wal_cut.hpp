#pragma once

#include "proto/result.hpp"
#include "storage/rocks/wal_scan.hpp"

#include <string>

namespace weir::storage {

/// After a person accepted the loss: makes sure that RocksDB's replay ends at the damage that the
/// scan found. By itself it ends at a wrong checksum, but passes over zeros and over a file that is
/// missing and would leave a hole. The logs from the damaged one on are kept beside as
/// "<name>.log.damaged".
[[nodiscard]] proto::Result<> cut_wal(const std::string& database_path, const WalReport& report);

}  // namespace weir::storage
