#include "broker/core/delayed_batch.hpp"

#include "broker/core/rebuilt_batch.hpp"
#include "proto/batch/stored_batch.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace weir::core {

bool is_put_off(const QueueSettings& settings, const proto::BatchColumns& columns) {
  if (columns.delays_ms.empty()) [[likely]] {
    return settings.delay_ms > 0;
  }
  return std::ranges::any_of(columns.delays_ms, [&](std::int64_t delay_ms) {
    return (delay_ms == proto::BatchColumns::kNoDelay ? settings.delay_ms : delay_ms) > 0;
  });
}

proto::TimeMs due_of(const QueueSettings& settings, const proto::BatchColumns& columns,
                     std::uint32_t index, proto::TimeMs now) {
  const bool asks =
      index < columns.delays_ms.size() && columns.delays_ms[index] != proto::BatchColumns::kNoDelay;
  return now + (asks ? columns.delays_ms[index] : settings.delay_ms);
}

Delayed part_of(proto::QueueId queue, const CachedBatch& batch, std::uint32_t first,
                std::uint32_t end, proto::TimeMs due, std::uint32_t epoch) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (std::uint32_t i = first; i < end; ++i) {
    const proto::RecordView record = record_at(batch, i);
    proto::RecordInput input;
    input.key = record.key;
    input.value = record.value;
    input.headers = record.headers;
    input.timestamp = proto::timestamp_of(batch.base_timestamp, record);
    builder.add(input);
  }
  Delayed part;
  part.queue = queue;
  part.due = due;
  part.base_offset = batch.base_offset + first;
  part.count = end - first;
  part.time = batch.append_time;
  part.stored = finish_rebuilt(builder, part.base_offset, -1, epoch, part.time);
  return part;
}

}  // namespace weir::core
