#pragma once

#include "broker/core/attempt.hpp"
#include "broker/core/command.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/commit_chain.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// Answers to requests, and deliveries: plain values that the session turns into frames.
namespace weir::core {

struct Done {};

struct QueueInfo {
  std::string name;
  Uuid uuid{};
  proto::QueueId id;
  QueueSettings settings;
  QueuePause pause;
  std::uint64_t ready = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t delayed = 0;
  std::uint64_t dying = 0;
  std::uint64_t parked = 0;
  std::uint64_t bytes = 0;
  proto::Offset next_offset = 0;         // as many messages as ever came to its lanes
  proto::TimeMs oldest_append_time = 0;  // 0: empty
  bool created = false;
  std::uint32_t subscribers = 0;

  [[nodiscard]] std::uint64_t messages() const {
    return ready + in_flight + delayed + dying + parked;
  }
};

struct QueueUpdate {
  QueueInfo queue;  // as it is now
  std::vector<SettingChange> changes;
};

/// A redrive, with the names of its queues.
struct RedriveInfo {
  Redrive redrive;
  std::string name;    // of the queue whose messages it takes
  std::string target;  // empty: each message goes to where it died; or that queue is gone
};
struct RedriveList {
  std::vector<RedriveInfo> redrives;
  std::string next;
};

struct PartitionInfo {
  std::uint32_t partition = 0;
  proto::Offset log_start = 0;
  proto::Offset high_watermark = 0;
  proto::Offset last_stable = 0;
  std::uint32_t leader_epoch = 0;
  std::uint64_t bytes = 0;
};

struct TopicInfo {
  std::string name;
  Uuid uuid{};
  proto::TopicId id;
  TopicSettings settings;
  std::vector<PartitionInfo> partitions;
  bool created = false;
};

struct NamespaceInfo {
  std::string name;
  proto::NamespaceId id;
  std::uint64_t queues = 0;
  std::uint64_t topics = 0;
  bool created = false;
};

/// Who is at the other end of a session, in its own words but for the address.
struct ClientFacts {
  std::string service;
  std::string client;  // library and version
  std::string address;
  std::string name_space;
  proto::TimeMs since = 0;
};
struct ClientInfo {
  proto::SessionId session;
  ClientFacts facts;
  std::uint32_t subscriptions = 0;
  std::uint64_t in_flight = 0;  // pushed and not settled
};

/// A page. `next` names where the following one begins; empty when this is the last.
struct QueueList {
  std::vector<QueueInfo> queues;
  std::string next;
};
struct TopicList {
  std::vector<TopicInfo> topics;
  std::string next;
};
struct NamespaceList {
  std::vector<NamespaceInfo> namespaces;
  std::string next;
};
struct ClientList {
  std::vector<ClientInfo> clients;
  std::string next;
};

struct ProducerInfo {
  proto::ProducerId id;
  std::uint16_t epoch = 0;
};

struct Attached {
  bool topic = false;
  std::uint64_t id = 0;            // of the queue or topic
  std::vector<proto::LogId> logs;  // one a partition; one for a queue
};

struct Subscribed {
  proto::QueueId id;
  std::int64_t lease_ms = 0;
  std::int64_t max_receive_count = 0;
  std::int64_t redelivery_delay_ms = 0;
};

/// One lease over one slice of one batch.
struct Delivery {
  proto::GrantId grant;
  std::uint64_t nonce = 0;
  proto::QueueId queue;
  std::uint32_t generation = 0;
  proto::Offset base_offset = 0;  // of the batch
  std::uint32_t first_index = 0;
  std::uint32_t span = 0;      // places from there on in which they lie
  std::uint32_t count = 0;     // of messages: what else is there is done
  std::uint16_t attempts = 0;  // before this one
  std::uint16_t failures = 0;  // among those
  std::uint16_t losses = 0;    // among those
  bool again = false;          // was handed out before, whether anybody began it or not
  std::int64_t lease_ms = 0;
  proto::TimeMs base_timestamp = 0;
  proto::SharedBytes records;  // one behind the other
};

struct Received {
  proto::QueueId id;
  std::uint32_t generation = 0;
  std::int64_t lease_ms = 0;
  std::vector<Delivery> deliveries;
};

/// A message as it lies in the store.
struct PeekedMessage {
  proto::Offset base_offset = 0;  // of its batch
  std::uint32_t index = 0;
  MessageState state = MessageState::kReady;
  std::uint16_t attempts = 0;
  std::uint16_t failures = 0;
  proto::TimeMs due_time = 0;  // when it may be handed out, or its lease ends; 0: neither
  proto::TimeMs append_time = 0;
  proto::TimeMs base_timestamp = 0;
  proto::SharedBytes record;
  std::string id;
  std::string consumer;               // who has it, as Attempt tells it; empty: nobody
  proto::TimeMs leased_time = 0;      // and since when; 0: nobody, or not known
  std::vector<Attempt> history = {};  // where that was asked for
};
struct Peeked {
  std::vector<PeekedMessage> messages;
  proto::Offset next_offset = 0;
  bool is_end = false;
  bool is_older_id = false;  // asked for by an id of the queue's of before an import
};

/// A message that is put off.
struct DelayedMessage {
  std::string id;
  proto::TimeMs due_time = 0;
  proto::TimeMs append_time = 0;  // when it was sent
  proto::TimeMs base_timestamp = 0;
  proto::SharedBytes record;
};
struct DelayedList {
  std::vector<DelayedMessage> messages;
  std::string next;
};
struct DelayedChanged {
  std::vector<proto::Result<>> outcomes;  // one an id, in their order
};

struct SettledMany {
  std::vector<proto::Result<>> outcomes;  // one an entry, in their order
};

struct PartitionPosition {
  std::uint32_t partition = 0;
  proto::Offset offset = 0;
  proto::Offset high_watermark = 0;
  proto::Offset log_start = 0;
};
struct SubscribedTopic {
  proto::TopicId id;
  std::vector<PartitionPosition> positions;
};
struct Offsets {
  std::vector<PartitionPosition> positions;
};

/// What a backup holds. Everything that was acknowledged up to `point` is in it.
struct BackupSummary {
  std::uint32_t incarnation = 0;
  storage::CommitPoint point;
  std::uint64_t rows = 0;
  std::uint64_t row_bytes = 0;
  std::uint64_t rows_digest = 0;
};

struct BackupBlock {
  std::uint64_t backup = 0;
  std::uint64_t block = 0;
  std::string bytes;                     // of the stream that storage/export.hpp writes
  std::optional<BackupSummary> summary;  // with the last block
  std::uint64_t expected_bytes = 0;      // of all blocks, about; with the first
};

using Reply = std::variant<Done, QueueInfo, TopicInfo, ProducerInfo, Attached, Subscribed, Received,
                           SubscribedTopic, Offsets, BackupBlock, QueueList, TopicList, QueueUpdate,
                           NamespaceInfo, NamespaceList, ClientInfo, ClientList, Peeked,
                           SettledMany, RedriveInfo, RedriveList, DelayedList, DelayedChanged>;

}  // namespace weir::core
