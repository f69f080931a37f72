#include "broker/shard/batch_loader.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "storage/key_codec.hpp"

#include <string>
#include <utility>

namespace weir::shard {
namespace {

// What one load brings: enough for a few slices, little beside the tail cache that takes it.
constexpr std::size_t kReadAheadBytes = std::size_t{1} << 20;
constexpr std::size_t kReadAheadBatches = 128;

}  // namespace

proto::Result<core::CachedBatch> read_stored_batch(std::string_view value,
                                                   proto::Offset last_offset) {
  const proto::SharedBytes stored{std::string(value)};
  const auto parsed = proto::parse_stored_batch(stored.view(), true);
  if (!parsed) {
    return parsed.error();
  }
  auto columns = proto::read_columns(parsed->batch);
  if (!columns) {
    return columns.error();
  }
  if (last_offset != columns->header.last_offset()) {
    return proto::fail(proto::Errc::kCorruptBatch, "the batch belongs to other offsets");
  }
  core::CachedBatch batch;
  batch.base_offset = columns->header.base_offset;
  batch.last_offset = columns->header.last_offset();
  batch.append_time = parsed->header.append_time;
  batch.base_timestamp = columns->header.base_timestamp;
  batch.stored_bytes = stored.size();
  batch.batch = stored.slice(proto::kStoredHeaderBytes, parsed->batch.size());
  batch.expiries = core::expiries_of(*columns, batch.append_time);
  batch.groups = std::move(columns->groups);
  batch.records = std::move(columns->records);
  return batch;
}

proto::Result<core::CachedBatch> read_batch_row(std::string_view row_key, std::string_view value) {
  const auto key = storage::parse_batch_key(storage::KeyKind::kBatch, row_key);
  if (!key) {
    return proto::fail(proto::Errc::kCorruptBatch, "the key of a batch is damaged");
  }
  return read_stored_batch(value, key->last_offset);
}

proto::Result<std::vector<core::CachedBatch>> load_batches(const storage::Reader& reader,
                                                           const core::Need& need) {
  using storage::KeyKind;
  const storage::Key lower =
      storage::batch_key(KeyKind::kBatch, need.log.value, need.generation, need.offset);
  const std::string upper = storage::prefix_end(
      storage::generation_prefix(KeyKind::kBatch, need.log.value, need.generation));
  const auto rows = reader.scan(storage::Family::kLog, lower, upper, {});
  std::vector<core::CachedBatch> batches;
  std::size_t bytes = 0;
  for (; rows->valid() && bytes < kReadAheadBytes && batches.size() < kReadAheadBatches;
       rows->next()) {
    auto batch = read_batch_row(rows->key(), rows->value());
    if (!batch) {
      if (batches.empty()) {
        return batch.error();
      }
      break;
    }
    bytes += batch->stored_bytes;
    batches.push_back(std::move(*batch));
  }
  if (const auto read = rows->status();
      !read && (batches.empty() || read.error().code != proto::Errc::kCorruptBatch)) {
    return read.error();
  }
  if (batches.empty() || batches.front().base_offset > need.offset) {
    return proto::fail(proto::Errc::kCorruptBatch, "it is missing");
  }
  return batches;
}

}  // namespace weir::shard
