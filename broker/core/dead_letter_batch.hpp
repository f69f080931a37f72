#pragma once

#include "broker/core/attempt.hpp"
#include "broker/core/decision.hpp"
#include "broker/core/rebuilt_batch.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::core {

/// Builds the batch that goes to the dead-letter queue: copies of messages, key, value and headers
/// as they were, with the history added. A message that was dead-lettered before keeps its first
/// id.
class DeadLetterBatch {
 public:
  /// `source` must be uncompressed and outlive this.
  DeadLetterBatch(const CachedBatch& source, std::string_view queue_name, proto::QueueId queue,
                  std::uint32_t incarnation, proto::TimeMs now);

  /// False when the batch is full; the message is not in it then.
  bool add(std::uint32_t index, const Run& run, const std::vector<Attempt>& history);
  [[nodiscard]] std::uint32_t count() const { return copies_.count(); }
  /// As RebuiltBatch::finish().
  [[nodiscard]] proto::SharedBytes finish(proto::Offset base_offset, proto::Offset prev_last_offset,
                                          std::uint32_t epoch) {
    return copies_.finish(base_offset, prev_last_offset, epoch);
  }

 private:
  const CachedBatch& source_;
  std::string queue_name_;
  std::string now_text_;
  RebuiltBatch copies_;
};

}  // namespace weir::core
