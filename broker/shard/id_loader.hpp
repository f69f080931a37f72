#pragma once

#include "broker/core/deduplication.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <map>
#include <optional>

namespace weir::shard {

/// Of ids that were asked for: the newest message with each, if there is one.
using ReadIds = std::map<core::DeduplicationId, std::optional<core::KnownMessage>>;

/// Looks them up. Runs off the shard. CORRUPT_BATCH for a damaged row, STORAGE_FAILED.
proto::Result<ReadIds> load_ids(const storage::Reader& reader, const core::NeedIds& need);

}  // namespace weir::shard
