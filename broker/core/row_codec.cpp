#include "broker/core/row_codec.hpp"

#include "weir/storage/v1/rows.pb.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir::core::rows {

namespace pb = weir::storage::v1;
using proto::Errc;
using proto::fail;

namespace {

template <class Row>
proto::Result<Row> parse(std::string_view bytes, const char* what) {
  Row row;
  if (!row.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Errc::kCorruptBatch, std::string("a row of kind '") + what + "' is damaged");
  }
  return row;
}

proto::Error damaged(const char* what) {
  return fail(Errc::kCorruptBatch, std::string("a row of kind '") + what + "' contradicts itself");
}

std::string to_bytes(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.data()), uuid.size()};
}

bool from_bytes(const std::string& bytes, Uuid& uuid) {
  if (bytes.size() != uuid.size()) {
    return false;
  }
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(uuid.data()));
  return true;
}

}  // namespace

std::string encode(const NamespaceCreated& row) {
  pb::NamespaceRow out;
  out.set_id(row.id.value);
  out.set_name(row.name);
  return out.SerializeAsString();
}

std::string encode(const QueueCreated& row) {
  pb::QueueRow out;
  out.set_id(row.id.value);
  out.set_namespace_id(row.name_space.value);
  out.set_name(row.name);
  out.set_uuid(to_bytes(row.uuid));
  out.set_lease_ms(row.settings.lease_ms);
  out.set_max_receive_count(row.settings.max_receive_count);
  out.set_dead_letter_queue(row.settings.dead_letter_queue);
  out.set_dead_letter_queue_id(row.dead_letter_queue.value);
  return out.SerializeAsString();
}

std::string encode(const TopicCreated& row) {
  pb::TopicRow out;
  out.set_id(row.id.value);
  out.set_namespace_id(row.name_space.value);
  out.set_name(row.name);
  out.set_uuid(to_bytes(row.uuid));
  for (const proto::PartitionId partition : row.partitions) {
    out.add_partition_ids(partition.value);
  }
  return out.SerializeAsString();
}

std::string encode(const Queue::Counters& row) {
  pb::QueueStateRow out;
  out.set_generation(row.generation);
  out.set_next_offset(row.next_offset);
  out.set_cursor(row.cursor);
  out.set_prev_last_offset(row.prev_last_offset);
  out.set_leased(row.runs.leased);
  out.set_returned(row.runs.returned);
  out.set_dying(row.runs.dying);
  out.set_parked(row.runs.parked);
  out.set_bytes(row.bytes);
  out.set_cursor_time(row.cursor_time);
  return out.SerializeAsString();
}

std::string encode(const TouchedBatch& row, bool is_cold) {
  pb::TouchedBatchRow out;
  out.set_cold(is_cold);
  out.set_base_offset(row.base_offset());
  out.set_bytes(row.bytes());
  out.set_append_time(row.append_time());
  std::string acked;
  for (const std::uint64_t word : row.acked_words()) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      acked.push_back(static_cast<char>((word >> shift) & 0xff));
    }
  }
  acked.resize(acked.find_last_not_of('\0') + 1);
  out.set_acked(std::move(acked));
  for (const Run& run : row.runs()) {
    pb::RunRow& to = *out.add_runs();
    to.set_first(run.first);
    to.set_count(run.count);
    to.set_state(static_cast<pb::RunState>(run.state));
    to.set_started(run.started);
    to.set_attempts(run.attempts);
    to.set_grant(run.grant.value);
    to.set_nonce(run.nonce);
    to.set_when(run.when);
  }
  return out.SerializeAsString();
}

std::string encode(const Partition& row) {
  pb::PartitionStateRow out;
  out.set_log_start(row.log_start);
  out.set_next_offset(row.next_offset);
  out.set_prev_last_offset(row.prev_last_offset);
  out.set_leader_epoch(row.leader_epoch);
  out.set_bytes(row.bytes);
  if (row.time_index.last_row_time) {
    out.set_index_time(*row.time_index.last_row_time);
  }
  out.set_index_bytes(row.time_index.bytes_since_row);
  return out.SerializeAsString();
}

std::string encode(const ProducerWindow& row) {
  pb::ProducerWindowRow out;
  out.set_epoch(row.epoch);
  for (const SentBatch& sent : row.batches) {
    pb::WindowEntry& to = *out.add_entries();
    to.set_base_sequence(static_cast<std::uint32_t>(sent.base_sequence));
    to.set_count(sent.count);
    to.set_base_offset(sent.base_offset);
    to.set_append_time(sent.append_time);
  }
  return out.SerializeAsString();
}

std::string encode(const ProducerHead& row) {
  pb::ProducerRow out;
  out.set_epoch(row.epoch);
  out.set_used_time(row.used_time);
  return out.SerializeAsString();
}

std::string encode(const AllocatorValues& row) {
  pb::AllocatorRow out;
  out.set_next_object(row.next_object);
  out.set_next_producer(row.next_producer);
  out.set_next_grant(row.next_grant);
  out.set_incarnation(row.incarnation);
  return out.SerializeAsString();
}

proto::Result<NamespaceCreated> decode_namespace(std::string_view bytes) {
  const auto row = parse<pb::NamespaceRow>(bytes, "namespace");
  if (!row) {
    return row.error();
  }
  return NamespaceCreated{proto::NamespaceId{row->id()}, row->name()};
}

