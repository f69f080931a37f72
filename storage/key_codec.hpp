#pragma once

#include "proto/endian.hpp"
#include "proto/ids.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Keys: u8 kind, then big-endian numbers, so that byte order is number order. A log row is keyed by
// the *last* offset of its batch: one seek finds the batch that holds, or follows, an offset.
// Queue rows carry the queue's generation; a purge is generation + 1 and the old rows are swept.
namespace weir::storage {

/// First byte of a key. Numbers are part of the format on disk and are never reused.
enum class KeyKind : std::uint8_t {
  // family kState
  kMeta = 0x01,            // MetaRow
  kNamespace = 0x10,       // NamespaceId
  kQueue = 0x11,           // QueueId: definition
  kTopic = 0x12,           // TopicId: definition
  kQueueState = 0x20,      // QueueId: offsets and counters
  kTouchedBatch = 0x21,    // QueueId, generation, last offset
  kReturnedIndex = 0x22,   // QueueId, generation, due time, last offset
  kAttempt = 0x23,         // QueueId, generation, offset of a message, number of the attempt
  kRedrive = 0x24,         // QueueId of the source: the newest one
  kDelayIndex = 0x25,      // QueueId, generation, last offset: when that row of kDelayed is due
  kDeduplication = 0x26,   // QueueId, generation, when its part began, deduplication id
  kPartitionState = 0x30,  // PartitionId
  kTimeIndex = 0x31,       // LogId, generation, append time, last offset
  kProducer = 0x40,        // ProducerId
  kProducerWindow = 0x41,  // ProducerId, LogId
  // family kLog
  kBatch = 0x01,    // LogId, generation, last offset
  kDelayed = 0x02,  // QueueId, generation, due time, last offset
};

/// The rows of kind kMeta: one of each per shard.
enum class MetaRow : std::uint8_t { kFormat = 1, kCommit = 2, kAllocator = 3, kImport = 4 };

/// A key as a value of its own: they are short, and made for each row of a commit.
class Key {
 public:
  explicit Key(KeyKind kind) { append(static_cast<std::uint8_t>(kind)); }

  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
  operator std::string_view() const { return view(); }  // NOLINT: it is one, and nothing else
  [[nodiscard]] std::string to_string() const { return std::string(view()); }
  friend bool operator==(const Key& one, std::string_view other) { return one.view() == other; }
  friend auto operator<=>(const Key& one, std::string_view other) { return one.view() <=> other; }

  /// Appends a big-endian number.
  template <class Unsigned>
  void append(Unsigned number) {
    proto::store_be<Unsigned>(bytes_.data() + size_, number);
    size_ = static_cast<std::uint8_t>(size_ + sizeof(Unsigned));
  }

 private:
  std::array<char, 39> bytes_;  // more than the longest takes
  std::uint8_t size_ = 0;
};

Key meta_key(MetaRow row);
/// For kNamespace, kQueue, kTopic, kQueueState, kRedrive, kPartitionState, kProducer.
Key object_key(KeyKind kind, std::uint64_t id);
/// For kTouchedBatch, kDelayIndex and kBatch.
Key batch_key(KeyKind kind, std::uint64_t id, std::uint32_t generation, proto::Offset last_offset);
/// For kReturnedIndex and kDelayed (`when` = due time), kTimeIndex (`when` = append time), in ms.
Key timed_batch_key(KeyKind kind, std::uint64_t id, std::uint32_t generation, std::int64_t when,
                    proto::Offset last_offset);
/// For kAttempt; attempts count from 1.
Key attempt_key(proto::QueueId queue, std::uint32_t generation, proto::Offset offset,
                std::uint16_t attempt);
/// For kDeduplication.
using DeduplicationIdView = std::span<const std::uint8_t, 16>;
Key deduplication_key(proto::QueueId queue, std::uint32_t generation, std::int64_t part,
                      DeduplicationIdView id);
/// Prefix of all keys of one part.
std::string deduplication_prefix(proto::QueueId queue, std::uint32_t generation, std::int64_t part);
Key producer_window_key(proto::ProducerId producer, proto::LogId log);

/// The smallest key greater than every key that begins with `prefix`: the upper bound of a scan.
std::string prefix_end(std::string_view prefix);
/// Prefix of all keys of one kind; of one object; of one generation of an object.
std::string kind_prefix(KeyKind kind);
std::string object_prefix(KeyKind kind, std::uint64_t id);
std::string generation_prefix(KeyKind kind, std::uint64_t id, std::uint32_t generation);

struct BatchKey {
  std::uint64_t id = 0;
  std::uint32_t generation = 0;
  proto::Offset last_offset = 0;
};
struct TimedBatchKey {
  std::uint64_t id = 0;
  std::uint32_t generation = 0;
  std::int64_t when = 0;
  proto::Offset last_offset = 0;
};
struct AttemptKey {
  proto::QueueId queue;
  std::uint32_t generation = 0;
  proto::Offset offset = 0;
  std::uint16_t attempt = 0;
};
struct DeduplicationKey {
  proto::QueueId queue;
  std::uint32_t generation = 0;
  std::int64_t part = 0;
};
struct ProducerWindowKey {
  proto::ProducerId producer;
  proto::LogId log;
};
/// The parts of a key, or nullopt when it has another kind or length.
std::optional<std::uint64_t> parse_object_key(KeyKind kind, std::string_view key);
std::optional<BatchKey> parse_batch_key(KeyKind kind, std::string_view key);
std::optional<TimedBatchKey> parse_timed_batch_key(KeyKind kind, std::string_view key);
std::optional<AttemptKey> parse_attempt_key(std::string_view key);
std::optional<DeduplicationKey> parse_deduplication_key(std::string_view key);
std::optional<ProducerWindowKey> parse_producer_window_key(std::string_view key);

}  // namespace weir::storage
