#include "proto/batch/record_batch.hpp"

#include "proto/assert.hpp"
#include "proto/batch/compression.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/batch/header_layout.hpp"
#include "proto/batch/record_parts.hpp"
#include "proto/endian.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <system_error>

namespace weir::proto {
namespace {

constexpr std::string_view kReservedHeaders = "weir.";

/// Why a record is refused; turned into an Error once, outside the walk.
enum class Fault : std::uint8_t {
  kNone,
  kMalformed,
  kNotDense,
  kTimestamp,
  kTimestampRange,
  kTooLarge,
  kHeaderCount,
  kHeaderBytes,
  kReservedHeader,
  kDelay,
  kTtl,
  kDeadline,
  kGroup,
  kPriority,
  kDeduplicationId,
  kOfQueuesAlone,
};

bool is_in_range(TimeMs timestamp) {
  return timestamp >= -kMaxTimestampMs && timestamp <= kMaxTimestampMs;
}

std::string name_of(std::size_t index) {
  return "record " + std::to_string(index);
}

// `record` is what a person is told it is.
Error to_error(Fault fault, const std::string& record) {
  switch (fault) {
    case Fault::kNone:
    case Fault::kMalformed:
      break;
    case Fault::kNotDense:
      return fail(Errc::kMalformed, record + " has another offset delta than its place");
    case Fault::kTimestamp:
      return fail(Errc::kMalformed, record + " has a timestamp that overflows");
    case Fault::kTimestampRange:
      return fail(Errc::kInvalidArgument, record + " has a timestamp that is further than " +
                                              std::to_string(kMaxTimestampMs) +
                                              " milliseconds from 1970");
    case Fault::kTooLarge:
      return fail(Errc::kMessageTooLarge, record + " with key and headers is larger than " +
                                              std::to_string(kMaxMessageBytes) + " bytes");
    case Fault::kHeaderCount:
      return fail(Errc::kLimitExceeded,
                  record + " has more than " + std::to_string(kMaxHeaders) + " headers");
    case Fault::kHeaderBytes:
      return fail(Errc::kLimitExceeded, record + " has more than " +
                                            std::to_string(kMaxHeaderBytes) + " bytes of headers");
    case Fault::kReservedHeader:
      return fail(Errc::kInvalidArgument,
                  record + " has a header whose name begins with the reserved 'weir.'");
    case Fault::kDelay:
      return fail(Errc::kInvalidArgument,
                  record + " has a delay that is not one number of milliseconds from 0 to " +
                      std::to_string(kMaxDelayMs));
    case Fault::kTtl:
      return fail(Errc::kInvalidArgument,
                  record + " has a time to live that is not one number of milliseconds from 1 to " +
                      std::to_string(kMaxTtlMs));
    case Fault::kDeadline:
      return fail(Errc::kInvalidArgument,
                  record + " has a deadline that is not one number of milliseconds since 1970");
    case Fault::kGroup:
      return fail(Errc::kInvalidArgument, record + " has a group that is not one name of 1 to " +
                                              std::to_string(kMaxGroupBytes) + " bytes");
    case Fault::kPriority:
      return fail(Errc::kInvalidArgument,
                  record + " has a priority that is not one digit, from 0 to 9, the most urgent");
    case Fault::kDeduplicationId:
      return fail(Errc::kInvalidArgument, record +
                                              " has a deduplication id that is not one of 1 to " +
                                              std::to_string(kMaxDeduplicationIdBytes) + " bytes");
    case Fault::kOfQueuesAlone:
      return fail(Errc::kInvalidArgument,
                  record +
                      " has a delay, a time to live, a deadline, a group, a priority or a "
                      "deduplication id, and topics know none");
  }
  return fail(Errc::kMalformed, record + " is malformed");
}

std::size_t size_of(const std::optional<std::string_view>& field) {
  return field ? field->size() : 0;
}

/// The number of milliseconds that a header's value is; nullopt for anything else.
std::optional<std::int64_t> read_ms(std::optional<std::string_view> value, std::int64_t least,
                                    std::int64_t most) {
  std::int64_t ms = 0;
  if (!value || value->empty()) {
    return std::nullopt;
  }
  const char* const end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, ms);
  return error == std::errc() && stop == end && ms >= least && ms <= most ? std::optional(ms)
                                                                          : std::nullopt;
}

/// The limits of a producer on one record.
class RecordLimits {
 public:
  RecordLimits(std::size_t key_and_value_bytes, BatchUse use)
      : body_bytes_(key_and_value_bytes), use_(use) {}

