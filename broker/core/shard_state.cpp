#include "broker/core/shard_state.hpp"

#include <algorithm>

namespace weir::core {

const Queue* ShardState::queue(proto::QueueId id) const {
  const auto it = queues_.find(id);
  return it != queues_.end() ? &it->second : nullptr;
}

std::span<const proto::LaneTag> ShardState::lanes(proto::QueueId queue) const {
  const auto it = lanes_.find(queue);
  return it != lanes_.end() ? std::span<const proto::LaneTag>(it->second.tags)
                            : std::span<const proto::LaneTag>();
}

ShardState::Totals ShardState::totals(proto::QueueId queue) const {
  Totals totals;
  for_each_lane(queue, [&](const Queue& lane) {
    totals.messages += lane.messages();
    totals.bytes += lane.bytes();
    totals.in_flight += lane.counters().runs.leased + lane.counters().runs.dying;
  });
  return totals;
}

proto::TimeMs ShardState::next_due(proto::QueueId queue) const {
  proto::TimeMs next = TouchedBatch::kNever;
  for_each_lane(queue, [&](const Queue& lane) { next = std::min(next, lane.next_due()); });
  return next;
}

proto::TimeMs ShardState::next_due_after(proto::QueueId queue, proto::TimeMs now) const {
  proto::TimeMs next = TouchedBatch::kNever;
  for_each_lane(queue, [&](const Queue& lane) {
    if (lane.next_due() > now) {
      next = std::min(next, lane.next_due());
    }
  });
  return next;
}

const Partition* ShardState::partition(proto::PartitionId id) const {
  const auto it = partitions_.find(id);
  return it != partitions_.end() ? &it->second : nullptr;
}

void ShardState::set_place(std::uint32_t shard, std::uint32_t epoch) {
  identity_.shard = shard;
  identity_.epoch = epoch;
}

proto::TimeMs ShardState::next_deadline() const {
  const auto& ranked = by_deadline_.ranked();
  return ranked.empty() ? TouchedBatch::kNever : ranked.begin()->first;
}

QueueInfo ShardState::info(const Queue& queue, proto::TimeMs now) const {
  const QueueCreated& definition = queue.definition();
  QueueInfo info;
  info.name = definition.name;
  info.uuid = definition.uuid;
  info.id = definition.id;
  info.settings = definition.settings;
  info.pause = definition.pause;
  for_each_lane(queue.id(), [&](const Queue& lane) {
    const Queue::Counters& counters = lane.counters();
    info.in_flight += counters.runs.leased;
    const std::uint64_t put_back = lane.delayed(now);
    info.delayed += put_back + counters.lane.messages;
    info.ready += lane.fresh() + counters.runs.returned - put_back;
    info.dying += counters.runs.dying;
    info.parked += counters.runs.parked;
    info.bytes += lane.bytes();
    info.next_offset += counters.next_offset - proto::first_offset(proto::lane_tag(lane.id()));
    const proto::TimeMs oldest = lane.oldest_append_time();
    if (oldest != 0 && (info.oldest_append_time == 0 || oldest < info.oldest_append_time)) {
      info.oldest_append_time = oldest;
    }
  });
  return info;
}

NamespaceInfo ShardState::info(proto::NamespaceId name_space) const {
  const Catalog::Contents contents = catalog_.contents(name_space);
  return {catalog_.namespace_name(name_space), name_space, contents.queues, contents.topics};
}

TopicInfo ShardState::info(const TopicCreated& topic) const {
  TopicInfo info;
  info.name = topic.name;
  info.uuid = topic.uuid;
  info.id = topic.id;
  info.settings.partitions = static_cast<std::uint32_t>(topic.partitions.size());
  for (const proto::PartitionId id : topic.partitions) {
    const Partition& partition = partitions_.at(id);
    info.partitions.push_back({partition.index, partition.log_start, partition.high_watermark,
                               partition.last_stable(), partition.leader_epoch, partition.bytes});
  }
  return info;
}

}  // namespace weir::core
