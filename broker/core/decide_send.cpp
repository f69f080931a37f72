#include "broker/core/shard_state.hpp"
#include "proto/batch/stored_batch.hpp"

#include <span>
#include <utility>

namespace weir::core {

using proto::Errc;
using proto::fail;

namespace {

/// Somebody resumes it by hand: that is not a matter of milliseconds.
constexpr std::uint32_t kRetryPausedMs = 1'000;

}  // namespace

proto::Result<ShardState::SendDecision> ShardState::decide(SendBatch& command,
                                                           proto::TimeMs now) const {
  proto::Offset base_offset = 0;
  proto::Offset prev_last_offset = -1;
  bool is_paused = false;
  if (command.topic) {
    const Partition* target = partition(proto::PartitionId{command.log.value});
    if (target == nullptr) {
      return fail(Errc::kTopicNotFound, "the topic is gone");
    }
    base_offset = target->next_offset;
    prev_last_offset = target->prev_last_offset;
  } else {
    const Queue* target = queue(proto::QueueId{command.log.value});
    if (target == nullptr) {
      return fail(Errc::kQueueNotFound, "the queue is gone");
    }
    base_offset = target->counters().next_offset;
    prev_last_offset = target->counters().prev_last_offset;
    is_paused = target->definition().pause.sends;
  }
  const proto::BatchHeader& header = command.columns.header;
  auto duplicate = producers_.check(command.log, header.producer_id, header.producer_epoch,
                                    header.base_sequence, command.columns.count());
  if (!duplicate) {
    return duplicate.error();
  }
  if (*duplicate) {
    return SendDecision{std::nullopt, (*duplicate)->base_offset, (*duplicate)->append_time};
  }
  // What was stored before is told to be, paused or not.
  if (is_paused) {
    proto::Error paused = fail(Errc::kPaused, "the queue takes no messages: its sends are paused");
    paused.retry_after_ms = kRetryPausedMs;
    return paused;
  }
  std::string stored = std::move(command.stored);
  proto::poke_offset_and_epoch(std::span(stored).subspan(proto::kStoredHeaderBytes), base_offset,
                               static_cast<std::int32_t>(identity_.epoch));
  proto::write_stored_header(stored, {proto::StoredKind::kData, now, prev_last_offset});
  BatchAppended record;
  record.log = command.log;
  record.topic = command.topic;
  record.base_offset = base_offset;
  record.count = command.columns.count();
  record.time = now;
  record.producer_id = header.producer_id;
  record.producer_epoch = static_cast<std::uint16_t>(header.producer_epoch);
  record.base_sequence = header.base_sequence;
  record.stored = proto::SharedBytes(std::move(stored));
  return SendDecision{std::move(record), base_offset, now};
}

}  // namespace weir::core