  void count(const Header& header) {
    header_bytes_ += header.key.size() + size_of(header.value);
    if (header.key.starts_with(kReservedHeaders)) [[unlikely]] {
      count_reserved(header);
    }
  }

  /// BatchColumns::kNoDelay where none was asked for.
  [[nodiscard]] std::int64_t delay_ms() const { return delay_ms_; }
  [[nodiscard]] const RecordLife& life() const { return life_; }
  [[nodiscard]] std::uint64_t group() const { return group_; }
  [[nodiscard]] std::uint8_t priority() const { return priority_.value_or(kDefaultPriority); }
  /// Empty: none.
  [[nodiscard]] std::string_view deduplication_id() const { return deduplication_id_; }

  /// Of the whole message, as kMaxMessageBytes counts them.
  [[nodiscard]] std::size_t bytes() const { return body_bytes_ + header_bytes_; }

  [[nodiscard]] Fault verdict(std::size_t header_count) const {
    if (header_count > kMaxHeaders) {
      return Fault::kHeaderCount;
    }
    if (header_bytes_ > kMaxHeaderBytes) {
      return Fault::kHeaderBytes;
    }
    if (bytes() > kMaxMessageBytes) {
      return Fault::kTooLarge;
    }
    return reserved_;
  }

 private:
  void count_reserved(const Header& header) {
    if (header.key == kHeaderDelay) {
      take(header.value, 0, kMaxDelayMs, delay_ms_, Fault::kDelay);
    } else if (header.key == kHeaderTtl) {
      take(header.value, 1, kMaxTtlMs, life_.ttl_ms, Fault::kTtl);
    } else if (header.key == kHeaderDeadline) {
      take(header.value, 0, std::numeric_limits<TimeMs>::max() - 1, life_.deadline,
           Fault::kDeadline);
    } else if (header.key == kHeaderGroup) {
      if (is_name(header.value, kMaxGroupBytes, group_ != kNoGroup, Fault::kGroup)) {
        group_ = group_hash(*header.value);
      }
    } else if (header.key == kHeaderPriority) {
      take_priority(header.value);
    } else if (header.key == kHeaderDeduplicationId) {
      if (is_name(header.value, kMaxDeduplicationIdBytes, !deduplication_id_.empty(),
                  Fault::kDeduplicationId)) {
        deduplication_id_ = *header.value;
      }
    } else {
      reserved_ = Fault::kReservedHeader;
    }
  }
  /// A time that a message may name once; `known` is -1 until then.
  void take(std::optional<std::string_view> value, std::int64_t least, std::int64_t most,
            std::int64_t& known, Fault fault) {
    const std::optional<std::int64_t> asked = read_ms(value, least, most);
    if (use_ == BatchUse::kTopic) {
      reserved_ = Fault::kOfQueuesAlone;
    } else if (!asked || known != -1) {
      reserved_ = fault;
    } else {
      known = *asked;
    }
  }

  /// A message may name one.
  void take_priority(std::optional<std::string_view> value) {
    const std::optional<std::uint8_t> asked = read_priority(value);
    if (use_ == BatchUse::kTopic) {
      reserved_ = Fault::kOfQueuesAlone;
    } else if (!asked || priority_) {
      reserved_ = Fault::kPriority;
    } else {
      priority_ = asked;
    }
  }

