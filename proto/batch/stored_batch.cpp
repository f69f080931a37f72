#include "proto/batch/stored_batch.hpp"

#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/endian.hpp"

namespace weir::proto {
namespace {

// u8 format | u8 kind | u16 zero | u32 batch bytes | i64 append time | i64 previous last offset |
// u32 zero | u32 CRC-32C of what precedes it here and of the batch's header.
constexpr std::size_t kFormatAt = 0;
constexpr std::size_t kKindAt = 1;
constexpr std::size_t kFirstZeroAt = 2;
constexpr std::size_t kBatchBytesAt = 4;
constexpr std::size_t kAppendTimeAt = 8;
constexpr std::size_t kPrevLastOffsetAt = 16;
constexpr std::size_t kSecondZeroAt = 24;
constexpr std::size_t kChecksumAt = 28;
static_assert(kChecksumAt + 4 == kStoredHeaderBytes);

std::uint32_t checksum_of(std::string_view stored) {
  return crc32c(crc32c(0, stored.substr(0, kChecksumAt)),
                stored.substr(kStoredHeaderBytes, kBatchHeaderBytes));
}

Error corrupt(const char* what) {
  return fail(Errc::kCorruptBatch, what);
}

}  // namespace

void write_stored_header(std::string& stored, const StoredHeader& header) {
  WEIR_ASSERT(stored.size() >= kStoredHeaderBytes + kBatchHeaderBytes,
              "the batch lies behind the header");
  char* const at = stored.data();
  store_le<std::uint8_t>(at + kFormatAt, kStoredFormat);
  store_le<std::uint8_t>(at + kKindAt, static_cast<std::uint8_t>(header.kind));
  store_le<std::uint16_t>(at + kFirstZeroAt, 0);
  store_le<std::uint32_t>(at + kBatchBytesAt,
                          static_cast<std::uint32_t>(stored.size() - kStoredHeaderBytes));
  store_le<std::int64_t>(at + kAppendTimeAt, header.append_time);
  store_le<std::int64_t>(at + kPrevLastOffsetAt, header.prev_last_offset);
  store_le<std::uint32_t>(at + kSecondZeroAt, 0);
  store_le<std::uint32_t>(at + kChecksumAt, checksum_of(stored));
}

Result<StoredBatchView> parse_stored_batch(std::string_view stored, bool verify_records) {
  if (stored.size() < kStoredHeaderBytes + kBatchHeaderBytes) {
    return corrupt("the stored batch is shorter than its headers");
  }
  const char* const at = stored.data();
  if (load_le<std::uint8_t>(at + kFormatAt) != kStoredFormat) {
    return corrupt("the stored batch has another format");
  }
  if (load_le<std::uint32_t>(at + kChecksumAt) != checksum_of(stored)) {
    return corrupt("the headers of the stored batch do not match their checksum");
  }
  const auto kind = load_le<std::uint8_t>(at + kKindAt);
  if (kind != static_cast<std::uint8_t>(StoredKind::kData) &&
      kind != static_cast<std::uint8_t>(StoredKind::kRebuilt)) {
    return corrupt("the stored batch is of an unknown kind");
  }
  if (load_le<std::uint16_t>(at + kFirstZeroAt) != 0 ||
      load_le<std::uint32_t>(at + kSecondZeroAt) != 0) {
    return corrupt("the stored batch has fields that this version does not know");
  }
  StoredBatchView view;
  view.header.kind = static_cast<StoredKind>(kind);
  view.header.append_time = load_le<std::int64_t>(at + kAppendTimeAt);
  view.header.prev_last_offset = load_le<std::int64_t>(at + kPrevLastOffsetAt);
  view.batch = stored.substr(kStoredHeaderBytes);
  const Result<BatchHeader> batch = parse_batch_header(view.batch);
  if (!batch) {
    return corrupt("the batch inside the stored batch is malformed");
  }
  if (load_le<std::uint32_t>(at + kBatchBytesAt) != view.batch.size() ||
      batch->total_bytes() != view.batch.size()) {
    return corrupt("the stored batch has another size than its headers say");
  }
  if (verify_records && !check_batch_crc(view.batch, *batch)) {
    return corrupt("the records of the stored batch do not match their checksum");
  }
  return view;
}

}  // namespace weir::proto
