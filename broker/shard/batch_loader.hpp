#pragma once

#include "broker/core/decision.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <string_view>
#include <vector>

namespace weir::shard {

/// Reads the queue batch that holds `need.offset` and some that follow it, for a queue that is
/// being worked off from the disk. CORRUPT_BATCH when the wanted batch is missing or damaged;
/// damage behind it only ends the reading ahead. STORAGE_FAILED when the disk fails. Runs off the
/// shard.
proto::Result<std::vector<core::CachedBatch>> load_batches(const storage::Reader& reader,
                                                           const core::Need& need);

/// The batch that ends with that offset, its checksums checked. CORRUPT_BATCH, MALFORMED.
proto::Result<core::CachedBatch> read_stored_batch(std::string_view value,
                                                   proto::Offset last_offset);
/// The same of one row of a queue's log.
proto::Result<core::CachedBatch> read_batch_row(std::string_view row_key, std::string_view value);

}  // namespace weir::shard
