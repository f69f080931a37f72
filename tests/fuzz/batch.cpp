#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/batch/header_layout.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/endian.hpp"
#include "proto/limits.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::fuzz {
namespace {

// Length, magic and checksum of a batch that means what its bytes say, so that checks further in
// are reached.
void complete(std::string& batch) {
  if (batch.size() < proto::kBatchHeaderBytes) {
    return;
  }
  proto::store_be<std::int32_t>(batch.data() + proto::kBatchLengthAt,
                                static_cast<std::int32_t>(batch.size() - proto::kLengthCountsFrom));
  proto::store_be<std::uint8_t>(batch.data() + proto::kMagicAt, proto::kMagic);
  proto::store_be<std::uint32_t>(
      batch.data() + proto::kCrcAt,
      proto::crc32c(0, std::string_view(batch).substr(proto::kAttributesAt)));
}

// A batch that the broker would take: its columns tile the records, and a builder that is given the
// same records makes a batch that says the same. Returns whether a topic would take each of the
// records: some headers only queues know.
bool check_taken(std::string_view batch, const proto::BatchColumns& columns) {
  std::size_t at = proto::kBatchHeaderBytes;
  bool is_for_topics_too = true;
  proto::BatchBuilder builder;
  WEIR_ASSERT(columns.records.size() == columns.count(), "each record has its place");
  for (std::uint32_t i = 0; i < columns.count(); ++i) {
    const proto::RecordSpan span = columns.records[i];
    WEIR_ASSERT(span.position == at && span.bytes <= batch.size() - at, "records tile the batch");
    const auto decoded = proto::decode_record(batch.substr(span.position, span.bytes));
    WEIR_ASSERT(decoded && decoded->bytes == span.bytes, "a record that was checked is readable");
    WEIR_ASSERT(decoded->record.offset_delta == static_cast<std::int32_t>(i), "offsets are dense");
    proto::RecordInput record;
    record.key = decoded->record.key;
    record.value = decoded->record.value;
    record.headers = decoded->record.headers;
    WEIR_ASSERT(proto::check_record(record, proto::BatchUse::kQueue).has_value(),
                "a producer may send this record");
    is_for_topics_too =
        is_for_topics_too && proto::check_record(record, proto::BatchUse::kTopic).has_value();
    builder.add(record);
    at += span.bytes;
  }
  WEIR_ASSERT(at == batch.size(), "nothing is left behind the records");
  const std::string rebuilt = builder.finish({}, proto::Compression::kNone);
  const auto again = proto::validate_batch(rebuilt, proto::BatchUse::kQueue);
  WEIR_ASSERT(again && again->count() == columns.count() && again->delays_ms == columns.delays_ms,
              "a batch of good records is good");
  for (std::uint32_t i = 0; i < columns.count(); ++i) {
    const auto left =
        proto::decode_record(batch.substr(columns.records[i].position, columns.records[i].bytes));
    const auto right = proto::decode_record(
        std::string_view(rebuilt).substr(again->records[i].position, again->records[i].bytes));
    WEIR_ASSERT(left && right && left->record.key == right->record.key &&
                    left->record.value == right->record.value &&
                    left->record.headers == right->record.headers,
                "a record comes back as it was");
  }
  return is_for_topics_too;
}

// As the broker stores it, and reads it again.
void check_stored(std::string_view batch, std::int64_t append_time) {
  std::string stored(proto::kStoredHeaderBytes, '\0');
  stored += batch;
  proto::write_stored_header(stored, {.kind = proto::StoredKind::kData,
                                      .append_time = append_time,
                                      .prev_last_offset = append_time / 2});
  const auto view = proto::parse_stored_batch(stored, true);
  WEIR_ASSERT(view && view->batch == batch && view->header.append_time == append_time &&
                  view->header.prev_last_offset == append_time / 2,
              "what is stored is read as it was");
  const auto flipped = static_cast<std::size_t>(append_time) %
                       (proto::kStoredHeaderBytes + proto::kBatchHeaderBytes);
  stored[flipped] = static_cast<char>(stored[flipped] ^ 1);
  WEIR_ASSERT(!proto::parse_stored_batch(stored, true), "a flipped bit is noticed");
}

void read(std::string_view batch) {
  const auto header = proto::parse_batch_header(batch);
  if (!header) {
    return;
  }
  WEIR_ASSERT(header->total_bytes() >= proto::kBatchHeaderBytes, "a batch has its header");
  WEIR_ASSERT(header->last_offset() >= header->base_offset, "offsets do not overflow");
  const bool is_whole = proto::check_batch_crc(batch, *header).has_value();
  std::string scratch;
  if (const auto plain = proto::batch_records(batch, *header, std::size_t{64} << 10, scratch)) {
    static_cast<void>(proto::for_each_record(*plain, header->record_count,
                                             [](const proto::RecordView& /*record*/) {}));
  }
  const auto for_topic = proto::validate_batch(batch, proto::BatchUse::kTopic);
  const auto for_queue = proto::validate_batch(batch, proto::BatchUse::kQueue);
  WEIR_ASSERT(is_whole || (!for_topic && !for_queue), "no batch is taken with a wrong checksum");
  if (for_queue) {
    const bool is_for_topics_too = check_taken(batch, *for_queue);
    WEIR_ASSERT(for_topic.has_value() == is_for_topics_too,
                "what a queue takes a topic takes, but for what only queues know");
    const auto columns = proto::read_columns(batch);
    WEIR_ASSERT(columns && columns->records.size() == for_queue->records.size(),
                "what was taken from a producer is readable in the store");
  }
  if (for_topic) {
    check_stored(batch, header->max_timestamp & INT64_MAX);
  }
}

}  // namespace

void batch(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  std::string batch(input.rest());
  if ((how & 1U) != 0) {
    static_cast<void>(proto::parse_stored_batch(batch, true));
    static_cast<void>(proto::read_columns(batch));
    static_cast<void>(proto::decode_record(batch));
    return;
  }
  if ((how & 2U) != 0) {
    complete(batch);
  }
  read(batch);
}

}  // namespace weir::fuzz
