#pragma once

#include "broker/core/command.hpp"
#include "broker/core/queue/touched_batch.hpp"
#include "broker/core/redrive.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// What happened: the only thing that changes a shard's state. A record holds everything that the
// change needs - times, ids, random bits - so that applying it is the same everywhere and always.
namespace weir::core {

struct NamespaceCreated {
  proto::NamespaceId id;
  std::string name;
};

/// It was empty.
struct NamespaceDeleted {
  proto::NamespaceId id;
};

struct QueueCreated {
  proto::QueueId id;
  proto::NamespaceId name_space;
  std::string name;
  Uuid uuid{};
  QueueSettings settings;            // with defaults filled in
  proto::QueueId dead_letter_queue;  // 0: none
  QueuePause pause = {};
};

/// Its settings from here on, and what of it is paused: the rest of the definition never changes.
struct QueueChanged {
  QueueCreated definition;
};

/// Everything in it is gone; what comes from here on is of the next generation.
struct QueuePurged {
  proto::QueueId queue;
};

/// It is gone with everything in it, and its id is never given again.
struct QueueDeleted {
  proto::QueueId queue;
};
struct TopicDeleted {
  proto::TopicId topic;
};

struct TopicCreated {
  proto::TopicId id;
  proto::NamespaceId name_space;
  std::string name;
  Uuid uuid{};
  std::vector<proto::PartitionId> partitions;
  std::uint32_t leader_epoch = 0;  // in which its partitions begin
};

struct ProducerStarted {
  proto::ProducerId id;
  std::uint16_t epoch = 0;
  proto::TimeMs time = 0;
};
struct ProducerForgotten {
  proto::ProducerId id;
};

/// `stored` is complete: header of ours, batch with offset and epoch in place.
struct BatchAppended {
  proto::LogId log;
  bool topic = false;
  proto::Offset base_offset = 0;
  std::uint32_t count = 0;
  proto::TimeMs time = 0;
  std::int64_t producer_id = -1;  // -1: not idempotent
  std::uint16_t producer_epoch = 0;
  std::int32_t base_sequence = -1;
  proto::SharedBytes stored;
};

/// Neighbouring messages that are put off until `due`, as a row of their own. They are not in the
/// queue's log yet: their offsets are those of the delay lane.
struct Delayed {
  proto::QueueId queue;
  proto::TimeMs due = 0;
  proto::Offset base_offset = 0;
  std::uint32_t count = 0;
  proto::TimeMs time = 0;     // when they were sent
  proto::SharedBytes stored;  // as a stored batch
};
/// Such a row is gone: what it held is ready, put off to another time, or cancelled, by what else
/// is in the unit.
struct DelayEnded {
  proto::QueueId queue;
  proto::TimeMs due = 0;
  proto::Offset last_offset = 0;
  std::uint32_t count = 0;
  std::uint64_t bytes = 0;
};
/// Messages that are known by their ids from here on, as rows of the part that begins then; parts
/// that began before `first_part` are forgotten.
struct Deduplicated {
  struct Id {
    DeduplicationId id{};
    proto::Offset offset = 0;
  };
  proto::QueueId queue;
  proto::TimeMs part = 0;
  proto::TimeMs first_part = 0;
  proto::TimeMs time = 0;  // when they came
  std::vector<Id> ids;
};
/// The messages of a producer's batch that went to one lane of a queue.
struct SentPart {
  proto::Offset base_offset = 0;  // which tells the lane
  std::uint32_t count = 0;
  std::uint64_t group = 0;  // they are those of that group; 0: all others of the priority
  friend bool operator==(const SentPart&, const SentPart&) = default;
};
/// A producer's batch was taken, though not appended as one.
struct SequenceTaken {
  proto::LogId log;
  std::int64_t producer_id = -1;
  std::uint16_t producer_epoch = 0;
  std::int32_t base_sequence = -1;
  std::uint32_t count = 0;
  proto::Offset base_offset = 0;
  proto::TimeMs time = 0;
  std::vector<SentPart> parts = {};  // where it went to several lanes
};

/// Neighbouring messages of one batch of one queue.
struct MessageRange {
  proto::QueueId queue;           // the lane of it
  proto::Offset base_offset = 0;  // of the batch
  proto::Offset last_offset = 0;  // of the batch
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct Leased {
  MessageRange range;
  proto::GrantId grant;
  std::uint64_t nonce = 0;
  proto::TimeMs deadline = 0;
  bool started = false;           // the attempt counts at hand-out
  std::uint64_t batch_bytes = 0;  // what the batch takes in the store
  proto::TimeMs append_time = 0;  // of the batch
  /// Of the batch at the cursor afterwards; where that one is not in memory, of this one.
  proto::TimeMs cursor_time = 0;
  proto::TimeMs time = 0;   // of the hand-out
  Holder holder = nullptr;  // to whom
  /// The groups of all messages of the batch, where it is the first that is told of a FIFO queue's
  /// batch; else empty.
  std::vector<std::uint64_t> groups = {};
};
struct Acked {
  MessageRange range;
};
/// Why a lease ended with the message not done. Numbers are part of the format on disk.
enum class ReturnCause : std::uint8_t {
  kReleased = 1,   // given back: no failure
  kFailed = 2,     // a failure
  kPoison = 3,     // a failure, and the last one
  kTransient = 4,  // no failure
  kNotNow = 5,     // no failure
  kExpired = 6,    // the lease ended: a failure, if a handler had begun
  kLost = 7,       // the same, and whoever had it is gone
  kUnsaid = 8,     // the hand-out never left the broker: what it counted is taken back
};

/// Back in the queue, or over the limit: the failures decide, message by message. In a FIFO queue
/// those go back as well, as released, that were handed out behind one of the same group.
struct Returned {
  MessageRange range;
  proto::TimeMs due = 0;
  ReturnCause cause = ReturnCause::kReleased;
  proto::TimeMs time = 0;
  std::string reason = {};  // in the handler's words; empty: it said none
};
struct Extended {
  MessageRange range;
  proto::TimeMs deadline = 0;
};
struct Started {
  MessageRange range;
};
/// Gone to the dead-letter queue: the batch with the copies is appended in the same unit.
struct DeadLettered {
  MessageRange range;
};
/// Never handed out, and behind the cursor from here on: ready as before, as if given back.
struct Passed {
  MessageRange range;
  std::uint64_t batch_bytes = 0;  // what the batch takes in the store
  proto::TimeMs append_time = 0;  // of the batch
  proto::TimeMs cursor_time = 0;  // as in Leased
  proto::TimeMs due = 0;
  std::vector<std::uint64_t> groups = {};  // as in Leased
};
/// Of no use any more, and not in anybody's hands: gone, or on the way to the dead-letter queue.
/// Either all of them were handed out before, or none was; then all in front of them was.
struct Expired {
  MessageRange range;
  bool is_dead_lettered = false;
  std::uint64_t batch_bytes = 0;           // what the batch takes in the store
  proto::TimeMs append_time = 0;           // of the batch
  proto::TimeMs cursor_time = 0;           // as in Leased
  std::vector<std::uint64_t> groups = {};  // as in Leased
};
/// Gone to another queue: the batch with the copies is appended in the same unit.
struct Moved {
  MessageRange range;
};
/// Parked messages are ready again, and nothing that was said of them counts any more.
struct Unparked {
  MessageRange range;
  proto::TimeMs due = 0;
};
/// Begun, a step further, or ended.
struct RedriveChanged {
  Redrive redrive;
};
/// A touched batch of which nothing is under way lies in the store alone from here on.
struct PagedOut {
  proto::QueueId queue;
  proto::Offset last_offset = 0;
};
/// It is in memory again. The record brings it along, so that applying it reads nothing.
struct PagedIn {
  proto::QueueId queue;
  TouchedBatch batch;
};

/// Old handles, ids and producers must not fit any more: offsets may come a second time.
struct IncarnationRaised {
  std::uint32_t incarnation = 0;
};

using Record =
    std::variant<NamespaceCreated, QueueCreated, TopicCreated, ProducerStarted, ProducerForgotten,
                 BatchAppended, Leased, Acked, Returned, Extended, Started, DeadLettered, PagedOut,
                 PagedIn, IncarnationRaised, QueueChanged, QueuePurged, QueueDeleted, TopicDeleted,
                 NamespaceDeleted, Passed, Moved, Unparked, RedriveChanged, Delayed, DelayEnded,
                 SequenceTaken, Expired, Deduplicated>;

}  // namespace weir::core
