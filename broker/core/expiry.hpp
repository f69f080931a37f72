#pragma once

#include "broker/core/decision.hpp"
#include "broker/core/queue/queue.hpp"
#include "proto/ids.hpp"

#include <cstdint>

// Until when messages are of use.
namespace weir::core {

/// When what came then expires by its queue's retention; kNeverExpires without one. Not of what was
/// unparked.
[[nodiscard]] proto::TimeMs retained_until(const Queue& queue, proto::TimeMs append_time);

/// Whether any message of the batch can expire.
[[nodiscard]] inline bool can_expire(const Queue& queue, const CachedBatch& batch) {
  return queue.definition().settings.retention_ms > 0 || !batch.expiries.empty();
}

}  // namespace weir::core
