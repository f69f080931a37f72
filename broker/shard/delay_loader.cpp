#include "broker/shard/delay_loader.hpp"

#include "broker/core/row_codec.hpp"
#include "broker/shard/batch_loader.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "storage/key_codec.hpp"

#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

namespace weir::shard {
namespace {

using core::DelayedBatch;
using storage::Family;
using storage::KeyKind;

/// What one move takes: enough for a hundred thousand a second, little for a turn.
constexpr std::size_t kMaxDueBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxDueRows = 1'000;
constexpr std::size_t kMaxListBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxChangeBytes = std::size_t{1} << 20;

std::string end_of(KeyKind kind, const LaneName& lane) {
  return storage::prefix_end(storage::generation_prefix(kind, lane.queue.value, lane.generation));
}

storage::Key key_of(const LaneName& lane, proto::TimeMs due, proto::Offset last_offset) {
  return storage::timed_batch_key(KeyKind::kDelayed, lane.queue.value, lane.generation, due,
                                  last_offset);
}

proto::Result<DelayedBatch> read_row(std::string_view key, std::string_view value) {
  const auto at = storage::parse_timed_batch_key(KeyKind::kDelayed, key);
  if (!at) {
    return proto::fail(proto::Errc::kCorruptBatch, "the key of a message that is put off is none");
  }
  auto batch = read_stored_batch(value, at->last_offset);
  if (!batch) {
    return proto::fail(proto::Errc::kCorruptBatch, batch.error().message);
  }
  return DelayedBatch{at->when, *std::move(batch)};
}

}  // namespace

proto::Result<std::optional<DelayedBatch>> find_delayed(const storage::Reader& reader,
                                                        const LaneName& lane,
                                                        proto::Offset offset) {
  const auto index_key = [&](proto::Offset last_offset) {
    return storage::batch_key(KeyKind::kDelayIndex, lane.queue.value, lane.generation, last_offset);
  };
  // A row holds no more than a batch.
  const auto index = reader.scan(Family::kState, index_key(offset),
                                 index_key(offset + proto::kMaxBatchRecords), {});
  if (!index->valid()) {
    const auto read = index->status();
    return read ? proto::Result<std::optional<DelayedBatch>>(std::nullopt) : read.error();
  }
  const auto at = storage::parse_batch_key(KeyKind::kDelayIndex, index->key());
  const auto row = core::rows::decode_delay_index(index->value());
  if (!at || !row) {
    return row ? proto::fail(proto::Errc::kCorruptBatch, "a key of the index of delays is none")
               : row.error();
  }
  if (at->last_offset - row->count >= offset) {
    return std::optional<DelayedBatch>();  // that one begins behind it
  }
  const storage::Key key = key_of(lane, row->due, at->last_offset);
  const auto value = reader.get(Family::kLog, key);
  if (!value) {
    return value.error();
  }
  if (!*value) {
    return proto::fail(proto::Errc::kCorruptBatch, "what the index of delays names is missing");
  }
  auto found = read_row(key, **value);
  if (!found) {
    return found.error();
  }
  return std::optional(*std::move(found));
}

proto::Result<DueRows> load_due(const storage::Reader& reader, const LaneName& lane,
                                proto::TimeMs until) {
  DueRows loaded;
  std::size_t bytes = 0;
  const auto rows = reader.scan(Family::kLog, key_of(lane, lane.first_due, 0),
                                end_of(KeyKind::kDelayed, lane), {});
  for (; rows->valid(); rows->next()) {
    const auto at = storage::parse_timed_batch_key(KeyKind::kDelayed, rows->key());
    if (at && (at->when > until || bytes >= kMaxDueBytes || loaded.rows.size() == kMaxDueRows)) {
      loaded.next_due = at->when;
      break;
    }
    auto row = read_row(rows->key(), rows->value());
    if (!row && at && !loaded.rows.empty()) {
      loaded.next_due = at->when;
      break;
    }
    if (!row) {
      return row.error();
    }
    bytes += row->batch.stored_bytes;
    loaded.rows.push_back(*std::move(row));
  }
  if (auto read = rows->status(); !read) {
    return read.error();
  }
  return loaded;
}

proto::Result<DelayedRows> load_delayed(const storage::Reader& reader, const LaneName& lane,
                                        std::span<const proto::Offset> offsets) {
  DelayedRows loaded;
  std::vector<DelayedBatch>& rows = loaded.rows;
  std::size_t bytes = 0;
  for (const proto::Offset offset : offsets) {
    if (!rows.empty() && rows.back().batch.last_offset >= offset) {
      continue;
    }
    if (bytes >= kMaxChangeBytes) {
      loaded.end = offset;
      break;
    }
    auto row = find_delayed(reader, lane, offset);
    if (!row) {
      return row.error();
    }
    if (*row) {
      bytes += (*row)->batch.stored_bytes;
      rows.push_back(**std::move(row));
    }
  }
  return loaded;
}

std::string to_token(const DelayedPlace& place) {
  return std::to_string(place.due) + '-' + std::to_string(place.offset);
}

proto::Result<DelayedPlace> parse_token(std::string_view token) {
  DelayedPlace place;
  if (token.empty()) {
    return place;
  }
  const char* const end = token.data() + token.size();
  const auto due = std::from_chars(token.data(), end, place.due);
  if (due.ec == std::errc() && due.ptr != end && *due.ptr == '-') {
    const auto offset = std::from_chars(due.ptr + 1, end, place.offset);
    if (offset.ec == std::errc() && offset.ptr == end && place.due >= 0 && place.offset >= 0 &&
        place.offset < INT64_MAX) {
      return place;
    }
  }
  return proto::fail(proto::Errc::kInvalidArgument, "this is no page token of delayed messages");
}

proto::Result<core::DelayedList> list_delayed(const storage::Reader& reader,
                                              const DelayedWish& wish) {
  core::DelayedList list;
  std::size_t bytes = 0;
  DelayedPlace last;
  const bool is_first = wish.after.due < wish.lane.first_due;
  const auto rows = reader.scan(Family::kLog,
                                is_first ? key_of(wish.lane, wish.lane.first_due, 0)
                                         : key_of(wish.lane, wish.after.due, wish.after.offset + 1),
                                end_of(KeyKind::kDelayed, wish.lane), {});
  for (; rows->valid(); rows->next()) {
    const auto row = read_row(rows->key(), rows->value());
    if (!row && !list.messages.empty()) {
      list.next = to_token(last);
      return list;
    }
    if (!row) {
      return row.error();
    }
    const core::CachedBatch& batch = row->batch;
    for (std::uint32_t i = 0; i < row->count(); ++i) {
      const proto::Offset offset = batch.base_offset + i;
      if (row->due == wish.after.due && offset <= wish.after.offset) {
        continue;
      }
      if (list.messages.size() == wish.max_messages || bytes >= kMaxListBytes) {
        list.next = to_token(last);
        return list;
      }
      const proto::RecordSpan span = batch.records[i];
      bytes += span.bytes;
      last = {row->due, offset};
      list.messages.push_back({proto::message_id(wish.incarnation, wish.lane.queue.value, offset),
                               row->due, batch.append_time, batch.base_timestamp,
                               batch.batch.slice(span.position, span.bytes)});
    }
  }
  if (const auto read = rows->status(); !read) {
    return read.error();
  }
  return list;
}

}  // namespace weir::shard
