#include "storage/log/partition_log.hpp"

#include "proto/batch/record_batch.hpp"
#include "storage/key_codec.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;
using proto::Offset;

Key batch_row(LogRef log, Offset last_offset) {
  return batch_key(KeyKind::kBatch, log.id.value, log.generation, last_offset);
}

Key index_row(LogRef log, proto::TimeMs time, Offset last_offset) {
  return timed_batch_key(KeyKind::kTimeIndex, log.id.value, log.generation, time, last_offset);
}

std::string end_of(KeyKind kind, LogRef log) {
  return prefix_end(generation_prefix(kind, log.id.value, log.generation));
}

proto::Error damaged(LogRef log, Offset at, std::string_view what) {
  return fail(Errc::kCorruptBatch, "log " + std::to_string(log.id.value) + " generation " +
                                       std::to_string(log.generation) + " is damaged at offset " +
                                       std::to_string(at) + ": " + std::string(what));
}

// The row that the scan stands on. Key and content must agree: a value in another's place is
// damage.
proto::Result<LogBatch> read_row(LogRef log, const Iterator& scan, bool verify_records) {
  const std::optional<BatchKey> key = parse_batch_key(KeyKind::kBatch, scan.key());
  if (!key) {
    return damaged(log, 0, "a key is malformed");
  }
  proto::SharedBytes stored{std::string(scan.value())};
  const auto view = proto::parse_stored_batch(stored.view(), verify_records);
  if (!view) {
    return damaged(log, key->last_offset, view.error().message);
  }
  const auto header = proto::parse_batch_header(view->batch);
  if (!header) {
    return damaged(log, key->last_offset, header.error().message);
  }
  if (header->last_offset() != key->last_offset ||
      view->header.prev_last_offset >= header->base_offset) {
    return damaged(log, key->last_offset, "the batch belongs to other offsets");
  }
  return LogBatch{.base_offset = header->base_offset,
                  .last_offset = header->last_offset(),
                  .header = view->header,
                  .stored = std::move(stored)};
}

}  // namespace

void append_to_log(WriteBatch& rows, LogRef log, Append append, TimeIndexState& index) {
  index.bytes_since_row += append.stored.size();
  const bool is_due = !index.last_row_time || index.bytes_since_row >= kTimeIndexBytes ||
                      append.append_time - *index.last_row_time >= kTimeIndexMs;
  if (is_due) {
    rows.put(Family::kState, index_row(log, append.append_time, append.last_offset),
             std::string_view());
    index = {.last_row_time = append.append_time, .bytes_since_row = 0};
  }
  rows.put(Family::kLog, batch_row(log, append.last_offset), std::move(append.stored));
}

void truncate_log(WriteBatch& rows, LogRef log, const Truncation& truncation) {
  rows.remove_range(Family::kLog, batch_row(log, truncation.old_start),
                    batch_row(log, truncation.new_start));
  rows.remove_range(Family::kState, index_row(log, 0, 0),
                    index_row(log, truncation.kept_time, truncation.new_start));
}

void delete_log(WriteBatch& rows, LogRef log) {
  rows.remove_range(Family::kLog, batch_row(log, 0), end_of(KeyKind::kBatch, log));
  rows.remove_range(Family::kState, index_row(log, 0, 0), end_of(KeyKind::kTimeIndex, log));
}

proto::Result<LogCursor> LogCursor::open(const Reader& reader, LogRef log, LogBounds bounds,
                                         Offset from, ScanOptions options) {
  if (from < bounds.start || from > bounds.upper) {
    return fail(Errc::kOffsetOutOfRange,
                "offset " + std::to_string(from) + " is outside of the log, which holds " +
                    std::to_string(bounds.start) + " to " + std::to_string(bounds.upper));
  }
  LogCursor cursor(log, bounds, from);
  if (from < bounds.upper) {
    cursor.scan_ =
        reader.scan(Family::kLog, batch_row(log, from), end_of(KeyKind::kBatch, log), options);
  }
  return cursor;
}

proto::Error LogCursor::damage(std::string_view what) const {
  return damaged(log_, position_, what);
}

