#pragma once

#include "proto/ids.hpp"
#include "proto/lanes.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Kafka's RecordBatch, magic 2: the one format of messages on the wire and on disk. All integers
// are big-endian. The checksum (CRC-32C over everything from `attributes` on) leaves out exactly
// the fields that a broker sets, so a batch is stored and shipped as its producer built it.
// Source: Apache Kafka, "Message Format" (https://kafka.apache.org/documentation/#messageformat).
namespace weir::proto {

inline constexpr std::size_t kBatchHeaderBytes = 61;

/// Header of a message that is to be put off, in the one form that producers may send: whole
/// milliseconds in decimal, at most kMaxDelayMs. It beats the queue's own delay, also with 0.
inline constexpr std::string_view kHeaderDelay = "weir.delay-ms";
/// Header of a message that is of no use so long after it became ready, in whole milliseconds.
inline constexpr std::string_view kHeaderTtl = "weir.ttl-ms";
/// Header of a message that is of no use from that moment on, in ms since 1970.
inline constexpr std::string_view kHeaderDeadline = "weir.deadline-ms";
/// Header of a message that belongs to a group: 1 to kMaxGroupBytes bytes. A FIFO queue keeps the
/// order within it.
inline constexpr std::string_view kHeaderGroup = "weir.group";

/// Header of a message that comes before or after others: one digit, 9 the most urgent. Without it
/// a message has kDefaultPriority.
inline constexpr std::string_view kHeaderPriority = "weir.priority";

/// Header of a message that a FIFO queue is to take once however often it is sent: 1 to
/// kMaxDeduplicationIdBytes bytes by which it is known.
inline constexpr std::string_view kHeaderDeduplicationId = "weir.deduplication-id";

/// What stands for a group wherever many are looked at (FNV-1a, 64 bits; never kNoGroup). Two
/// groups with one hash wait for each other, and nothing else comes of it. Part of the format on
/// disk. Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (draft-eastlake-fnv).
[[nodiscard]] std::uint64_t group_hash(std::string_view group);
inline constexpr std::uint64_t kNoGroup = 0;

/// The priority that a header's value is; nullopt for anything else.
[[nodiscard]] std::optional<std::uint8_t> read_priority(std::optional<std::string_view> value);

/// Until when a message is of use, in its own words; what it does not say is -1.
struct RecordLife {
  std::int64_t ttl_ms = -1;
  TimeMs deadline = -1;
  friend bool operator==(const RecordLife&, const RecordLife&) = default;
};

enum class Compression : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

/// The 61 fixed bytes, decoded.
struct BatchHeader {
  Offset base_offset = 0;
  std::int32_t batch_length = 0;  // bytes after this field: total size - 12
  std::int32_t leader_epoch = -1;
  std::uint32_t crc = 0;
  std::uint16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  TimeMs base_timestamp = 0;
  TimeMs max_timestamp = 0;
  std::int64_t producer_id = -1;  // -1: none
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::int32_t record_count = 0;

  [[nodiscard]] Compression compression() const {
    return static_cast<Compression>(attributes & 0x7U);
  }
  [[nodiscard]] bool log_append_time() const { return (attributes & 0x8U) != 0; }
  [[nodiscard]] bool transactional() const { return (attributes & 0x10U) != 0; }
  [[nodiscard]] bool control() const { return (attributes & 0x20U) != 0; }
  [[nodiscard]] std::size_t total_bytes() const {
    return static_cast<std::size_t>(batch_length) + 12;
  }
  [[nodiscard]] Offset last_offset() const { return base_offset + last_offset_delta; }
};

struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
  friend bool operator==(const Header&, const Header&) = default;
};

/// One record, pointing into the batch it was read from.
struct RecordView {
  std::int32_t offset_delta = 0;
  std::int64_t timestamp_delta = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // nullopt: a tombstone
  std::vector<Header> headers;
};

/// Reads the header of the batch that begins at `bytes`. Does not look at the records or the CRC.
/// MALFORMED: fewer than 61 bytes, another magic, a length that is negative or below the header's,
/// offsets or a count that are negative or overflow (so last_offset(), the offset behind it and
/// count() are safe).
Result<BatchHeader> parse_batch_header(std::string_view bytes);

/// Checks the CRC of a whole batch; `batch` may go on behind it. CORRUPT_BATCH: it does not match;
/// MALFORMED: the batch is cut off.
Result<> check_batch_crc(std::string_view batch, const BatchHeader& header);

/// Where one record lies inside an uncompressed batch, its length prefix included. Records of
/// neighbouring indexes are neighbours in bytes, so a slice of a batch is one piece of memory.
struct RecordSpan {
  std::uint32_t position = 0;
  std::uint32_t bytes = 0;
  friend bool operator==(const RecordSpan&, const RecordSpan&) = default;
};

/// What the core knows of a batch: never bytes.
struct BatchColumns {
  BatchHeader header;
  /// One entry a record; empty for a compressed batch, whose records nobody looks at.
  std::vector<RecordSpan> records;
  /// Key, value and headers of the largest record of a producer's uncompressed batch; else 0.
  std::size_t largest_message_bytes = 0;
  /// Of a producer's batch in which a message asks for a delay: one entry a record. Empty where
  /// none does.
  std::vector<std::int64_t> delays_ms;
  static constexpr std::int64_t kNoDelay = -1;  // that message does not ask
  /// Where a message says until when it is of use: one entry a record, else empty. Of compressed
  /// batches always empty.
  std::vector<RecordLife> lives;
  /// Where a message belongs to a group: the hash of each record's, else empty. Of compressed
  /// batches always empty.
  std::vector<std::uint64_t> groups;
  /// Of a producer's batch in which a message names a priority: one entry a record, else empty.
  std::vector<std::uint8_t> priorities;
  /// Of a producer's batch in which a message has a deduplication id: where in the batch each one
  /// lies, of no bytes where there is none. Else empty.
  std::vector<RecordSpan> deduplication_ids;

