#include "broker/shard/row_loader.hpp"

#include "broker/core/row_codec.hpp"
#include "storage/key_codec.hpp"

#include <memory>
#include <string>
#include <utility>

namespace weir::shard {
namespace {

using core::NeedRows;
using core::rows::TouchedRow;
using storage::Family;
using storage::KeyKind;

/// One load of due batches: many small ones at a time, but never much beside what is in memory.
constexpr std::size_t kMaxBatches = 128;

proto::Error contradiction(const NeedRows& need, const char* what) {
  return proto::fail(
      proto::Errc::kCorruptBatch,
      "the rows of queue " + std::to_string(need.queue.value) + " contradict each other: " + what);
}

/// The first row at or behind that last offset; nullopt without one.
proto::Result<std::optional<TouchedRow>> first_from(const storage::Reader& reader,
                                                    const NeedRows& need, proto::Offset offset) {
  const std::string prefix =
      storage::generation_prefix(KeyKind::kTouchedBatch, need.queue.value, need.generation);
  const auto rows = reader.scan(
      Family::kState,
      storage::batch_key(KeyKind::kTouchedBatch, need.queue.value, need.generation, offset),
      storage::prefix_end(prefix), {});
  if (!rows->valid()) {
    if (auto read = rows->status(); !read) {
      return read.error();
    }
    return std::optional<TouchedRow>();
  }
  const auto at = storage::parse_batch_key(KeyKind::kTouchedBatch, rows->key());
  if (!at) {
    return contradiction(need, "the key of a touched batch is damaged");
  }
  auto row = core::rows::decode_touched(rows->value(), at->last_offset);
  if (!row) {
    return row.error();
  }
  return std::optional(std::move(*row));
}

proto::Result<LoadedRows> load_batch(const storage::Reader& reader, const NeedRows& need) {
  LoadedRows loaded;
  auto row = first_from(reader, need, need.offset);
  if (!row) {
    return row.error();
  }
  if (*row && (*row)->is_cold && (*row)->batch.base_offset() < need.end) {
    loaded.batches.push_back(std::move((*row)->batch));
  }
  return loaded;
}

proto::Result<LoadedRows> load_oldest(const storage::Reader& reader, const NeedRows& need) {
  LoadedRows loaded;
  const auto row = first_from(reader, need, need.offset + 1);
  if (!row) {
    return row.error();
  }
  if (*row) {
    const core::TouchedBatch& batch = (*row)->batch;
    loaded.oldest = {batch.last_offset(), batch.append_time()};
    loaded.is_oldest_cold = (*row)->is_cold;
  }
  return loaded;
}

proto::Result<LoadedRows> load_next(const storage::Reader& reader, const NeedRows& need) {
  LoadedRows loaded;
  loaded.known_until = need.end;
  const std::string prefix =
      storage::generation_prefix(KeyKind::kTouchedBatch, need.queue.value, need.generation);
  const auto rows = reader.scan(
      Family::kState,
      storage::batch_key(KeyKind::kTouchedBatch, need.queue.value, need.generation, need.offset),
      storage::prefix_end(prefix), {});
  std::size_t seen = 0;
  for (; rows->valid(); rows->next()) {
    const auto at = storage::parse_batch_key(KeyKind::kTouchedBatch, rows->key());
    if (!at) {
      return contradiction(need, "the key of a touched batch is damaged");
    }
    auto row = core::rows::decode_touched(rows->value(), at->last_offset);
    if (!row) {
      return row.error();
    }
    if (row->batch.base_offset() >= need.end) {
      break;
    }
    if (seen++ == kMaxBatches) {
      loaded.known_until = row->batch.base_offset();
      break;
    }
    if (row->is_cold) {
      loaded.batches.push_back(std::move(row->batch));
    }
  }
  if (auto read = rows->status(); !read) {
    return read.error();
  }
  return loaded;
}

proto::Result<LoadedRows> load_due(const storage::Reader& reader, const NeedRows& need) {
  LoadedRows loaded;
  const std::string prefix =
      storage::generation_prefix(KeyKind::kReturnedIndex, need.queue.value, need.generation);
  const auto index = reader.scan(Family::kState, prefix, storage::prefix_end(prefix), {});
  for (; index->valid(); index->next()) {
    const auto at = storage::parse_timed_batch_key(KeyKind::kReturnedIndex, index->key());
    if (!at) {
      return contradiction(need, "a key of the index of due times is damaged");
    }
    if (at->when > need.until || loaded.batches.size() == kMaxBatches) {
      loaded.next_due = at->when;
      break;
    }
    const auto value =
        reader.get(Family::kState, storage::batch_key(KeyKind::kTouchedBatch, need.queue.value,
                                                      need.generation, at->last_offset));
    if (!value) {
      return value.error();
    }
    if (!*value) {
      return contradiction(need, "an index row without its batch");
    }
    auto row = core::rows::decode_touched(**value, at->last_offset);
    if (!row) {
      return row.error();
    }
    if (!row->is_cold || row->batch.next_due() != at->when) {
      return contradiction(need, "an index row of another time than its batch");
    }
    loaded.batches.push_back(std::move(row->batch));
  }
  if (auto read = index->status(); !read) {
    return read.error();
  }
  return loaded;
}

}  // namespace

proto::Result<LoadedRows> load_rows(const storage::Reader& reader, const core::NeedRows& need) {
  switch (need.what) {
    case NeedRows::What::kBatch:
      return load_batch(reader, need);
    case NeedRows::What::kDue:
      return load_due(reader, need);
    case NeedRows::What::kNext:
      return load_next(reader, need);
    case NeedRows::What::kOldest:
      break;
  }
  return load_oldest(reader, need);
}

}  // namespace weir::shard
