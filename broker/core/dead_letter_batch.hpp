#pragma once

#include "broker/core/attempt.hpp"
#include "broker/core/decision.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::core {

// Headers that the broker writes on a dead-lettered message, beside those that it had.
inline constexpr std::string_view kHeaderId = "weir.id";  // the message id of its first home
inline constexpr std::string_view kHeaderDeadFrom = "weir.dead-from";      // name of the queue
inline constexpr std::string_view kHeaderDeadReason = "weir.dead-reason";  // or "poison"
inline constexpr std::string_view kHeaderDeadAttempts = "weir.dead-attempts";
inline constexpr std::string_view kHeaderDeadFailures = "weir.dead-failures";  // among those
inline constexpr std::string_view kHeaderDeadTime = "weir.dead-time";          // broker time in ms
/// What the handler said at last, if it ever said anything.
inline constexpr std::string_view kHeaderDeadError = "weir.dead-error";
/// The first attempt and the last ones, as a JSON array: {"attempt", "time" (ms), "outcome",
/// "consumer"}.
inline constexpr std::string_view kHeaderDeadHistory = "weir.dead-history";

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
  [[nodiscard]] std::uint32_t count() const { return builder_.count(); }
  /// The stored batch with its header, of kind kRebuilt.
  [[nodiscard]] proto::SharedBytes finish(proto::Offset base_offset, proto::Offset prev_last_offset,
                                          std::uint32_t epoch);

 private:
  const CachedBatch& source_;
  std::string queue_name_;
  proto::QueueId queue_;
  std::uint32_t incarnation_;
  proto::TimeMs now_;
  std::string now_text_;
  proto::BatchBuilder builder_;
};

}  // namespace weir::core
