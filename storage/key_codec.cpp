#include "storage/key_codec.hpp"

#include "proto/endian.hpp"

#include <algorithm>

namespace weir::storage {
namespace {

constexpr std::size_t kKindBytes = 1;
constexpr std::size_t kObjectBytes = kKindBytes + 8;
constexpr std::size_t kGenerationBytes = kObjectBytes + 4;
constexpr std::size_t kBatchKeyBytes = kGenerationBytes + 8;
constexpr std::size_t kTimedBatchKeyBytes = kBatchKeyBytes + 8;
constexpr std::size_t kAttemptKeyBytes = kBatchKeyBytes + 2;
constexpr std::size_t kDeduplicationKeyBytes = kBatchKeyBytes + 16;
constexpr std::size_t kProducerWindowKeyBytes = kObjectBytes + 8;

template <class Unsigned>
Unsigned read_big_endian(std::string_view bytes, std::size_t position) {
  return proto::load_be<Unsigned>(bytes.data() + position);
}

// Offsets and times on disk are never negative. A bound made from a negative one (a peer may ask
// for offset -1) must sort before every row, not behind all of them.
std::uint64_t not_negative(std::int64_t number) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0));
}

// The inverse; nullopt for a number that not_negative() cannot have made.
std::optional<std::int64_t> read_not_negative(std::string_view bytes, std::size_t position) {
  const auto number = static_cast<std::int64_t>(read_big_endian<std::uint64_t>(bytes, position));
  return number < 0 ? std::nullopt : std::optional(number);
}

bool has_shape(std::string_view key, KeyKind kind, std::size_t bytes) {
  return key.size() == bytes && key.front() == static_cast<char>(kind);
}

}  // namespace

Key meta_key(MetaRow row) {
  Key key(KeyKind::kMeta);
  key.append(static_cast<std::uint8_t>(row));
  return key;
}

Key object_key(KeyKind kind, std::uint64_t id) {
  Key key(kind);
  key.append(id);
  return key;
}

Key batch_key(KeyKind kind, std::uint64_t id, std::uint32_t generation, proto::Offset last_offset) {
  Key key(kind);
  key.append(id);
  key.append(generation);
  key.append(not_negative(last_offset));
  return key;
}

Key timed_batch_key(KeyKind kind, std::uint64_t id, std::uint32_t generation, std::int64_t when,
                    proto::Offset last_offset) {
  Key key(kind);
  key.append(id);
  key.append(generation);
  key.append(not_negative(when));
  key.append(not_negative(last_offset));
  return key;
}

Key attempt_key(proto::QueueId queue, std::uint32_t generation, proto::Offset offset,
                std::uint16_t attempt) {
  Key key(KeyKind::kAttempt);
  key.append(queue.value);
  key.append(generation);
  key.append(not_negative(offset));
  key.append(attempt);
  return key;
}

Key deduplication_key(proto::QueueId queue, std::uint32_t generation, std::int64_t part,
                      DeduplicationIdView id) {
  Key key(KeyKind::kDeduplication);
  key.append(queue.value);
  key.append(generation);
  key.append(not_negative(part));
  for (const std::uint8_t byte : id) {
    key.append(byte);
  }
  return key;
}

std::string deduplication_prefix(proto::QueueId queue, std::uint32_t generation,
                                 std::int64_t part) {
  Key key(KeyKind::kDeduplication);
  key.append(queue.value);
  key.append(generation);
  key.append(not_negative(part));
  return key.to_string();
}

Key producer_window_key(proto::ProducerId producer, proto::LogId log) {
  Key key(KeyKind::kProducerWindow);
  key.append(producer.value);
  key.append(log.value);
  return key;
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xffU) {
    end.pop_back();
  }
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1U);
  }
  return end;
}

std::string kind_prefix(KeyKind kind) {
  return Key(kind).to_string();
}

std::string object_prefix(KeyKind kind, std::uint64_t id) {
  return object_key(kind, id).to_string();
}

std::string generation_prefix(KeyKind kind, std::uint64_t id, std::uint32_t generation) {
  Key key(kind);
  key.append(id);
  key.append(generation);
  return key.to_string();
}

std::optional<std::uint64_t> parse_object_key(KeyKind kind, std::string_view key) {
  if (!has_shape(key, kind, kObjectBytes)) {
    return std::nullopt;
  }
  return read_big_endian<std::uint64_t>(key, kKindBytes);
}

std::optional<BatchKey> parse_batch_key(KeyKind kind, std::string_view key) {
  if (!has_shape(key, kind, kBatchKeyBytes)) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> last_offset = read_not_negative(key, kGenerationBytes);
  if (!last_offset) {
    return std::nullopt;
  }
  return BatchKey{.id = read_big_endian<std::uint64_t>(key, kKindBytes),
                  .generation = read_big_endian<std::uint32_t>(key, kObjectBytes),
                  .last_offset = *last_offset};
}

std::optional<TimedBatchKey> parse_timed_batch_key(KeyKind kind, std::string_view key) {
  if (!has_shape(key, kind, kTimedBatchKeyBytes)) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> when = read_not_negative(key, kGenerationBytes);
  const std::optional<std::int64_t> last_offset = read_not_negative(key, kGenerationBytes + 8);
  if (!when || !last_offset) {
    return std::nullopt;
  }
  return TimedBatchKey{.id = read_big_endian<std::uint64_t>(key, kKindBytes),
                       .generation = read_big_endian<std::uint32_t>(key, kObjectBytes),
                       .when = *when,
                       .last_offset = *last_offset};
}

std::optional<AttemptKey> parse_attempt_key(std::string_view key) {
  if (!has_shape(key, KeyKind::kAttempt, kAttemptKeyBytes)) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> offset = read_not_negative(key, kGenerationBytes);
  const auto attempt = read_big_endian<std::uint16_t>(key, kBatchKeyBytes);
  if (!offset || attempt == 0) {
    return std::nullopt;
  }
  return AttemptKey{.queue = proto::QueueId(read_big_endian<std::uint64_t>(key, kKindBytes)),
                    .generation = read_big_endian<std::uint32_t>(key, kObjectBytes),
                    .offset = *offset,
                    .attempt = attempt};
}

std::optional<DeduplicationKey> parse_deduplication_key(std::string_view key) {
  if (!has_shape(key, KeyKind::kDeduplication, kDeduplicationKeyBytes)) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> part = read_not_negative(key, kGenerationBytes);
  if (!part) {
    return std::nullopt;
  }
  return DeduplicationKey{.queue = proto::QueueId(read_big_endian<std::uint64_t>(key, kKindBytes)),
                          .generation = read_big_endian<std::uint32_t>(key, kObjectBytes),
                          .part = *part};
}

std::optional<ProducerWindowKey> parse_producer_window_key(std::string_view key) {
  if (!has_shape(key, KeyKind::kProducerWindow, kProducerWindowKeyBytes)) {
    return std::nullopt;
  }
  return ProducerWindowKey{
      .producer = proto::ProducerId(read_big_endian<std::uint64_t>(key, kKindBytes)),
      .log = proto::LogId(read_big_endian<std::uint64_t>(key, kObjectBytes))};
}

}  // namespace weir::storage
