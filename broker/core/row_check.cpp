#include "broker/core/row_check.hpp"

#include "broker/core/row_codec.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/hex.hpp"
#include "proto/lanes.hpp"
#include "storage/row_digest.hpp"

#include <algorithm>
#include <compare>
#include <optional>
#include <tuple>

namespace weir::core {

using proto::Errc;
using proto::fail;
using storage::BatchKey;
using storage::KeyKind;
using storage::MetaRow;

namespace {

constexpr std::size_t kShownKeyBytes = 40;

std::string hex(std::string_view bytes) {
  std::string text;
  proto::append_hex(text, bytes.substr(0, kShownKeyBytes));
  return text;
}

proto::Error damaged_row(std::string_view key, std::string_view what) {
  return fail(Errc::kCorruptBatch,
              "the row with key " + hex(key) + " is damaged: " + std::string(what));
}

proto::Error unknown_row(std::string_view key) {
  return fail(Errc::kUnsupported, "a row has a key that this version does not know: " + hex(key));
}

proto::Error without_object(std::string_view key) {
  return damaged_row(key, "what it belongs to is missing, or its key is malformed");
}

template <class T>
proto::Error in_row(std::string_view key, const proto::Result<T>& decoded) {
  return damaged_row(key, decoded.error().message);
}

auto place(const BatchKey& key) {
  return std::tuple(key.id, key.generation, key.last_offset);
}

/// A number for a row of the delay lane, such that sums of different rows differ.
std::uint64_t mixed(proto::TimeMs due, proto::Offset last_offset, std::uint32_t count) {
  return storage::avalanche(
      static_cast<std::uint64_t>(due) ^
      storage::avalanche(static_cast<std::uint64_t>(last_offset) ^ storage::avalanche(count)));
}

proto::Error damaged_log(std::string_view name, proto::Offset at, std::string_view what) {
  return fail(Errc::kCorruptBatch, std::string(name) + " is damaged at offset " +
                                       std::to_string(at) + ": " + std::string(what));
}

}  // namespace

proto::Result<> RowCheck::add(storage::Family family, std::string_view key,
                              std::string_view value) {
  return family == storage::Family::kState ? add_state(key, value) : add_message_data(key, value);
}

proto::Result<> RowCheck::add_state(std::string_view key, std::string_view value) {
  const auto kind = key.empty() ? KeyKind{} : static_cast<KeyKind>(key.front());
  switch (kind) {
    case KeyKind::kMeta:
      return add_meta(key, value);
    case KeyKind::kNamespace:
    case KeyKind::kQueue:
    case KeyKind::kTopic:
      return add_definition(kind, key, value);
    case KeyKind::kQueueState:
      return add_queue_state(key, value);
    case KeyKind::kTouchedBatch:
      return add_touched(key, value);
    case KeyKind::kReturnedIndex:
    case KeyKind::kTimeIndex:
      return add_timed(kind, key);
    case KeyKind::kAttempt:
      return add_attempt(key, value);
    case KeyKind::kRedrive:
      return add_redrive(key, value);
    case KeyKind::kDelayIndex:
      return add_delay_index(key, value);
    case KeyKind::kDeduplication:
      return add_deduplication(key, value);
    case KeyKind::kPartitionState:
      return add_partition(key, value);
    case KeyKind::kProducer:
    case KeyKind::kProducerWindow:
      return add_producer(kind, key, value);
    case KeyKind::kDelayed:  // of the other family
      break;
  }
  return unknown_row(key);
}

proto::Result<> RowCheck::add_message_data(std::string_view key, std::string_view value) {
  const auto kind = key.empty() ? KeyKind{} : static_cast<KeyKind>(key.front());
  switch (kind) {
    case KeyKind::kBatch:
      return add_batch(key, value);
    case KeyKind::kDelayed:
      return add_delayed(key, value);
    default:
      return unknown_row(key);
  }
}

proto::Result<> RowCheck::add_meta(std::string_view key, std::string_view value) {
  if (key != storage::meta_key(MetaRow::kAllocator)) {
    return unknown_row(key);
  }
  const auto values = rows::decode_allocator(value);
  if (!values) {
    return in_row(key, values);
  }
  incarnation_ = values->incarnation;
  return {};
}

proto::Result<> RowCheck::add_definition(KeyKind kind, std::string_view key,
                                         std::string_view value) {
  const auto id = storage::parse_object_key(kind, key);
  if (kind == KeyKind::kNamespace) {
    const auto row = rows::decode_namespace(value);
    if (!row || id != row->id.value) {
      return row ? without_object(key) : in_row(key, row);
    }
    ++counts_.namespaces;
    namespaces_.insert(row->id.value);
    return {};
  }
  if (kind == KeyKind::kQueue) {
    const auto row = rows::decode_queue(value);
    if (!row || id != row->id.value || !namespaces_.contains(row->name_space.value)) {
      return row ? without_object(key) : in_row(key, row);
    }
    ++counts_.queues;
    logs_[row->id.value] = {.is_queue = true,
                            .name = "queue '" + row->name + "'",
                            .generation = Queue::Counters{}.generation};
    return {};
  }
  const auto row = rows::decode_topic(value);
  if (!row || id != row->id.value || !namespaces_.contains(row->name_space.value)) {
    return row ? without_object(key) : in_row(key, row);
  }
  ++counts_.topics;
  std::uint32_t index = 0;
  for (const proto::PartitionId partition : row->partitions) {
    ++counts_.partitions;
    logs_[partition.value] = {.name = "partition " + std::to_string(index++) + " of topic '" +
                                      row->name + "'"};
  }
  return {};
}

proto::Result<> RowCheck::add_queue_state(std::string_view key, std::string_view value) {
  const auto id = storage::parse_object_key(KeyKind::kQueueState, key);
  Log* const log = id ? find_lane(*id) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto row = rows::decode_counters(value);
  if (!row) {
    return in_row(key, row);
  }
  if (!proto::is_in_lane(proto::QueueId{*id}, row->cursor) ||
      !proto::is_in_lane(proto::QueueId{*id}, row->next_offset)) {
    return damaged_row(key, "its offsets are of another lane");
  }
  if (proto::lane_tag(proto::QueueId{*id}) != 0 && row->generation != log->generation) {
    return damaged_row(key, "it is of another life than its queue");
  }
  log->generation = row->generation;
  log->start = log->reached = row->cursor;
  log->next_offset = row->next_offset;
  log->bytes = row->bytes;
  log->runs = row->runs;
  log->lane = row->lane;
  log->deduplication_parts = row->deduplication_parts;
  log->has_state = true;
  return {};
}

proto::Result<> RowCheck::add_touched(std::string_view key, std::string_view value) {
  const auto at = storage::parse_batch_key(KeyKind::kTouchedBatch, key);
  Log* const log = at ? find_log(at->id) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto row = rows::decode_touched(value, at->last_offset);
  if (!row) {
    return in_row(key, row);
  }
  if (at->generation != log->generation) {
    return {};  // of a life that was purged
  }
  const RunCounts& counts = row->batch.counts();
  log->found_runs.leased += counts.leased;
  log->found_runs.returned += counts.returned;
  log->found_runs.dying += counts.dying;
  log->found_runs.parked += counts.parked;
  touched_.push_back({*at, row->batch.base_offset(), row->batch.bytes()});
  return {};
}

proto::Result<> RowCheck::add_timed(KeyKind kind, std::string_view key) {
  const auto at = storage::parse_timed_batch_key(kind, key);
  const Log* const log = at ? find_log(at->id) : nullptr;
  if (log == nullptr || log->is_queue != (kind == KeyKind::kReturnedIndex)) {
    return without_object(key);
  }
  if (kind == KeyKind::kReturnedIndex && at->generation == log->generation && !has_touched(*at)) {
    return damaged_log(log->name, at->last_offset, "what is known of returned messages is missing");
  }
  return {};
}

proto::Result<> RowCheck::add_attempt(std::string_view key, std::string_view value) {
  const auto at = storage::parse_attempt_key(key);
  const Log* const log = at ? find_log(at->queue.value) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto row = rows::decode_attempt(value, at->attempt);
  if (!row) {
    return in_row(key, row);
  }
  if (at->generation == log->generation && !is_touched(*at, row->messages)) {
    return damaged_log(log->name, at->offset, "the message that was attempted is missing");
  }
  return {};
}

proto::Result<> RowCheck::add_redrive(std::string_view key, std::string_view value) {
  const auto id = storage::parse_object_key(KeyKind::kRedrive, key);
  const Log* const log = id ? find_log(*id) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto row = rows::decode_redrive(value);
  if (!row) {
    return in_row(key, row);
  }
  std::vector<proto::Offset> ends = row->further_ends;
  ends.push_back(row->end);
  const bool has_lanes = std::ranges::all_of(ends, [&](proto::Offset end) {
    const Log* const lane = find_log(proto::lane_of(row->source, end).value);
    return lane != nullptr && end <= lane->next_offset;
  });
  if (row->source.value != *id || !has_lanes) {
    return damaged_row(key, "the redrive is one of other messages");
  }
  return {};
}

proto::Result<> RowCheck::add_delay_index(std::string_view key, std::string_view value) {
  const auto at = storage::parse_batch_key(KeyKind::kDelayIndex, key);
  Log* const log = at ? find_log(at->id) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto row = rows::decode_delay_index(value);
  if (!row) {
    return in_row(key, row);
  }
  if (at->generation == log->generation) {
    log->index_difference += mixed(row->due, at->last_offset, row->count);
  }
  return {};
}

proto::Result<> RowCheck::add_deduplication(std::string_view key, std::string_view value) {
  const auto at = storage::parse_deduplication_key(key);
  const Log* const log = at ? find_log(at->queue.value) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto row = rows::decode_deduplication(value);
  if (!row) {
    return in_row(key, row);
  }
  if (at->generation != log->generation) {
    return {};  // of a life that was purged
  }
  if (row->offset >= log->next_offset || row->time < at->part ||
      std::ranges::find(log->deduplication_parts, at->part) == log->deduplication_parts.end()) {
    return damaged_row(key, "it is of a message, or of a time, that is not there");
  }
  return {};
}

proto::Result<> RowCheck::add_partition(std::string_view key, std::string_view value) {
  const auto id = storage::parse_object_key(KeyKind::kPartitionState, key);
  Log* const log = id ? find_log(*id) : nullptr;
  if (log == nullptr || log->is_queue) {
    return without_object(key);
  }
  Partition row;
  if (const auto decoded = rows::decode_partition(value, row); !decoded) {
    return in_row(key, decoded);
  }
  log->start = log->reached = row.log_start;
  log->next_offset = row.next_offset;
  log->bytes = row.bytes;
  log->has_state = true;
  return {};
}

proto::Result<> RowCheck::add_producer(KeyKind kind, std::string_view key, std::string_view value) {
  if (kind == KeyKind::kProducer) {
    const auto id = storage::parse_object_key(kind, key);
    const auto row = rows::decode_producer(value);
    if (!id || !row) {
      return row ? without_object(key) : in_row(key, row);
    }
    ++counts_.producers;
    producers_.insert(*id);
    return {};
  }
  const auto at = storage::parse_producer_window_key(key);
  if (!at || !producers_.contains(at->producer.value) || find_log(at->log.value) == nullptr) {
    return without_object(key);
  }
  const auto row = rows::decode_window(value);
  return row ? proto::Result<>() : in_row(key, row);
}

/// The batch of one row, its checksums and records looked at.
proto::Result<RowCheck::Batch> RowCheck::read_batch(const Log& log, proto::Offset last_offset,
                                                    std::string_view value) {
  const auto damaged = [&](std::string_view what) {
    return damaged_log(log.name, last_offset, what);
  };
  const auto stored = proto::parse_stored_batch(value, /*verify_records=*/true);
  if (!stored) {
    return damaged(stored.error().message);
  }
  const auto header = proto::parse_batch_header(stored->batch);
  if (!header) {
    return damaged(header.error().message);
  }
  const Batch batch{header->base_offset, stored->header.prev_last_offset,
                    static_cast<std::uint32_t>(header->record_count)};
  if (header->last_offset() != last_offset || batch.previous >= batch.base_offset) {
    return damaged("the batch belongs to other offsets");
  }
  if (log.is_queue || header->compression() == proto::Compression::kNone) {
    if (const auto columns = proto::read_columns(stored->batch); !columns) {
      return damaged(columns.error().message);
    }
  }
  ++counts_.batches;
  counts_.records += batch.records;
  return batch;
}

proto::Result<> RowCheck::add_batch(std::string_view key, std::string_view value) {
  const auto at = storage::parse_batch_key(KeyKind::kBatch, key);
  Log* const log = at ? find_log(at->id) : nullptr;
  if (log == nullptr) {
    return without_object(key);
  }
  const auto batch = read_batch(*log, at->last_offset, value);
  if (!batch) {
    return batch.error();
  }
  if (log->is_queue && at->generation != log->generation) {
    return {};  // of a life that was purged
  }
  log->found_bytes += value.size();
  if (const auto matched = match_touched(*at, batch->base_offset, value.size(), *log); !matched) {
    return matched;
  }
  return go_on(*log, batch->base_offset, at->last_offset, batch->previous);
}

proto::Result<> RowCheck::add_delayed(std::string_view key, std::string_view value) {
  const auto at = storage::parse_timed_batch_key(KeyKind::kDelayed, key);
  Log* const log = at ? find_log(at->id) : nullptr;
  if (log == nullptr || !log->is_queue) {
    return without_object(key);
  }
  const auto batch = read_batch(*log, at->last_offset, value);
  if (!batch) {
    return batch.error();
  }
  if (at->generation != log->generation) {
    return {};  // of a life that was purged
  }
  if (at->last_offset >= log->lane.next_offset) {
    return damaged_log(log->name, at->last_offset, "what is put off lies behind its end");
  }
  log->found_lane.messages += batch->records;
  log->found_lane.bytes += value.size();
  log->index_difference -= mixed(at->when, at->last_offset, batch->records);
  return {};
}

// Batches and what is known of them come in the same order, and none of the latter is passed by.
proto::Result<> RowCheck::match_touched(const BatchKey& key, proto::Offset base_offset,
                                        std::uint64_t bytes, const Log& log) {
  if (next_touched_ == touched_.size()) {
    return {};
  }
  const Touched& next = touched_[next_touched_];
  if (place(next.key) > place(key)) {
    return {};
  }
  if (place(next.key) < place(key)) {
    return damaged_log(find_log(next.key.id)->name, next.key.last_offset,
                       "a batch of which messages were handed out is missing");
  }
  ++next_touched_;
  if (next.base_offset != base_offset || next.bytes != bytes) {
    return damaged_log(log.name, key.last_offset,
                       "the batch is not the one of which messages were handed out");
  }
  return {};
}

// Offsets of a queue are dense; batches in front of its cursor go one by one. Those of a topic may
// have gaps that the batch behind them owns up to.
proto::Result<> RowCheck::go_on(Log& log, proto::Offset base, proto::Offset last,
                                proto::Offset previous) {
  const proto::Offset last_before = std::exchange(log.last_offset, last);
  if (base <= last_before || last >= log.next_offset) {
    return damaged_log(log.name, base, "a batch lies across another, or behind the log's end");
  }
  if (last < log.reached) {
    return log.is_queue ? proto::Result<>()
                        : damaged_log(log.name, base, "a batch lies before the log's start");
  }
  const bool goes_on =
      log.is_queue ? base <= log.reached : previous < log.reached && previous >= last_before;
  if (!goes_on) {
    return damaged_log(log.name, log.reached,
                       "batches are missing up to offset " + std::to_string(base));
  }
  log.reached = last + 1;
  return {};
}

bool RowCheck::has_touched(const storage::TimedBatchKey& key) const {
  const BatchKey wanted{.id = key.id, .generation = key.generation, .last_offset = key.last_offset};
  return std::binary_search(
      touched_.begin(), touched_.end(), Touched{.key = wanted},
      [](const Touched& a, const Touched& b) { return place(a.key) < place(b.key); });
}

bool RowCheck::is_touched(const storage::AttemptKey& key, std::uint32_t messages) const {
  const auto wanted = std::tuple(key.queue.value, key.generation, key.offset);
  const auto found = std::partition_point(
      touched_.begin(), touched_.end(),
      [&wanted](const Touched& touched) { return place(touched.key) < wanted; });
  return found != touched_.end() && found->key.id == key.queue.value &&
         found->key.generation == key.generation && found->base_offset <= key.offset &&
         found->key.last_offset - key.offset >= static_cast<proto::Offset>(messages) - 1;
}

RowCheck::Log* RowCheck::find_log(std::uint64_t id) {
  const auto found = logs_.find(id);
  return found != logs_.end() ? &found->second : nullptr;
}

/// The log of a queue's state row, which for lanes is the first row to tell of them.
RowCheck::Log* RowCheck::find_lane(std::uint64_t id) {
  const proto::QueueId lane{id};
  const auto home = logs_.find(proto::home_of(lane).value);
  if (home == logs_.end() || !home->second.is_queue || home->first == id ||
      !proto::is_in_lane(lane, proto::first_offset(proto::lane_tag(lane)))) {
    return find_log(id);
  }
  return &logs_
              .try_emplace(id, Log{.is_queue = true,
                                   .name = home->second.name,
                                   .generation = home->second.generation})
              .first->second;
}

proto::Result<> RowCheck::finish() {
  if (next_touched_ < touched_.size()) {
    const BatchKey& key = touched_[next_touched_].key;
    return damaged_log(find_log(key.id)->name, key.last_offset,
                       "a batch of which messages were handed out is missing");
  }
  for (const auto& [id, log] : logs_) {
    if (!log.has_state) {
      return fail(Errc::kCorruptBatch,
                  log.name + " is damaged: the row with its numbers is missing");
    }
    if (log.reached != log.next_offset) {
      return damaged_log(log.name, log.reached,
                         "batches are missing up to offset " + std::to_string(log.next_offset));
    }
    if (log.index_difference != 0) {
      return fail(Errc::kCorruptBatch,
                  log.name + " is damaged: what is put off and its index do not agree");
    }
    if (log.found_bytes != log.bytes || log.found_runs != log.runs ||
        log.found_lane.messages != log.lane.messages || log.found_lane.bytes != log.lane.bytes) {
      return fail(Errc::kCorruptBatch,
                  log.name + " is damaged: its numbers are not those of its batches");
    }
  }
  return {};
}

}  // namespace weir::core
