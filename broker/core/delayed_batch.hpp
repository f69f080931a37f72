#pragma once

#include "broker/core/decision.hpp"
#include "broker/core/queue_settings.hpp"
#include "broker/core/record.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/ids.hpp"

#include <cstdint>

namespace weir::core {

/// A row of a queue's delay lane: neighbouring messages of one batch that are due at one time.
struct DelayedBatch {
  proto::TimeMs due = 0;
  CachedBatch batch;

  [[nodiscard]] std::uint32_t count() const {
    return static_cast<std::uint32_t>(batch.last_offset - batch.base_offset + 1);
  }
};

/// Whether a batch from a producer goes to the delay lane: all of it does when one of its messages
/// is to wait, so that its offsets stay together.
[[nodiscard]] bool is_put_off(const QueueSettings& settings, const proto::BatchColumns& columns);

/// The time at which the message at that index is due, of a batch that comes `now`.
[[nodiscard]] proto::TimeMs due_of(const QueueSettings& settings,
                                   const proto::BatchColumns& columns, std::uint32_t index,
                                   proto::TimeMs now);

/// The record that puts messages [first, end) of an uncompressed batch of ours off until `due`, in
/// a row of their own. They keep their offsets and the time when they were sent.
[[nodiscard]] Delayed part_of(proto::QueueId queue, const CachedBatch& batch, std::uint32_t first,
                              std::uint32_t end, proto::TimeMs due, std::uint32_t epoch);

}  // namespace weir::core
