#include "broker/core/attempt.hpp"
#include "broker/core/expiry.hpp"
#include "broker/core/row_codec.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/assert.hpp"
#include "proto/planted_bugs.hpp"
#include "storage/import.hpp"
#include "storage/key_codec.hpp"
#include "storage/log/partition_log.hpp"

#include <algorithm>
#include <utility>

// What records do to messages and producers, and the rows that follow from it.
namespace weir::core {

using storage::Family;
using storage::KeyKind;

namespace {

/// Grants are reserved this many at a time, so that handing out does not write the allocator's row.
constexpr std::uint64_t kGrantBlock = std::uint64_t{1} << 20;

/// Producer ids of one incarnation; they are signed 64 bit numbers in a batch.
constexpr int kProducersOfIncarnationBits = 32;

}  // namespace

void ShardState::apply(const Record& record, Queue::Effects& effects) {
  std::visit([&](const auto& one) { apply_one(one, effects); }, record);
}

Queue& ShardState::change(proto::QueueId id) {
  const auto it = queues_.find(id);
  WEIR_ASSERT(it != queues_.end(), "a record of a queue finds it");
  changed_queues_.insert(id);
  return it->second;
}

/// A lane that nothing was sent to before.
Queue& ShardState::open_lane(proto::QueueId id) {
  const proto::QueueId home = proto::home_of(id);
  const Queue& queue = queues_.at(home);
  QueueCreated definition = queue.definition();
  definition.id = id;
  Queue& lane = queues_.emplace(id, Queue(std::move(definition))).first->second;
  lane.begin_in(queue.counters().generation);
  std::vector<proto::LaneTag>& tags = lanes_[home].tags;
  tags.insert(std::ranges::upper_bound(tags, proto::lane_tag(id)), proto::lane_tag(id));
  return lane;
}

/// Keeps the shard-wide indexes in step with one queue.
void ShardState::reindex(proto::QueueId id) {
  const Queue& queue = queues_.at(id);
  by_deadline_.set(id,
                   queue.leases().empty() ? TouchedBatch::kNever : queue.leases().begin()->first);
  by_delay_due_.set(id, queue.next_delay_due());
  note_retention(queue);
  if (queue.dying().empty()) {
    dying_queues_.erase(id);
  } else {
    dying_queues_.insert(id);
  }
  if (queue.cold().is_oldest_done()) {
    seeking_oldest_.insert(id);
  } else {
    seeking_oldest_.erase(id);
  }
  idle_bytes_ = idle_bytes_ - by_idle_bytes_.set(id, queue.idle_bytes()) + queue.idle_bytes();
}

/// Costs nothing where messages are kept for ever.
void ShardState::note_retention(const Queue& queue) {
  const proto::TimeMs oldest =
      queue.definition().settings.retention_ms > 0 ? queue.oldest_append_time() : 0;
  if (oldest > 0) {
    by_retention_.set(queue.id(), retained_until(queue, oldest));
  } else if (!by_retention_.ranked().empty()) {
    by_retention_.set(queue.id(), kNeverExpires);
  }
}

void ShardState::apply_one(const ProducerStarted& record, Queue::Effects&) {
  producers_.apply(record);
  allocator_.next_producer = std::max(allocator_.next_producer, record.id.value + 1);
  allocator_changed_ = true;
  rows_.put(Family::kState, storage::object_key(KeyKind::kProducer, record.id.value),
            rows::encode(rows::ProducerHead{record.epoch, record.time}));
}

void ShardState::apply_one(const ProducerForgotten& record, Queue::Effects&) {
  for (const proto::LogId log : producers_.apply(record)) {
    changed_windows_.erase({record.id, log});
    rows_.remove(Family::kState, storage::producer_window_key(record.id, log));
  }
  rows_.remove(Family::kState, storage::object_key(KeyKind::kProducer, record.id.value));
}

void ShardState::apply_one(const BatchAppended& record, Queue::Effects&) {
  const storage::Append append{record.base_offset + record.count - 1, record.time, record.stored};
  if (record.topic) {
    const proto::PartitionId id{record.log.value};
    Partition& partition = partitions_.at(id);
    partition.append(record);
    changed_partitions_.insert(id);
    storage::append_to_log(rows_, {record.log, 0}, append, partition.time_index);
  } else {
    const proto::QueueId id{record.log.value};
    if (!queues_.contains(id)) {
      open_lane(id);
    }
    Queue& queue = change(id);
    queue.append(record);
    note_retention(queue);
    rows_.put(Family::kLog,
              storage::batch_key(KeyKind::kBatch, record.log.value, queue.counters().generation,
                                 append.last_offset),
              record.stored);
  }
  producers_.append(record);
  if (record.producer_id >= 0) {
    changed_windows_.emplace(proto::ProducerId{static_cast<std::uint64_t>(record.producer_id)},
                             proto::home_of(record.log));
  }
}

void ShardState::apply_one(const Leased& record, Queue::Effects&) {
  allocator_.next_grant = std::max(allocator_.next_grant, record.grant.value + 1);
  if (allocator_.next_grant > allocator_.reserved_grant) {
    allocator_.reserved_grant = allocator_.next_grant + kGrantBlock;
    allocator_changed_ = true;
  }
  const std::uint32_t leased = change(record.range.queue).apply(record);
  reindex(record.range.queue);
  if (const auto lanes = lanes_.find(proto::home_of(record.range.queue)); lanes != lanes_.end()) {
    lanes->second.turns.note_handed_out(proto::lane_tag(record.range.queue), leased);
  }
}

/// History that is of no use any more.
void ShardState::forget_attempts(const Queue& queue, const Queue::Effects& effects) {
  if (WEIR_PLANTED(keep_history_of_the_gone)) {
    return;
  }
  for (const Queue::HistoryPlace& place : effects.told_no_more) {
    rows_.remove(Family::kState, storage::attempt_key(queue.id(), queue.counters().generation,
                                                      place.offset, place.number));
  }
}

/// Of a record by which messages are gone from their queue.
template <class Gone>
void ShardState::apply_gone(const Gone& record, Queue::Effects& effects) {
  Queue& queue = change(record.range.queue);
  queue.apply(record, effects);
  forget_attempts(queue, effects);
  reindex(record.range.queue);
}

void ShardState::apply_one(const Acked& record, Queue::Effects& effects) {
  apply_gone(record, effects);
}

void ShardState::apply_one(const Returned& record, Queue::Effects& effects) {
  Queue& queue = change(record.range.queue);
  queue.apply(record, effects);
  for (const Queue::EndedAttempt& ended : effects.ended) {
    const Attempt attempt{ended.place.number, record.time, ended.cause,
                          ended.holder ? *ended.holder : std::string(),
                          ended.cause == record.cause ? record.reason : std::string()};
    rows_.put(Family::kState,
              storage::attempt_key(queue.id(), queue.counters().generation, ended.place.offset,
                                   ended.place.number),
              rows::encode(rows::SharedAttempt{attempt, ended.messages}));
  }
  forget_attempts(queue, effects);
  reindex(record.range.queue);
}

void ShardState::apply_one(const Extended& record, Queue::Effects&) {
  change(record.range.queue).apply(record);
  reindex(record.range.queue);
}

void ShardState::apply_one(const Started& record, Queue::Effects&) {
  change(record.range.queue).apply(record);
  reindex(record.range.queue);
}

void ShardState::apply_one(const Expired& record, Queue::Effects& effects) {
  apply_gone(record, effects);
}

void ShardState::apply_one(const DeadLettered& record, Queue::Effects& effects) {
  apply_gone(record, effects);
}

void ShardState::apply_one(const Passed& record, Queue::Effects&) {
  change(record.range.queue).apply(record);
  reindex(record.range.queue);
}

void ShardState::apply_one(const Moved& record, Queue::Effects& effects) {
  apply_gone(record, effects);
}

void ShardState::apply_one(const Unparked& record, Queue::Effects&) {
  change(record.range.queue).apply(record);
  reindex(record.range.queue);
}

void ShardState::apply_one(const RedriveChanged& record, Queue::Effects&) {
  redrives_.set(record.redrive);
  rows_.put(Family::kState, storage::object_key(KeyKind::kRedrive, record.redrive.source.value),
            rows::encode(record.redrive));
}

void ShardState::apply_one(const PagedOut& record, Queue::Effects&) {
  change(record.queue).apply(record);
  reindex(record.queue);
}

void ShardState::apply_one(const PagedIn& record, Queue::Effects&) {
  change(record.queue).apply(record);
  reindex(record.queue);
}

void ShardState::apply_one(const IncarnationRaised& record, Queue::Effects&) {
  identity_.incarnation = record.incarnation;
  // Producers begin in a range of their own, so that one of the life before cannot be taken for a
  // new one that got the same number.
  allocator_.next_producer = std::max(
      allocator_.next_producer, std::uint64_t{record.incarnation} << kProducersOfIncarnationBits);
  allocator_changed_ = true;
  imported_.reset();
  storage::remove_import_mark(rows_);
}

void ShardState::put_queue_rows(storage::WriteBatch& rows, Queue& queue) {
  const std::uint64_t id = queue.id().value;
  const std::uint32_t generation = queue.counters().generation;
  const Queue::Changes changes = queue.take_changes();
  for (const proto::Offset last : changes.finished) {
    rows.remove(Family::kState, storage::batch_key(KeyKind::kTouchedBatch, id, generation, last));
    rows.remove(Family::kLog, storage::batch_key(KeyKind::kBatch, id, generation, last));
  }
  for (const proto::Offset last : changes.touched) {
    rows.put(Family::kState, storage::batch_key(KeyKind::kTouchedBatch, id, generation, last),
             rows::encode(queue.touched_batches().at(last), false));
  }
  // In this order: a batch may have been paged in and out again since the last call.
  const auto index_key = [&](proto::TimeMs due, proto::Offset last) {
    return storage::timed_batch_key(KeyKind::kReturnedIndex, id, generation, due, last);
  };
  for (const auto& [due, last] : changes.paged_in) {
    if (due != TouchedBatch::kNever) {
      rows.remove(Family::kState, index_key(due, last));
    }
  }
  for (const auto& [last, batch] : changes.paged_out) {
    rows.put(Family::kState, storage::batch_key(KeyKind::kTouchedBatch, id, generation, last),
             rows::encode(batch, true));
    if (batch.next_due() != TouchedBatch::kNever) {
      rows.put(Family::kState, index_key(batch.next_due(), last), std::string_view());
    }
  }
  rows.put(Family::kState, storage::object_key(KeyKind::kQueueState, id),
           rows::encode(queue.counters()));
}

storage::WriteBatch ShardState::take_rows() {
  storage::WriteBatch rows = std::exchange(rows_, {});
  for (const proto::QueueId id : std::exchange(changed_queues_, {})) {
    put_queue_rows(rows, queues_.at(id));
  }
  for (const proto::PartitionId id : std::exchange(changed_partitions_, {})) {
    rows.put(Family::kState, storage::object_key(KeyKind::kPartitionState, id.value),
             rows::encode(partitions_.at(id)));
  }
  for (const auto& [producer, log] : std::exchange(changed_windows_, {})) {
    rows.put(Family::kState, storage::producer_window_key(producer, log),
             rows::encode(producers_.find(producer)->windows.at(log)));
  }
  if (std::exchange(allocator_changed_, false)) {
    rows.put(Family::kState, storage::meta_key(storage::MetaRow::kAllocator),
             rows::encode(rows::AllocatorValues{allocator_.next_object, allocator_.next_producer,
                                                allocator_.reserved_grant, identity_.incarnation}));
  }
  return rows;
}

void ShardState::publish(proto::PartitionId partition, proto::Offset high_watermark) {
  Partition& target = partitions_.at(partition);
  target.high_watermark = std::max(target.high_watermark, high_watermark);
}

}  // namespace weir::core