// nullopt at the end of the bounds. Moves nothing but the scan.
proto::Result<std::optional<LogBatch>> LogCursor::read_one(bool verify_records) {
  if (held_) {
    return std::exchange(held_, std::nullopt);
  }
  if (position_ >= bounds_.upper) {
    return std::optional<LogBatch>();
  }
  if (std::exchange(is_behind_, false)) {
    scan_->next();
  }
  if (!scan_->valid()) {
    if (const proto::Result<> status = scan_->status(); !status) {
      return status.error();
    }
    return damage("batches are missing up to " + std::to_string(bounds_.upper));
  }
  proto::Result<LogBatch> batch = read_row(log_, *scan_, verify_records);
  if (!batch) {
    return batch.error();
  }
  const Offset previous = batch->header.prev_last_offset;
  // The first batch may begin before the cursor, and any may leave a gap that it owns up to.
  const bool is_next = previous_last_ ? previous == *previous_last_ : previous < position_;
  if (!is_next) {
    return damage("the batch before offset " + std::to_string(batch->base_offset) +
                  " is missing: it should end at " + std::to_string(previous));
  }
  if (batch->last_offset >= bounds_.upper) {
    if (batch->base_offset < bounds_.upper) {
      return damage("a batch lies across the high watermark");
    }
    position_ = bounds_.upper;  // a gap that the next batch explains
    return std::optional<LogBatch>();
  }
  return std::optional(std::move(*batch));
}

proto::Result<std::vector<LogBatch>> LogCursor::next(const Piece& piece) {
  std::vector<LogBatch> batches;
  std::size_t bytes = 0;
  while (batches.empty() || bytes < piece.max_bytes) {
    proto::Result<std::optional<LogBatch>> batch = read_one(piece.verify_records);
    if (!batch) {
      // What was read before the damage is good; the next call comes to the error.
      if (batches.empty()) {
        return batch.error();
      }
      break;
    }
    if (!*batch) {
      break;
    }
    if (!batches.empty() && bytes + (*batch)->stored.size() > piece.max_bytes) {
      held_ = std::move(*batch);
      break;
    }
    bytes += (*batch)->stored.size();
    position_ = (*batch)->last_offset + 1;
    previous_last_ = (*batch)->last_offset;
    is_behind_ = true;
    batches.push_back(std::move(**batch));
  }
  return batches;
}

proto::Result<LogCursor> open_log(
    const KeyValueStore& store, LogRef log, Offset upper, Offset from,
    const std::function<proto::Result<Offset>(const Reader&)>& start_of) {
  const std::unique_ptr<Reader> reader = store.snapshot();
  const proto::Result<Offset> start = start_of(*reader);
  if (!start) {
    return start.error();
  }
  return LogCursor::open(*reader, log, {.start = *start, .upper = upper}, from,
                         {.sequential = true});
}

proto::Result<std::optional<LogBatch>> read_batch(const Reader& reader, LogRef log, Offset offset) {
  const auto scan =
      reader.scan(Family::kLog, batch_row(log, offset), end_of(KeyKind::kBatch, log), {});
  if (!scan->valid()) {
    if (const proto::Result<> status = scan->status(); !status) {
      return status.error();
    }
    return std::optional<LogBatch>();
  }
  proto::Result<LogBatch> batch = read_row(log, *scan, /*verify_records=*/false);
  if (!batch) {
    return batch.error();
  }
  if (batch->base_offset > offset) {
    return std::optional<LogBatch>();
  }
  return std::optional(std::move(*batch));
}

proto::Result<std::optional<Offset>> find_by_time(const Reader& reader, LogRef log,
                                                  LogBounds bounds, proto::TimeMs time) {
  // The last index row from before that time: everything up to its batch is older.
  const Key first_not_before = index_row(log, time, 0);
  const auto index = reader.scan(Family::kState, index_row(log, 0, 0), first_not_before, {});
  index->seek_for_prev(first_not_before);
  if (const proto::Result<> status = index->status(); !status) {
    return status.error();
  }
  Offset from = bounds.start;
  if (index->valid()) {
    const auto row = parse_timed_batch_key(KeyKind::kTimeIndex, index->key());
    if (!row) {
      return damaged(log, bounds.start, "a row of the time index is malformed");
    }
    from = std::clamp(row->last_offset + 1, bounds.start, bounds.upper);
  }
  proto::Result<LogCursor> cursor = LogCursor::open(reader, log, bounds, from);
  while (cursor) {
    const auto batches = cursor->next({.max_bytes = 1});
    if (!batches) {
      return batches.error();
    }
    if (batches->empty()) {
      return std::optional<Offset>();
    }
    const LogBatch& batch = batches->front();
    if (batch.header.append_time >= time) {
      return std::optional(std::max(batch.base_offset, bounds.start));
    }
  }
  return cursor.error();
}

}  // namespace weir::storage
