#include "broker/core/expiry.hpp"
#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/shard_state.hpp"
#include "broker/core/slice.hpp"

#include <optional>

// What is older than its queue's retention goes, whether anybody takes messages or not. What says
// of itself until when it is of use is looked at when it is to be handed out (decide_dispatch.cpp).
namespace weir::core {
namespace {

/// Of touched batches in memory so many are looked at in a step.
constexpr int kMaxBatchesLookedAt = 64;
/// So many may be on the way to the dead-letter queue: they are in memory, and count as in flight.
constexpr std::size_t kMaxDyingBatches = 16;

/// The first messages of the batch that were given back, are in nobody's hands, and were not asked
/// for whatever their age.
std::optional<MessageRange> first_returned(proto::QueueId queue, const TouchedBatch& batch) {
  for (const Run& run : batch.runs()) {
    const std::uint32_t first = batch.next_live(run.first, run.end());
    if (run.state == RunState::kReturned && !run.is_unparked && first < run.end()) {
      return MessageRange{queue, batch.base_offset(), batch.last_offset(), first,
                          batch.live_end(first, run.end()) - first};
    }
  }
  return std::nullopt;
}

bool is_dead_lettered(const Queue& queue) {
  return queue.definition().settings.dead_letter_expired != 0 &&
         queue.definition().dead_letter_queue.value != 0;
}

}  // namespace

bool ShardState::must_wait_to_expire(const Queue& queue) const {
  if (!is_dead_lettered(queue)) {
    return false;
  }
  std::size_t dying = 0;
  for_each_lane(proto::home_of(queue.id()),
                [&](const Queue& lane) { dying += lane.dying().size(); });
  return dying >= kMaxDyingBatches;
}

Expired ShardState::expired(const Queue& queue, const MessageRange& range,
                            std::uint64_t batch_bytes, proto::TimeMs append_time,
                            const BatchSource& batches) {
  return {range,
          is_dead_lettered(queue),
          batch_bytes,
          append_time,
          cursor_time_behind(queue, range, append_time, batches),
          {}};
}

Expired ShardState::expired(const Queue& queue, const MessageRange& range, const CachedBatch& batch,
                            const BatchSource& batches) {
  Expired record = expired(queue, range, batch.stored_bytes, batch.append_time, batches);
  record.groups = groups_told(queue, batch);
  return record;
}

ShardState::RetentionStep ShardState::decide_retention(proto::QueueId queue_id, proto::Offset from,
                                                       const BatchSource& batches,
                                                       proto::TimeMs now) const {
  const Queue& target = queues_.at(queue_id);
  const Queue::Counters& counters = target.counters();
  int looked_at = 0;
  for (auto at = target.touched_batches().lower_bound(from); at != target.touched_batches().end();
       ++at) {
    const auto& [last, batch] = *at;
    if (retained_until(target, batch.append_time()) > now) {
      break;
    }
    if (looked_at++ == kMaxBatchesLookedAt) {
      return LookOn{last};
    }
    if (const auto range = first_returned(queue_id, batch)) {
      return expired(target, *range, batch.bytes(), batch.append_time(), batches);
    }
  }
  // Parked messages are kept: where nothing else is in the store alone there is nothing to read.
  const auto& cold = target.cold().oldest();
  if (cold && target.cold().next_due() != TouchedBatch::kNever &&
      retained_until(target, cold->append_time) <= now &&
      !target.touched_batches().contains(cold->last_offset)) {
    NeedRows need;
    need.what = target.cold().is_oldest_done() ? NeedRows::What::kOldest : NeedRows::What::kBatch;
    need.queue = queue_id;
    need.generation = counters.generation;
    need.offset = cold->last_offset;
    need.end = cold->last_offset + 1;
    return need;
  }
  if (target.fresh() == 0 || retained_until(target, counters.cursor_time) > now) {
    return std::monostate{};
  }
  const CachedBatch* cached = batches.find(log_of(target), counters.cursor);
  if (cached == nullptr) {
    return Need{log_of(target), counters.generation, counters.cursor};
  }
  if (retained_until(target, cached->append_time) > now) {
    return std::monostate{};
  }
  const MessageRange range{queue_id, cached->base_offset, cached->last_offset,
                           static_cast<std::uint32_t>(counters.cursor - cached->base_offset),
                           static_cast<std::uint32_t>(cached->last_offset + 1 - counters.cursor)};
  return expired(target, range, *cached, batches);
}

}  // namespace weir::core
