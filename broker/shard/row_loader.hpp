#pragma once

#include "broker/core/decision.hpp"
#include "broker/core/queue/cold_batches.hpp"
#include "broker/core/queue/touched_batch.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <optional>
#include <vector>

namespace weir::shard {

/// What was read of a queue's touched batches.
struct LoadedRows {
  std::vector<core::TouchedBatch> batches;  // cold ones
  /// kDue: where the index of due times goes on.
  proto::TimeMs next_due = core::TouchedBatch::kNever;
  /// kNext: up to here every cold batch is among them.
  proto::Offset known_until = 0;
  /// kOldest: the batch, and whether it is a cold one.
  std::optional<core::ColdBatches::Oldest> oldest = std::nullopt;
  bool is_oldest_cold = false;
};

/// Reads what was needed, a bounded piece at a time. CORRUPT_BATCH when rows contradict each other.
/// Runs off the shard.
proto::Result<LoadedRows> load_rows(const storage::Reader& reader, const core::NeedRows& need);

}  // namespace weir::shard
