#pragma once

#include "broker/core/decision.hpp"
#include "broker/core/header_changes.hpp"
#include "broker/core/queue/queue.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <span>
#include <string_view>

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
// What was told of its attempts, on a message that was redriven with them: they go on counting when
// it dies again.
inline constexpr std::string_view kHeaderPastAttempts = "weir.past-attempts";
inline constexpr std::string_view kHeaderPastFailures = "weir.past-failures";
inline constexpr std::string_view kHeaderPastHistory = "weir.past-history";

[[nodiscard]] inline proto::LogId log_of(const Queue& queue) {
  return proto::LogId{queue.id().value};
}

/// When the batch came with which the queue goes on behind the range, of a batch that came at
/// `append_time`: that where the one behind is not in memory.
[[nodiscard]] proto::TimeMs cursor_time_behind(const Queue& queue, const MessageRange& range,
                                               proto::TimeMs append_time,
                                               const BatchSource& batches);

/// The message at that index of an uncompressed batch of ours.
[[nodiscard]] proto::RecordView record_at(const CachedBatch& batch, std::uint32_t index);

/// The value of the message's first header of that name; empty where it has none.
[[nodiscard]] std::string_view header_of(const proto::RecordView& record, std::string_view name);

/// What copies keep of the headers of their messages. None keeps how it died, or how long it was
/// put off.
struct CopyRules {
  bool dies = false;                       // nor what it was good for, nor its past
  bool keeps_attempts = false;             // what is told of its attempts is its past from here on
  const HeaderChanges* changes = nullptr;  // outlives the batch; nullptr: none
};

/// Builds a batch of copies of messages, key, value and headers as they were, but for the rules.
/// Each keeps the id that it had first.
class RebuiltBatch {
 public:
  /// Copies of messages of `queue`, made at `now`.
  RebuiltBatch(proto::QueueId queue, std::uint32_t incarnation, proto::TimeMs now,
               const CopyRules& rules = {});

  /// The message at that index of an uncompressed batch, with these headers more. False when this
  /// one is full; the message is not in it then.
  bool add(const CachedBatch& source, std::uint32_t index, std::span<const proto::Header> more);
  [[nodiscard]] std::uint32_t count() const { return builder_.count(); }
  /// The stored batch with its header, of kind kRebuilt.
  [[nodiscard]] proto::SharedBytes finish(proto::Offset base_offset, proto::Offset prev_last_offset,
                                          std::uint32_t epoch);

 private:
  proto::QueueId queue_;
  std::uint32_t incarnation_;
  proto::TimeMs now_;
  CopyRules rules_;
  proto::BatchBuilder builder_;
};

/// A batch behind room for our header becomes the stored one at that offset.
[[nodiscard]] proto::SharedBytes stamped(std::string stored, proto::StoredHeader header,
                                         proto::Offset base_offset, std::uint32_t epoch);

/// The stored batch, with its header, of what the builder holds, as one of kind kRebuilt.
[[nodiscard]] proto::SharedBytes finish_rebuilt(proto::BatchBuilder& builder,
                                                proto::Offset base_offset,
                                                proto::Offset prev_last_offset, std::uint32_t epoch,
                                                proto::TimeMs now);

[[nodiscard]] inline LogEnd end_of(const Queue& queue) {
  return {log_of(queue), queue.counters().next_offset, queue.counters().prev_last_offset};
}

/// The record that puts a queue's batch with these copies behind its newest one.
template <class Copies>
[[nodiscard]] BatchAppended append_of(Copies& copies, const LogEnd& end, std::uint32_t epoch,
                                      proto::TimeMs now) {
  BatchAppended appended;
  appended.log = end.log;
  appended.base_offset = end.next_offset;
  appended.count = copies.count();
  appended.time = now;
  appended.stored = copies.finish(end.next_offset, end.prev_last_offset, epoch);
  return appended;
}

}  // namespace weir::core
