#include "proto/assert.hpp"
#include "proto/batch/compression.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/batch/header_layout.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/varint.hpp"
#include "proto/endian.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace weir::proto {
namespace {

constexpr std::size_t kFirstRoomBytes = std::size_t{4} << 10;
constexpr std::size_t kRoomStepBytes = std::size_t{16} << 10;

/// write_varint wants room for ten bytes, whatever it writes.
constexpr std::size_t kVarintRoom = 10;

/// The difference modulo 2^64, as a reader adds it up again.
std::int64_t wrapping_difference(TimeMs left, TimeMs right) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(left) -
                                   static_cast<std::uint64_t>(right));
}

std::int32_t length_of(const std::optional<std::string_view>& field) {
  return field ? static_cast<std::int32_t>(field->size()) : -1;
}

std::size_t field_bytes(const std::optional<std::string_view>& field) {
  return varint_bytes(length_of(field)) + (field ? field->size() : 0);
}

/// Size of a record without its length prefix.
std::size_t body_bytes(const RecordInput& record, std::int32_t offset_delta,
                       std::int64_t timestamp_delta) {
  std::size_t bytes = 1 + varint_bytes(timestamp_delta) + varint_bytes(offset_delta) +
                      field_bytes(record.key) + field_bytes(record.value) +
                      varint_bytes(static_cast<std::int32_t>(record.headers.size()));
  for (const Header& header : record.headers) {
    bytes += varint_bytes(static_cast<std::int32_t>(header.key.size())) + header.key.size() +
             field_bytes(header.value);
  }
  return bytes;
}

/// Makes `buffer` at least `needed` long. Its memory doubles, but is filled step by step: pages
/// that the batch never comes to are not touched.
void make_room(std::string& buffer, std::size_t needed) {
  if (needed > buffer.capacity()) {
    buffer.reserve(std::max({needed, 2 * buffer.capacity(), kFirstRoomBytes}));
  }
  buffer.resize(std::max(needed, std::min(buffer.capacity(), buffer.size() + kRoomStepBytes)));
}

char* write_bytes(char* to, std::string_view bytes) {
  std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

char* write_field(char* to, const std::optional<std::string_view>& field) {
  to = write_varint(to, length_of(field));
  return field ? write_bytes(to, *field) : to;
}

}  // namespace

BatchBuilder::BatchBuilder(std::size_t reserve_front) : front_(reserve_front) {
  used_ = front_ + kBatchHeaderBytes;
  buffer_.resize(used_);
}

void BatchBuilder::add(const RecordInput& record) {
  if (count_ == 0) {
    base_timestamp_ = record.timestamp;
    max_timestamp_ = record.timestamp;
  }
  max_timestamp_ = std::max(max_timestamp_, record.timestamp);
  const auto offset_delta = static_cast<std::int32_t>(count_);
  const std::int64_t timestamp_delta = wrapping_difference(record.timestamp, base_timestamp_);
  const std::size_t body = body_bytes(record, offset_delta, timestamp_delta);
  const std::size_t needed = used_ + body + 2 * kVarintRoom;
  WEIR_ASSERT(needed <= std::numeric_limits<std::int32_t>::max(), "a batch is smaller than 2 GiB");
  if (needed > buffer_.size()) [[unlikely]] {
    make_room(buffer_, needed);
  }

  char* at = write_varint(buffer_.data() + used_, static_cast<std::int32_t>(body));
  *at++ = 0;  // attributes
  at = write_varint(at, timestamp_delta);
  at = write_varint(at, offset_delta);
  at = write_field(at, record.key);
  at = write_field(at, record.value);
  at = write_varint(at, static_cast<std::int32_t>(record.headers.size()));
  for (const Header& header : record.headers) {
    at = write_varint(at, static_cast<std::int32_t>(header.key.size()));
    at = write_bytes(at, header.key);
    at = write_field(at, header.value);
  }
  used_ = static_cast<std::size_t>(at - buffer_.data());
  ++count_;
}

std::size_t BatchBuilder::bytes_of(const RecordInput& record) const {
  const std::int64_t timestamp_delta =
      count_ == 0 ? 0 : wrapping_difference(record.timestamp, base_timestamp_);
  const std::size_t body = body_bytes(record, static_cast<std::int32_t>(count_), timestamp_delta);
  return varint_bytes(static_cast<std::int32_t>(body)) + body;
}

std::string BatchBuilder::finish(Producer producer, Compression compression) {
  WEIR_ASSERT(count_ > 0, "a batch has at least one record");
  const std::size_t records_at = front_ + kBatchHeaderBytes;
  std::string batch = std::exchange(buffer_, std::string(records_at, '\0'));
  batch.resize(std::exchange(used_, records_at));
  auto used = Compression::kNone;
  if (compression != Compression::kNone) {
    std::string smaller(records_at, '\0');
    compress(compression, std::string_view(batch).substr(records_at), smaller);
    if (smaller.size() < batch.size()) {
      batch = std::move(smaller);
      used = compression;
    }
  }

  char* const header = batch.data() + front_;
  const std::size_t total = batch.size() - front_;
  const auto count = static_cast<std::int32_t>(std::exchange(count_, 0));
  store_be<std::int64_t>(header + kBaseOffsetAt, 0);
  store_be<std::int32_t>(header + kBatchLengthAt,
                         static_cast<std::int32_t>(total - kLengthCountsFrom));
  store_be<std::int32_t>(header + kLeaderEpochAt, 0);
  store_be<std::uint8_t>(header + kMagicAt, kMagic);
  store_be<std::uint16_t>(header + kAttributesAt, static_cast<std::uint16_t>(used));
  store_be<std::int32_t>(header + kLastOffsetDeltaAt, count - 1);
  store_be<std::int64_t>(header + kBaseTimestampAt, base_timestamp_);
  store_be<std::int64_t>(header + kMaxTimestampAt, max_timestamp_);
  store_be<std::int64_t>(header + kProducerIdAt, producer.id);
  store_be<std::int16_t>(header + kProducerEpochAt, producer.epoch);
  store_be<std::int32_t>(header + kBaseSequenceAt, producer.base_sequence);
  store_be<std::int32_t>(header + kRecordCountAt, count);
  const std::string_view covered(header + kAttributesAt, total - kAttributesAt);
  store_be<std::uint32_t>(header + kCrcAt, crc32c(0, covered));
  return batch;
}

}  // namespace weir::proto
