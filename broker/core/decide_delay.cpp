#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/planted_bugs.hpp"

#include <map>
#include <string>
#include <utility>

// Decisions about messages that are put off: into the delay lane, out of it when they are due, and
// what people do with them before.
namespace weir::core {
namespace {

/// The end of the stretch of messages that are due then, as the one at `first` is.
std::uint32_t end_of_due(const QueueSettings& settings, const proto::BatchColumns& columns,
                         std::uint32_t first, proto::TimeMs due, proto::TimeMs now) {
  std::uint32_t end = first + 1;
  while (end < columns.count() && due_of(settings, columns, end, now) == due) {
    ++end;
  }
  return end;
}

DelayEnded ended(proto::QueueId queue, const DelayedBatch& row) {
  return {queue, row.due, row.batch.last_offset, row.count(), row.batch.stored_bytes};
}

}  // namespace

ShardState::SendDecision ShardState::decide_delayed(const Queue& queue, SendBatch& command,
                                                    proto::TimeMs now) const {
  const QueueSettings& settings = queue.definition().settings;
  const proto::BatchColumns& columns = command.columns;
  SendDecision decision;
  decision.base_offset = queue.counters().lane.next_offset;
  decision.append_time = now;
  CachedBatch whole;
  whole.base_offset = decision.base_offset;
  whole.last_offset = decision.base_offset + columns.count() - 1;
  whole.append_time = now;
  whole.base_timestamp = columns.header.base_timestamp;
  const proto::SharedBytes bytes =
      stamped(std::move(command.stored), {proto::StoredKind::kData, now, -1}, decision.base_offset,
              identity_.epoch);
  for (std::uint32_t first = 0; first < columns.count();) {
    const proto::TimeMs due = due_of(settings, columns, first, now);
    const std::uint32_t end = end_of_due(settings, columns, first, due, now);
    if (end - first == columns.count()) {
      decision.more.emplace_back(
          Delayed{queue.id(), due, decision.base_offset, columns.count(), now, bytes});
      break;
    }
    if (whole.records.empty()) {
      whole.records = columns.records;
      whole.batch =
          bytes.slice(proto::kStoredHeaderBytes, bytes.size() - proto::kStoredHeaderBytes);
    }
    decision.more.emplace_back(part_of(queue.id(), whole, first, end, due, identity_.epoch));
    first = end;
  }
  take_sequence(command, decision);
  return decision;
}

ShardState::Records ShardState::decide_due(proto::QueueId queue_id,
                                           std::span<const DelayedBatch> rows,
                                           proto::TimeMs now) const {
  Records records;
  struct Ready {
    RebuiltBatch copies;
    LogEnd end;
  };
  std::map<proto::LaneTag, Ready> lanes;
  const auto append = [&](Ready& ready) {
    BatchAppended appended = append_of(ready.copies, ready.end, identity_.epoch, now);
    ready.end.go_on(appended.count);
    if (!WEIR_PLANTED(due_without_copy)) {
      records.emplace_back(std::move(appended));
    }
  };
  for (const DelayedBatch& row : rows) {
    if (row.due > now + (WEIR_PLANTED(due_a_second_early) ? 1000 : 0)) {
      break;
    }
    for (std::uint32_t i = 0; i < row.count(); ++i) {
      const proto::LaneTag tag = lane_for(queue_id, record_at(row.batch, i));
      auto lane = lanes.find(tag);
      if (lane == lanes.end()) {
        RebuiltBatch copies(queue_id, identity_.incarnation, now);
        lane = lanes.emplace(tag, Ready{std::move(copies), end_of_lane(queue_id, tag)}).first;
      }
      Ready& ready = lane->second;
      if (!ready.copies.add(row.batch, i, {})) {
        append(ready);
        (void)ready.copies.add(row.batch, i, {});  // an empty one takes any message
      }
    }
    if (!WEIR_PLANTED(due_without_delete)) {
      records.emplace_back(ended(queue_id, row));
    }
  }
  for (auto& [tag, ready] : lanes) {
    append(ready);
  }
  return records;
}

ShardState::Records ShardState::decide_take(proto::QueueId queue, const DelayedBatch& row,
                                            std::span<const std::uint32_t> indexes,
                                            std::optional<proto::TimeMs> due) const {
  Records records;
  records.emplace_back(ended(queue, row));
  const auto put = [&](std::uint32_t first, std::uint32_t end, proto::TimeMs when) {
    if (first < end) {
      records.emplace_back(part_of(queue, row.batch, first, end, when, identity_.epoch));
    }
  };
  std::uint32_t next = 0;  // the first that was not looked at
  for (std::size_t i = 0; i < indexes.size();) {
    const std::uint32_t first = indexes[i];
    std::uint32_t end = first;
    while (i < indexes.size() && indexes[i] == end) {
      ++end;
      ++i;
    }
    put(next, first, row.due);
    if (due) {
      put(first, end, *due);
    }
    next = end;
  }
  put(next, row.count(), row.due);
  return records;
}

proto::Result<proto::Offset> ShardState::find_delayed(const Queue& queue,
                                                      std::string_view message_id) const {
  const auto place = proto::parse_message_id(message_id);
  if (!place) {
    return proto::fail(proto::Errc::kInvalidArgument, "this is no id of a message");
  }
  const Queue::DelayLane& lane = queue.counters().lane;
  if (place->incarnation != identity_.incarnation || place->object != queue.id().value ||
      place->offset < Queue::DelayLane::kFirstOffset || place->offset >= lane.next_offset) {
    return proto::fail(proto::Errc::kMessageNotFound,
                       "no message of queue '" + queue.definition().name +
                           "' with that id was put off when it was sent");
  }
  return place->offset;
}

void ShardState::learn_next_delay_due(proto::QueueId queue_id, proto::TimeMs when) {
  queues_.at(queue_id).learn_next_delay_due(when);
  by_delay_due_.set(queue_id, when);
}

}  // namespace weir::core
