#include "broker/core/row_codec.hpp"

#include "broker/core/row_messages.hpp"
#include "proto/limits.hpp"
#include "proto/planted_bugs.hpp"
#include "weir/storage/v1/rows.pb.h"

#include <algorithm>
#include <functional>
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

template <class Row, class Definition>
proto::Result<Definition> decode_definition(std::string_view bytes, const char* what) {
  const auto row = parse<Row>(bytes, what);
  if (!row) {
    return row.error();
  }
  auto definition = messages::read(*row);
  if (!definition) {
    return damaged(what);
  }
  return *std::move(definition);
}

}  // namespace

std::string encode(const NamespaceCreated& row) {
  pb::NamespaceRow out;
  messages::write(row, out);
  return out.SerializeAsString();
}

std::string encode(const QueueCreated& row) {
  pb::QueueRow out;
  messages::write(row, out);
  return out.SerializeAsString();
}

std::string encode(const TopicCreated& row) {
  pb::TopicRow out;
  messages::write(row, out);
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
  out.set_purged_before(row.purged_before);
  out.set_delayed_messages(row.lane.messages);
  out.set_delayed_bytes(row.lane.bytes);
  out.set_next_delayed_offset(
      row.lane.next_offset > Queue::DelayLane::kFirstOffset ? row.lane.next_offset : 0);
  out.mutable_deduplication_parts()->Add(row.deduplication_parts.begin(),
                                         row.deduplication_parts.end());
  return out.SerializeAsString();
}

std::string encode(const TouchedBatch& batch, bool is_cold) {
  pb::TouchedBatchRow out;
  messages::write(batch, out);
  out.set_cold(is_cold);
  return out.SerializeAsString();
}

std::string encode(const SharedAttempt& row) {
  pb::AttemptRow out;
  messages::write(row.attempt, out);
  out.set_messages(row.messages > 1 ? row.messages : 0);
  return out.SerializeAsString();
}

std::string encode(const Redrive& row) {
  pb::RedriveRow out;
  messages::write(row, out);
  return out.SerializeAsString();
}

std::string encode(const DelayIndex& row) {
  pb::DelayIndexRow out;
  out.set_due(row.due);
  out.set_count(row.count);
  return out.SerializeAsString();
}

std::string encode(const KnownMessage& row) {
  pb::DeduplicationRow out;
  out.set_offset(row.offset);
  out.set_time(row.time);
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
    messages::write(sent.parts, *to.mutable_parts());
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
  return decode_definition<pb::NamespaceRow, NamespaceCreated>(bytes, "namespace");
}

proto::Result<QueueCreated> decode_queue(std::string_view bytes) {
  return decode_definition<pb::QueueRow, QueueCreated>(bytes, "queue");
}

proto::Result<TopicCreated> decode_topic(std::string_view bytes) {
  return decode_definition<pb::TopicRow, TopicCreated>(bytes, "topic");
}

namespace {

/// Times, and one behind the other.
template <class Parts>
bool are_parts(const Parts& parts) {
  return std::ranges::adjacent_find(parts, std::greater_equal<>()) == parts.end() &&
         (parts.empty() ||
          (*parts.begin() >= 0 && *parts.rbegin() <= INT64_MAX - 2 * proto::kMaxDeduplicationMs));
}

}  // namespace

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
  counters.purged_before = row->purged_before();
  counters.lane.messages = row->delayed_messages();
  counters.lane.bytes = row->delayed_bytes();
  if (row->next_delayed_offset() != 0) {
    counters.lane.next_offset = row->next_delayed_offset();
  }
  if (!WEIR_PLANTED(forget_deduplication_at_restart)) {
    counters.deduplication_parts.assign(row->deduplication_parts().begin(),
                                        row->deduplication_parts().end());
  }
  if (counters.cursor < 0 || counters.cursor > counters.next_offset || counters.purged_before < 0 ||
      counters.purged_before > counters.cursor ||
      counters.lane.next_offset < Queue::DelayLane::kFirstOffset ||
      !are_parts(row->deduplication_parts())) {
    return damaged("queue state");
  }
  return counters;
}

proto::Result<TouchedRow> decode_touched(std::string_view bytes, proto::Offset last_offset) {
  const auto row = parse<pb::TouchedBatchRow>(bytes, "touched batch");
  if (!row) {
    return row.error();
  }
  auto batch = messages::read(*row, last_offset);
  if (!batch) {
    return damaged("touched batch");
  }
  return TouchedRow{*std::move(batch), row->cold()};
}

proto::Result<SharedAttempt> decode_attempt(std::string_view bytes, std::uint16_t number) {
  const auto row = parse<pb::AttemptRow>(bytes, "attempt");
  if (!row) {
    return row.error();
  }
  auto attempt = messages::read(*row, number);
  if (!attempt || row->messages() > AttemptSpans::kMaxMessages) {
    return damaged("attempt");
  }
  return SharedAttempt{*std::move(attempt), std::max(row->messages(), 1U)};
}

proto::Result<Redrive> decode_redrive(std::string_view bytes) {
  return decode_definition<pb::RedriveRow, Redrive>(bytes, "redrive");
}

proto::Result<KnownMessage> decode_deduplication(std::string_view bytes) {
  const auto row = parse<pb::DeduplicationRow>(bytes, "deduplication");
  if (!row) {
    return row.error();
  }
  if (row->offset() < 0 || row->time() < 0 ||
      row->time() > INT64_MAX - proto::kMaxDeduplicationMs) {
    return damaged("deduplication");
  }
  return KnownMessage{row->offset(), row->time()};
}

proto::Result<DelayIndex> decode_delay_index(std::string_view bytes) {
  const auto row = parse<pb::DelayIndexRow>(bytes, "delay index");
  if (!row) {
    return row.error();
  }
  if (row->due() < 0 || row->count() == 0 || row->count() > proto::kMaxBatchRecords) {
    return damaged("delay index");
  }
  return DelayIndex{row->due(), row->count()};
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
  if (WEIR_PLANTED(reuse_offsets_after_restart) && partition.next_offset > partition.log_start) {
    --partition.next_offset;
  }
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
    auto parts = messages::read(from.parts(), from.count());
    if (!parts) {
      return damaged("producer window");
    }
    window.batches.push_back({static_cast<std::int32_t>(from.base_sequence()), from.count(),
                              from.base_offset(), from.append_time(), *std::move(parts)});
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