proto::Result<QueueCreated> decode_queue(std::string_view bytes) {
  const auto row = parse<pb::QueueRow>(bytes, "queue");
  if (!row) {
    return row.error();
  }
  QueueCreated queue;
  queue.id = proto::QueueId{row->id()};
  queue.name_space = proto::NamespaceId{row->namespace_id()};
  queue.name = row->name();
  queue.settings = {row->lease_ms(), row->max_receive_count(), row->dead_letter_queue()};
  queue.dead_letter_queue = proto::QueueId{row->dead_letter_queue_id()};
  if (!from_bytes(row->uuid(), queue.uuid) || row->max_receive_count() == 0) {
    return damaged("queue");
  }
  return queue;
}

proto::Result<TopicCreated> decode_topic(std::string_view bytes) {
  const auto row = parse<pb::TopicRow>(bytes, "topic");
  if (!row) {
    return row.error();
  }
  TopicCreated topic;
  topic.id = proto::TopicId{row->id()};
  topic.name_space = proto::NamespaceId{row->namespace_id()};
  topic.name = row->name();
  for (const std::uint64_t partition : row->partition_ids()) {
    topic.partitions.emplace_back(partition);
  }
  if (!from_bytes(row->uuid(), topic.uuid) || topic.partitions.empty()) {
    return damaged("topic");
  }
  return topic;
}

proto::Result<Queue::Counters> decode_counters(std::string_view bytes) {
  const auto row = parse<pb::QueueStateRow>(bytes, "queue state");
  if (!row) {
    return row.error();
  }
  Queue::Counters counters;
  counters.generation = row->generation();
  counters.next_offset = row->next_offset();
  counters.cursor = row->cursor();
  counters.prev_last_offset = row->prev_last_offset();
  counters.runs = {row->leased(), row->returned(), row->dying(), row->parked()};
  counters.bytes = row->bytes();
  counters.cursor_time = row->cursor_time();
  if (counters.cursor < 0 || counters.cursor > counters.next_offset) {
    return damaged("queue state");
  }
  return counters;
}

proto::Result<TouchedRow> decode_touched(std::string_view bytes, proto::Offset last_offset) {
  const auto row = parse<pb::TouchedBatchRow>(bytes, "touched batch");
  if (!row) {
    return row.error();
  }
  if (row->base_offset() < 0 || row->base_offset() > last_offset ||
      last_offset - row->base_offset() >= 1'000'000) {
    return damaged("touched batch");
  }
  TouchedBatch batch(row->base_offset(), last_offset, row->bytes(), row->append_time());
  std::vector<std::uint64_t> acked((row->acked().size() + 7) / 8);
  for (std::size_t i = 0; i < row->acked().size(); ++i) {
    acked[i / 8] |= static_cast<std::uint64_t>(static_cast<unsigned char>(row->acked()[i]))
                    << (8 * (i % 8));
  }
  std::vector<Run> runs;
  for (const pb::RunRow& from : row->runs()) {
    if (from.state() < pb::RUN_STATE_LEASED || from.state() > pb::RUN_STATE_PARKED ||
        from.attempts() > UINT16_MAX) {
      return damaged("touched batch");
    }
    Run run;
    run.first = from.first();
    run.count = from.count();
    run.state = static_cast<RunState>(from.state());
    run.started = from.started();
    run.attempts = static_cast<std::uint16_t>(from.attempts());
    run.grant = proto::GrantId{from.grant()};
    run.nonce = from.nonce();
    run.when = from.when();
    runs.push_back(run);
  }
  if (!batch.restore(std::move(acked), std::move(runs)) ||
      (row->cold() && batch.counts().leased + batch.counts().dying > 0)) {
    return damaged("touched batch");
  }
  return TouchedRow{std::move(batch), row->cold()};
}

proto::Result<> decode_partition(std::string_view bytes, Partition& partition) {
  const auto row = parse<pb::PartitionStateRow>(bytes, "partition state");
  if (!row) {
    return row.error();
  }
  partition.log_start = row->log_start();
  partition.next_offset = row->next_offset();
  partition.prev_last_offset = row->prev_last_offset();
  partition.leader_epoch = row->leader_epoch();
  partition.bytes = row->bytes();
  if (row->has_index_time()) {
    partition.time_index.last_row_time = row->index_time();
  }
  partition.time_index.bytes_since_row = row->index_bytes();
  partition.high_watermark = partition.next_offset;
  if (partition.log_start < 0 || partition.log_start > partition.next_offset) {
    return damaged("partition state");
  }
  return {};
}

proto::Result<ProducerWindow> decode_window(std::string_view bytes) {
  const auto row = parse<pb::ProducerWindowRow>(bytes, "producer window");
  if (!row) {
    return row.error();
  }
  if (row->epoch() > UINT16_MAX) {
    return damaged("producer window");
  }
  ProducerWindow window;
  window.epoch = static_cast<std::uint16_t>(row->epoch());
  for (const pb::WindowEntry& from : row->entries()) {
    window.batches.push_back({static_cast<std::int32_t>(from.base_sequence()), from.count(),
                              from.base_offset(), from.append_time()});
  }
  return window;
}

proto::Result<ProducerHead> decode_producer(std::string_view bytes) {
  const auto row = parse<pb::ProducerRow>(bytes, "producer");
  if (!row) {
    return row.error();
  }
  if (row->epoch() > UINT16_MAX) {
    return damaged("producer");
  }
  return ProducerHead{static_cast<std::uint16_t>(row->epoch()), row->used_time()};
}

proto::Result<AllocatorValues> decode_allocator(std::string_view bytes) {
  const auto row = parse<pb::AllocatorRow>(bytes, "allocator");
  if (!row) {
    return row.error();
  }
  return AllocatorValues{row->next_object(), row->next_producer(), row->next_grant(),
                         row->incarnation()};
}

}  // namespace weir::core::rows