  /// Whether the value is a name that a message may have once.
  bool is_name(std::optional<std::string_view> value, std::size_t most, bool is_known,
               Fault fault) {
    if (use_ == BatchUse::kTopic) {
      reserved_ = Fault::kOfQueuesAlone;
    } else if (!value || value->empty() || value->size() > most || is_known) {
      reserved_ = fault;
    } else {
      return true;
    }
    return false;
  }

  std::size_t body_bytes_;
  BatchUse use_;
  std::size_t header_bytes_ = 0;
  Fault reserved_ = Fault::kNone;  // what is wrong with a reserved header
  std::int64_t delay_ms_ = BatchColumns::kNoDelay;
  static_assert(BatchColumns::kNoDelay == -1);
  RecordLife life_;
  std::uint64_t group_ = kNoGroup;
  std::optional<std::uint8_t> priority_;
  std::string_view deduplication_id_;
};

enum class Source : std::uint8_t { kProducer, kStore };

/// Notes what the next record says of itself in a column that most batches do not have: the records
/// before say `none`.
template <class T>
void note(std::vector<T>& column, std::size_t records_before, const T& said, const T& none) {
  if (said == none && column.empty()) [[likely]] {
    return;
  }
  column.resize(records_before, none);
  column.push_back(said);
}

/// What a stored record says of itself: whoever stored it has checked it.
void read_stored(const Header& header, RecordLife& life, std::uint64_t& group) {
  if (header.key == kHeaderGroup) {
    group = group_hash(header.value.value_or(std::string_view()));
  } else if (header.key == kHeaderTtl) {
    life.ttl_ms = read_ms(header.value, 1, kMaxTtlMs).value_or(-1);
  } else if (header.key == kHeaderDeadline) {
    life.deadline = read_ms(header.value, 0, std::numeric_limits<TimeMs>::max() - 1).value_or(-1);
  }
}

/// Of the record that comes next in `columns`, of that batch.
template <Source kSource>
Fault check_headers(const char* batch, const RecordParts& parts, BatchUse use,
                    BatchColumns& columns) {
  RecordLimits limits(parts.key.bytes() + parts.value.bytes(), use);
  RecordLife stored_life;
  std::uint64_t stored_group = kNoGroup;
  const char* at = parts.headers;
  Header header;
  for (std::int32_t i = 0; i < parts.header_count; ++i) {
    at = read_header(at, parts.end, header);
    if (at == nullptr) {
      return Fault::kMalformed;
    }
    if constexpr (kSource == Source::kProducer) {
      limits.count(header);
    } else if (header.key.starts_with(kReservedHeaders)) [[unlikely]] {
      read_stored(header, stored_life, stored_group);
    }
  }
  if (at != parts.end) {
    return Fault::kMalformed;
  }
  if constexpr (kSource == Source::kProducer) {
    columns.largest_message_bytes = std::max(columns.largest_message_bytes, limits.bytes());
    note(columns.delays_ms, columns.records.size(), limits.delay_ms(), BatchColumns::kNoDelay);
    note(columns.lives, columns.records.size(), limits.life(), RecordLife());
    note(columns.groups, columns.records.size(), limits.group(), kNoGroup);
    note(columns.priorities, columns.records.size(), limits.priority(),
         std::uint8_t{kDefaultPriority});
    const std::string_view id = limits.deduplication_id();
    note(columns.deduplication_ids, columns.records.size(),
         id.empty() ? RecordSpan()
                    : RecordSpan{static_cast<std::uint32_t>(id.data() - batch),
                                 static_cast<std::uint32_t>(id.size())},
         RecordSpan());
    return limits.verdict(static_cast<std::size_t>(parts.header_count));
  }
  note(columns.lives, columns.records.size(), stored_life, RecordLife());
  note(columns.groups, columns.records.size(), stored_group, kNoGroup);
  return Fault::kNone;
}

/// Checks every record and notes where each lies. No allocation but the columns'.
template <Source kSource>
Result<> walk(std::string_view batch, BatchUse use, BatchColumns& columns) {
  const char* at = batch.data() + kBatchHeaderBytes;
  const char* const end = batch.data() + batch.size();
  const std::size_t count = columns.count();
  // The count is only a claim; what the bytes can hold bounds what is reserved for it.
  if (count > static_cast<std::size_t>(end - at) / kMinRecordBytes) {
    return fail(Errc::kMalformed, "the batch cannot hold as many records as it says");
  }
  columns.records.reserve(count);
  RecordParts parts;
  for (std::size_t i = 0; i < count; ++i) {
    Fault fault = Fault::kNone;
    TimeMs timestamp = 0;
    if (!read_record_parts(at, end, parts)) [[unlikely]] {
      fault = Fault::kMalformed;
    } else if (parts.offset_delta != static_cast<std::int32_t>(i)) [[unlikely]] {
      fault = Fault::kNotDense;
    } else if (__builtin_add_overflow(columns.header.base_timestamp, parts.timestamp_delta,
                                      &timestamp)) [[unlikely]] {
      fault = Fault::kTimestamp;
    } else if (kSource == Source::kProducer && !is_in_range(timestamp)) [[unlikely]] {
      fault = Fault::kTimestampRange;
    } else {
      fault = check_headers<kSource>(batch.data(), parts, use, columns);
    }
    if (fault != Fault::kNone) [[unlikely]] {
      return to_error(fault, name_of(i));
    }
    columns.records.push_back(RecordSpan{static_cast<std::uint32_t>(at - batch.data()),
                                         static_cast<std::uint32_t>(parts.end - at)});
    at = parts.end;
  }
  if (at != end) {
    return fail(Errc::kMalformed, "bytes after the last record");
  }
  return {};
}

/// The header of `batch`, which must be exactly one batch with a record in it.
Result<BatchHeader> parse_only_header(std::string_view batch) {
  Result<BatchHeader> header = parse_batch_header(batch);
  if (!header) {
    return header;
  }
  if (header->total_bytes() != batch.size()) {
    return fail(Errc::kMalformed, header->total_bytes() > batch.size() ? "the batch is cut off"
                                                                       : "bytes after the batch");
  }
  if (header->record_count < 1 || header->record_count - 1 != header->last_offset_delta) {
    return fail(Errc::kMalformed, "the batch's record count and last offset do not fit together");
  }
  return header;
}

/// What a producer may not say in a batch's header.
Result<> check_producer_header(const BatchHeader& header, BatchUse use) {
  if (header.record_count > static_cast<std::int32_t>(kMaxBatchRecords)) {
    return fail(Errc::kLimitExceeded,
                "the batch has more than " + std::to_string(kMaxBatchRecords) + " records");
  }
  if (header.control()) {
    return fail(Errc::kInvalidArgument, "control batches are written by brokers only");
  }
  if (header.log_append_time()) {
    return fail(Errc::kInvalidArgument, "timestamps of the append are set by brokers only");
  }
  // Kept, it would wait for the end of a transaction that nobody has begun.
  if (header.transactional()) {
    return fail(Errc::kUnsupported, "this version has no transactions");
  }
  if ((header.attributes & ~kKnownAttributes) != 0) {
    return fail(Errc::kUnsupported, "the batch has attributes that this version does not know");
  }
  if (header.compression() == Compression::kNone) {
    return {};
  }
  if (!is_known_codec(header.compression())) {
    return fail(Errc::kUnsupported, "only lz4 and zstd batches are taken");
  }
  if (use == BatchUse::kQueue) {
    return fail(Errc::kInvalidArgument, "batches for a queue must not be compressed");
  }
  return {};
}

}  // namespace

