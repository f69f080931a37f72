#include "broker/core/row_codec.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/assert.hpp"
#include "proto/planted_bugs.hpp"
#include "storage/key_codec.hpp"

#include <algorithm>
#include <string>
#include <vector>

// What records do to namespaces, queues and topics as a whole, and the rows that follow from it.
namespace weir::core {

using storage::Family;
using storage::KeyKind;

void ShardState::apply_one(const NamespaceCreated& record, Queue::Effects&) {
  catalog_.apply(record);
  allocator_.next_object = std::max(allocator_.next_object, record.id.value + 1);
  allocator_changed_ = true;
  rows_.put(Family::kState, storage::object_key(KeyKind::kNamespace, record.id.value),
            rows::encode(record));
}

void ShardState::apply_one(const QueueCreated& record, Queue::Effects&) {
  catalog_.apply(record);
  allocator_.next_object = std::max(allocator_.next_object, record.id.value + 1);
  allocator_changed_ = true;
  queues_.emplace(record.id, Queue(record));
  note_dead_letter_queue(record);
  changed_queues_.insert(record.id);
  rows_.put(Family::kState, storage::object_key(KeyKind::kQueue, record.id.value),
            rows::encode(record));
}

void ShardState::apply_one(const QueueChanged& record, Queue::Effects&) {
  const proto::QueueId id = record.definition.id;
  const auto it = queues_.find(id);
  WEIR_ASSERT(it != queues_.end(), "a record of a queue finds it");
  dead_letter_sources_.erase({it->second.definition().dead_letter_queue, id});
  note_dead_letter_queue(record.definition);
  for_each_lane(id, [&](const Queue& lane) {
    queues_.at(lane.id()).apply(record);
    note_retention(lane);
  });
  rows_.put(Family::kState, storage::object_key(KeyKind::kQueue, id.value),
            rows::encode(record.definition));
}

/// Every row of that generation: a few operations, however many there are.
void ShardState::remove_messages(proto::QueueId id, std::uint32_t generation) {
  if (WEIR_PLANTED(purge_leaves_rows)) {
    return;
  }
  const auto remove = [&](Family family, KeyKind kind) {
    const std::string prefix = storage::generation_prefix(kind, id.value, generation);
    rows_.remove_range(family, prefix, storage::prefix_end(prefix));
  };
  remove(Family::kState, KeyKind::kTouchedBatch);
  remove(Family::kState, KeyKind::kReturnedIndex);
  remove(Family::kState, KeyKind::kAttempt);
  remove(Family::kState, KeyKind::kDelayIndex);
  remove(Family::kState, KeyKind::kDeduplication);
  remove(Family::kLog, KeyKind::kBatch);
  remove(Family::kLog, KeyKind::kDelayed);
}

void ShardState::apply_one(const QueuePurged& record, Queue::Effects& effects) {
  for_each_lane(record.queue, [&](const Queue& lane) {
    if (lane.id() != record.queue && WEIR_PLANTED(purge_forgets_lanes)) {
      return;
    }
    remove_messages(lane.id(), lane.counters().generation);
    change(lane.id()).apply(record, effects);
    reindex(lane.id());
  });
  group_counts_.erase(record.queue);
}

void ShardState::apply_one(const TopicCreated& record, Queue::Effects&) {
  catalog_.apply(record);
  allocator_.next_object = std::max(allocator_.next_object, record.partitions.back().value + 1);
  allocator_changed_ = true;
  rows_.put(Family::kState, storage::object_key(KeyKind::kTopic, record.id.value),
            rows::encode(record));
  std::uint32_t index = 0;
  for (const proto::PartitionId id : record.partitions) {
    Partition partition;
    partition.topic = record.id;
    partition.index = index++;
    partition.leader_epoch = record.leader_epoch;
    partitions_.emplace(id, partition);
    changed_partitions_.insert(id);
  }
}

void ShardState::note_dead_letter_queue(const QueueCreated& definition) {
  if (definition.dead_letter_queue.value != 0) {
    dead_letter_sources_.emplace(definition.dead_letter_queue, definition.id);
  }
}

void ShardState::forget_producers_of(proto::LogId log) {
  for (const proto::ProducerId producer : producers_.forget(log)) {
    changed_windows_.erase({producer, log});
    rows_.remove(Family::kState, storage::producer_window_key(producer, log));
  }
}

void ShardState::apply_one(const NamespaceDeleted& record, Queue::Effects&) {
  catalog_.apply(record);
  rows_.remove(Family::kState, storage::object_key(KeyKind::kNamespace, record.id.value));
}

void ShardState::apply_one(const QueueDeleted& record, Queue::Effects&) {
  const proto::QueueId id = record.queue;
  const auto it = queues_.find(id);
  WEIR_ASSERT(it != queues_.end(), "only a queue that is there is deleted");
  rows_.remove(Family::kState, storage::object_key(KeyKind::kQueue, id.value));
  if (redrives_.remove(id)) {
    rows_.remove(Family::kState, storage::object_key(KeyKind::kRedrive, id.value));
  }
  forget_producers_of(proto::LogId{id.value});
  catalog_.remove(it->second.definition());
  dead_letter_sources_.erase({it->second.definition().dead_letter_queue, id});
  for (const proto::LaneTag tag : lanes(id)) {
    remove_lane(proto::lane_id(id, tag));
  }
  lanes_.erase(id);
  group_counts_.erase(id);
  remove_lane(id);
}

void ShardState::remove_lane(proto::QueueId id) {
  const auto it = queues_.find(id);
  remove_messages(id, it->second.counters().generation);
  rows_.remove(Family::kState, storage::object_key(KeyKind::kQueueState, id.value));
  by_deadline_.remove(id);
  by_delay_due_.remove(id);
  by_retention_.remove(id);
  dying_queues_.erase(id);
  seeking_oldest_.erase(id);
  idle_bytes_ -= by_idle_bytes_.remove(id);
  changed_queues_.erase(id);
  queues_.erase(it);
}

void ShardState::apply_one(const TopicDeleted& record, Queue::Effects&) {
  const auto it = catalog_.topics().find(record.topic);
  WEIR_ASSERT(it != catalog_.topics().end(), "only a topic that is there is deleted");
  const std::vector<proto::PartitionId>& partitions = it->second.partitions;
  // Its partitions were numbered one behind the other, so that their rows lie side by side: a few
  // operations for all of them.
  const auto remove = [&](Family family, KeyKind kind, std::size_t first, std::size_t last) {
    rows_.remove_range(family, storage::object_prefix(kind, partitions[first].value),
                       storage::prefix_end(storage::object_prefix(kind, partitions[last].value)));
  };
  for (std::size_t first = 0, last = 0; first < partitions.size(); first = ++last) {
    while (last + 1 < partitions.size() &&
           partitions[last + 1].value == partitions[last].value + 1) {
      ++last;
    }
    remove(Family::kState, KeyKind::kPartitionState, first, last);
    remove(Family::kState, KeyKind::kTimeIndex, first, last);
    remove(Family::kLog, KeyKind::kBatch, first, last);
  }
  for (const proto::PartitionId id : partitions) {
    forget_producers_of(proto::LogId{id.value});
    changed_partitions_.erase(id);
    partitions_.erase(id);
  }
  rows_.remove(Family::kState, storage::object_key(KeyKind::kTopic, record.topic.value));
  catalog_.apply(record);
}

}  // namespace weir::core
