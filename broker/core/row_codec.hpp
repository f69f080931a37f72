#pragma once

#include "broker/core/attempt.hpp"
#include "broker/core/deduplication.hpp"
#include "broker/core/partition.hpp"
#include "broker/core/producers.hpp"
#include "broker/core/queue/queue.hpp"
#include "broker/core/record.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

// Values of the rows in the store: messages of weir.storage.v1. Decoding checks what a damaged or
// foreign row could get wrong; CORRUPT_BATCH names the row.
namespace weir::core::rows {

std::string encode(const NamespaceCreated& row);
std::string encode(const QueueCreated& row);
std::string encode(const TopicCreated& row);
std::string encode(const Queue::Counters& row);
std::string encode(const Partition& row);
std::string encode(const ProducerWindow& row);

struct TouchedRow {
  TouchedBatch batch;
  bool is_cold = false;  // in the store alone
};
std::string encode(const TouchedBatch& batch, bool is_cold);
/// Of neighbouring messages, from the one of the key on: of those that were not done.
struct SharedAttempt {
  Attempt attempt;
  std::uint32_t messages = 1;
};
std::string encode(const SharedAttempt& row);
std::string encode(const Redrive& row);

/// Where a row of the delay lane is found by the offsets of its messages.
struct DelayIndex {
  proto::TimeMs due = 0;
  std::uint32_t count = 0;
};
std::string encode(const DelayIndex& row);

std::string encode(const KnownMessage& row);

struct ProducerHead {
  std::uint16_t epoch = 0;
  proto::TimeMs used_time = 0;
};
std::string encode(const ProducerHead& row);

struct AllocatorValues {
  std::uint64_t next_object = 1;
  std::uint64_t next_producer = 1;
  std::uint64_t next_grant = 1;
  std::uint32_t incarnation = 1;
};
std::string encode(const AllocatorValues& row);

proto::Result<NamespaceCreated> decode_namespace(std::string_view bytes);
proto::Result<QueueCreated> decode_queue(std::string_view bytes);
proto::Result<TopicCreated> decode_topic(std::string_view bytes);
proto::Result<Queue::Counters> decode_counters(std::string_view bytes);
proto::Result<TouchedRow> decode_touched(std::string_view bytes, proto::Offset last_offset);
proto::Result<SharedAttempt> decode_attempt(std::string_view bytes, std::uint16_t number);
proto::Result<Redrive> decode_redrive(std::string_view bytes);
proto::Result<DelayIndex> decode_delay_index(std::string_view bytes);
proto::Result<KnownMessage> decode_deduplication(std::string_view bytes);
/// Sets the durable fields of `partition`.
proto::Result<> decode_partition(std::string_view bytes, Partition& partition);
proto::Result<ProducerWindow> decode_window(std::string_view bytes);
proto::Result<ProducerHead> decode_producer(std::string_view bytes);
proto::Result<AllocatorValues> decode_allocator(std::string_view bytes);

}  // namespace weir::core::rows