std::optional<std::uint8_t> read_priority(std::optional<std::string_view> value) {
  if (!value || value->size() != 1 || value->front() < '0' || value->front() > '9') {
    return std::nullopt;
  }
  static_assert(kMaxPriority == 9);
  return static_cast<std::uint8_t>(value->front() - '0');
}

std::uint64_t group_hash(std::string_view group) {
  constexpr std::uint64_t kBasis = 0xcbf29ce484222325;
  constexpr std::uint64_t kPrime = 0x100000001b3;
  std::uint64_t hash = kBasis;
  for (const char byte : group) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * kPrime;
  }
  return hash != kNoGroup ? hash : kBasis;
}

Result<BatchHeader> parse_batch_header(std::string_view bytes) {
  if (bytes.size() < kBatchHeaderBytes) {
    return fail(Errc::kMalformed, "the batch is shorter than its header");
  }
  const char* const at = bytes.data();
  if (load_be<std::uint8_t>(at + kMagicAt) != kMagic) {
    return fail(Errc::kMalformed, "the batch is not of format 2");
  }
  BatchHeader header;
  header.base_offset = load_be<std::int64_t>(at + kBaseOffsetAt);
  header.batch_length = load_be<std::int32_t>(at + kBatchLengthAt);
  header.leader_epoch = load_be<std::int32_t>(at + kLeaderEpochAt);
  header.crc = load_be<std::uint32_t>(at + kCrcAt);
  header.attributes = load_be<std::uint16_t>(at + kAttributesAt);
  header.last_offset_delta = load_be<std::int32_t>(at + kLastOffsetDeltaAt);
  header.base_timestamp = load_be<std::int64_t>(at + kBaseTimestampAt);
  header.max_timestamp = load_be<std::int64_t>(at + kMaxTimestampAt);
  header.producer_id = load_be<std::int64_t>(at + kProducerIdAt);
  header.producer_epoch = load_be<std::int16_t>(at + kProducerEpochAt);
  header.base_sequence = load_be<std::int32_t>(at + kBaseSequenceAt);
  header.record_count = load_be<std::int32_t>(at + kRecordCountAt);
  constexpr auto kLengthMin = static_cast<std::int32_t>(kBatchHeaderBytes - kLengthCountsFrom);
  if (header.batch_length < kLengthMin) {
    return fail(Errc::kMalformed, "the batch's length is below its header's");
  }
  constexpr Offset kBaseOffsetMax =
      std::numeric_limits<Offset>::max() - std::numeric_limits<std::int32_t>::max() - 1;
  if (header.base_offset < 0 || header.base_offset > kBaseOffsetMax ||
      header.last_offset_delta < 0 || header.record_count < 0) {
    return fail(Errc::kMalformed, "the batch's offsets or record count are out of range");
  }
  return header;
}