  [[nodiscard]] std::uint32_t count() const {
    return static_cast<std::uint32_t>(header.record_count);
  }
  /// Of a producer's batch.
  [[nodiscard]] int priority_of(std::uint32_t index) const {
    return index < priorities.size() ? priorities[index] : kDefaultPriority;
  }
  [[nodiscard]] std::uint64_t group_of(std::uint32_t index) const {
    return index < groups.size() ? groups[index] : kNoGroup;
  }
};

enum class BatchUse : std::uint8_t {
  kQueue,  // must be uncompressed: it is sliced when it is handed out
  kTopic,  // may be compressed; then only header and CRC are checked
};

/// Checks a batch from a producer: one batch and nothing behind it, CRC, sizes and counts within
/// proto/limits.hpp, dense offset deltas, count == last_offset_delta + 1 and at least one,
/// well-formed records and headers, no control batch, no broker's timestamps, no reserved `weir.`
/// header but, for a queue, those that are named above. Errors: MALFORMED, CORRUPT_BATCH,
/// MESSAGE_TOO_LARGE, LIMIT_EXCEEDED, UNSUPPORTED (gzip, snappy, attribute bits without a meaning),
/// INVALID_ARGUMENT.
Result<BatchColumns> validate_batch(std::string_view batch, BatchUse use);

/// Columns of an uncompressed batch that came from our own store: same walk, no limits of
/// producers, reserved headers allowed, the CRC left to parse_stored_batch(). MALFORMED, and
/// INVALID_ARGUMENT for a compressed batch.
Result<BatchColumns> read_columns(std::string_view batch);

/// Sets base offset and leader epoch in place. `batch` must hold a whole header.
void poke_offset_and_epoch(std::span<char> batch, Offset base_offset, std::int32_t leader_epoch);

/// Gives a finished batch to another producer, epoch or sequence, and computes its CRC anew: what
/// was refused may be sent again with the sequence that the broker expects by then. `batch` must
/// hold one whole batch and nothing behind it.
void poke_producer(std::span<char> batch, std::int64_t producer_id, std::int16_t producer_epoch,
                   std::int32_t base_sequence);

/// Decodes the record at the front of `bytes` and tells how many bytes it took.
struct DecodedRecord {
  RecordView record;
  std::size_t bytes = 0;
};
Result<DecodedRecord> decode_record(std::string_view bytes);

/// The records of a whole batch as plain bytes: a view of the batch itself when uncompressed, else
/// decompressed into `scratch`. `max_bytes` caps the decompressed size whatever the frame claims
/// (MESSAGE_TOO_LARGE above it).
Result<std::string_view> batch_records(std::string_view batch, const BatchHeader& header,
                                       std::size_t max_bytes, std::string& scratch);

/// When a record was made, by its batch's base: added modulo 2^64, as BatchBuilder subtracts, since
/// a producer may claim any time.
[[nodiscard]] inline TimeMs timestamp_of(TimeMs base_timestamp, const RecordView& record) {
  return static_cast<TimeMs>(static_cast<std::uint64_t>(base_timestamp) +
                             static_cast<std::uint64_t>(record.timestamp_delta));
}

/// Calls `visit(const RecordView&)` for each of `count` records in `records`.
template <class Visitor>
Result<> for_each_record(std::string_view records, std::int32_t count, Visitor&& visit) {
  for (std::int32_t i = 0; i < count; ++i) {
    Result<DecodedRecord> decoded = decode_record(records);
    if (!decoded) {
      return decoded.error();
    }
    visit(static_cast<const RecordView&>(decoded->record));
    records.remove_prefix(decoded->bytes);
  }
  if (!records.empty()) {
    return fail(Errc::kMalformed, "bytes after the last record");
  }
  return {};
}

/// A record about to be written.
struct RecordInput {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const Header> headers;
  TimeMs timestamp = 0;
};

/// What validate_batch() will say of this record, for the producer's side: MESSAGE_TOO_LARGE (key,
/// value and headers over kMaxMessageBytes together), LIMIT_EXCEEDED (count or size of the
/// headers), INVALID_ARGUMENT (a reserved `weir.` header, or a time in one that is none).
Result<> check_record(const RecordInput& record, BatchUse use);

/// Builds one batch, record by record, into one string. Not for two threads at once.
class BatchBuilder {
 public:
  /// `reserve_front` bytes stay free before the batch, for a header of the caller's.
  explicit BatchBuilder(std::size_t reserve_front = 0);

  /// Copies the record behind the others. Nothing is checked: check_record() is the caller's.
  void add(const RecordInput& record);
  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// Size of the batch if it were finished now without compression.
  [[nodiscard]] std::size_t bytes() const { return used_ - front_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// What one more record would add, exactly.
  [[nodiscard]] std::size_t bytes_of(const RecordInput& record) const;

  struct Producer {
    std::int64_t id = -1;
    std::int16_t epoch = -1;
    std::int32_t base_sequence = -1;
  };
  /// Writes header and CRC and gives the bytes away; the builder is empty afterwards. There must be
  /// a record. kNone, kLz4 (frame format) and kZstd are supported; a batch that does not shrink is
  /// stored as kNone.
  [[nodiscard]] std::string finish(Producer producer, Compression compression);

 private:
  std::size_t front_ = 0;
  std::string buffer_;  // its size is room, of which the first used_ bytes are taken
  std::size_t used_ = 0;
  std::uint32_t count_ = 0;
  TimeMs base_timestamp_ = 0;
  TimeMs max_timestamp_ = 0;
};

}  // namespace weir::proto