Result<> check_batch_crc(std::string_view batch, const BatchHeader& header) {
  if (batch.size() < header.total_bytes()) {
    return fail(Errc::kMalformed, "the batch is cut off");
  }
  if (crc32c(0, batch.substr(kAttributesAt, header.total_bytes() - kAttributesAt)) != header.crc) {
    return make_error(Errc::kCorruptBatch);
  }
  return {};
}

Result<BatchColumns> validate_batch(std::string_view batch, BatchUse use) {
  if (batch.size() > kMaxBatchBytes) {
    return fail(Errc::kMessageTooLarge,
                "the batch is larger than " + std::to_string(kMaxBatchBytes) + " bytes");
  }
  const Result<BatchHeader> header = parse_only_header(batch);
  if (!header) {
    return header.error();
  }
  // The checksum first: whatever else a damaged batch seems to say is not its producer's fault.
  if (const Result<> intact = check_batch_crc(batch, *header); !intact) {
    return intact.error();
  }
  if (const Result<> allowed = check_producer_header(*header, use); !allowed) {
    return allowed.error();
  }
  BatchColumns columns;
  columns.header = *header;
  if (header->compression() == Compression::kNone) {
    if (const Result<> walked = walk<Source::kProducer>(batch, use, columns); !walked) {
      return walked.error();
    }
  }
  return columns;
}

Result<BatchColumns> read_columns(std::string_view batch) {
  const Result<BatchHeader> header = parse_only_header(batch);
  if (!header) {
    return header.error();
  }
  if (header->compression() != Compression::kNone) {
    return fail(Errc::kInvalidArgument, "a compressed batch has no columns");
  }
  BatchColumns columns;
  columns.header = *header;
  if (const Result<> walked = walk<Source::kStore>(batch, BatchUse::kQueue, columns); !walked) {
    return walked.error();
  }
  return columns;
}

void poke_offset_and_epoch(std::span<char> batch, Offset base_offset, std::int32_t leader_epoch) {
  WEIR_ASSERT(batch.size() >= kBatchHeaderBytes, "a batch has a whole header");
  store_be<std::int64_t>(batch.data() + kBaseOffsetAt, base_offset);
  store_be<std::int32_t>(batch.data() + kLeaderEpochAt, leader_epoch);
}

void poke_producer(std::span<char> batch, std::int64_t producer_id, std::int16_t producer_epoch,
                   std::int32_t base_sequence) {
  WEIR_ASSERT(batch.size() >= kBatchHeaderBytes, "a batch has a whole header");
  store_be<std::int64_t>(batch.data() + kProducerIdAt, producer_id);
  store_be<std::int16_t>(batch.data() + kProducerEpochAt, producer_epoch);
  store_be<std::int32_t>(batch.data() + kBaseSequenceAt, base_sequence);
  const std::string_view covered(batch.data() + kAttributesAt, batch.size() - kAttributesAt);
  store_be<std::uint32_t>(batch.data() + kCrcAt, crc32c(0, covered));
}

Result<DecodedRecord> decode_record(std::string_view bytes) {
  RecordParts parts;
  if (!read_record_parts(bytes.data(), bytes.data() + bytes.size(), parts)) {
    return fail(Errc::kMalformed, "the record is malformed");
  }
  DecodedRecord decoded;
  decoded.bytes = static_cast<std::size_t>(parts.end - bytes.data());
  decoded.record.offset_delta = parts.offset_delta;
  decoded.record.timestamp_delta = parts.timestamp_delta;
  decoded.record.key = parts.key.view();
  decoded.record.value = parts.value.view();
  // A header in memory is many times its two bytes on the wire, so the claim is reserved for only
  // as far as producers may go.
  decoded.record.headers.reserve(
      std::min(static_cast<std::size_t>(parts.header_count), kMaxHeaders));
  const char* at = parts.headers;
  for (std::int32_t i = 0; i < parts.header_count; ++i) {
    Header header;
    at = read_header(at, parts.end, header);
    if (at == nullptr) {
      return fail(Errc::kMalformed, "a header of the record is malformed");
    }
    decoded.record.headers.push_back(header);
  }
  if (at != parts.end) {
    return fail(Errc::kMalformed, "the record is longer than its fields");
  }
  return decoded;
}

Result<std::string_view> batch_records(std::string_view batch, const BatchHeader& header,
                                       std::size_t max_bytes, std::string& scratch) {
  if (batch.size() < header.total_bytes()) {
    return fail(Errc::kMalformed, "the batch is cut off");
  }
  const std::string_view stored =
      batch.substr(kBatchHeaderBytes, header.total_bytes() - kBatchHeaderBytes);
  if (header.compression() == Compression::kNone) {
    return stored;
  }
  if (const Result<> done = decompress(header.compression(), stored, max_bytes, scratch); !done) {
    return done.error();
  }
  return std::string_view(scratch);
}

Result<> check_record(const RecordInput& record, BatchUse use) {
  RecordLimits limits(size_of(record.key) + size_of(record.value), use);
  for (const Header& header : record.headers) {
    limits.count(header);
  }
  const Fault fault = is_in_range(record.timestamp) ? limits.verdict(record.headers.size())
                                                    : Fault::kTimestampRange;
  if (fault != Fault::kNone) {
    return to_error(fault, "the message");
  }
  return {};
}

}  // namespace weir::proto
