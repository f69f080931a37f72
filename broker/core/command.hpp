#pragma once

#include "broker/core/header_changes.hpp"
#include "broker/core/message_filter.hpp"
#include "broker/core/queue_settings.hpp"
#include "broker/core/redrive.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/frame/frames.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What the outside asks of a shard. Everything that a decision may not invent - time, random bits,
// UUIDs - stands in the command or is handed to decide() beside it.
namespace weir::core {

using Uuid = std::array<std::uint8_t, 16>;

struct TopicSettings {
  std::uint32_t partitions = 0;  // 0: 1
};

/// Succeeds when it exists with equal settings; otherwise ALREADY_EXISTS with the difference.
struct CreateQueue {
  std::string name_space;
  std::string name;
  QueueSettings settings;
  Uuid uuid{};
};
/// Changes what is set of a queue, and pauses or resumes it; the answer tells the difference.
struct UpdateQueue {
  std::string name_space;
  std::string name;
  QueueChanges changes;
  bool dry_run = false;  // nothing is changed
};
/// Everything that the queue holds is gone at once, leased messages too.
struct PurgeQueue {
  std::string name_space;
  std::string name;
};
/// Begins to move messages of a dead-letter queue back, to make a queue's parked messages ready, or
/// to drop either.
/// IN_USE while another one of that queue runs.
struct StartRedrive {
  std::string name_space = {};
  std::string name = {};    // of the queue whose messages it takes
  std::string target = {};  // empty: each goes to where it died
  bool parked = false;
  bool dry_run = false;            // counts, and changes nothing
  bool drop = false;               // they are gone, and come to no other queue
  bool keep_attempts = false;      // what is told of their attempts goes with them
  std::uint64_t max_messages = 0;  // 0: all
  std::uint64_t rate = 0;          // messages a second at most; 0: no bound
  MessageFilter filter = {};
  HeaderChanges headers = {};  // on the way
};
/// Messages that are put off, the next one that is due first.
struct ListDelayed {
  std::string name_space;
  std::string queue;
  std::string after;               // as a page names its next one; empty: from the first
  std::uint32_t max_messages = 0;  // 0: proto::kMaxPageResults
};
/// Messages that are put off go, or are put off until another time. Each by itself.
struct ChangeDelayed {
  std::string name_space;
  std::string queue;
  std::vector<std::string> message_ids;
  std::optional<std::int64_t> delay_ms;  // from now on; nullopt: they are cancelled
};
/// What was moved stays moved.
struct CancelRedrive {
  std::string name_space;
  std::string name;  // of the queue whose messages it takes
};
struct DeleteQueue {
  std::string name_space;
  std::string name;
  /// Queues whose dead letters go to it have no dead-letter queue from here on.
  bool force = false;
};
struct DeleteTopic {
  std::string name_space;
  std::string name;
};
struct CreateTopic {
  std::string name_space;
  std::string name;
  TopicSettings settings;
  Uuid uuid{};
};
struct DescribeQueue {
  std::string name_space;
  std::string name;
};
struct DescribeTopic {
  std::string name_space;
  std::string name;
};

/// One page of a list, in the order of names.
struct ListPage {
  std::string pattern;            // of the names; `*` is any text, `?` any character; empty: all
  std::string after;              // names behind this one; empty: from the first
  std::uint32_t max_results = 0;  // 0: proto::kMaxPageResults
};
struct ListQueues {
  std::string name_space;
  ListPage page;
};
struct ListTopics {
  std::string name_space;
  ListPage page;
};

/// The newest redrive of each queue that had one.
struct ListRedrives {
  std::string name_space;
  ListPage page;
};

/// Succeeds when it exists.
struct CreateNamespace {
  std::string name;
};
struct DescribeNamespace {
  std::string name;
};
struct ListNamespaces {
  ListPage page;
};
/// Only when nothing is in it.
struct DeleteNamespace {
  std::string name;
};

/// Connections, of all namespaces; the pattern is for their services.
struct ListClients {
  ListPage page;
};
/// Ends a connection.
struct KickClient {
  proto::SessionId session;
};

/// Looks at messages, in the order of offsets, and changes nothing.
enum class MessageState : std::uint8_t {
  kAny = 0,  // of a question only
  kReady = 1,
  kDelayed = 2,
  kInFlight = 3,
  kDying = 4,
  kParked = 5,
};
struct PeekQueue {
  std::string name_space;
  std::string queue;
  MessageState state = MessageState::kAny;
  proto::Offset from_offset = 0;
  std::uint32_t max_messages = 0;  // 0: proto::kMaxPageResults
  MessageFilter filter = {};       // by an id what is put off is found, too
  bool with_attempts = false;      // tells what is remembered of each
};

/// A fresh producer id (previous 0), or the next epoch of an earlier one.
struct InitProducer {
  proto::ProducerId previous;
  std::uint16_t previous_epoch = 0;
};

/// Names a destination for sends.
struct Attach {
  std::string name_space;
  std::string name;
  bool topic = false;
};

/// Pushes a queue's messages to (session, alias) under credit.
struct Subscribe {
  std::string name_space;
  std::string queue;
  std::uint32_t alias = 0;
  std::optional<std::int64_t> lease_ms = {};  // nullopt: the queue's; never 0
  std::uint32_t window_messages = 0;
  std::uint32_t window_bytes = 0;
};
struct Unsubscribe {
  std::uint32_t alias = 0;
};

/// Takes up to max_messages, waiting for the first one until wait_ms have passed.
struct Receive {
  std::string name_space;
  std::string queue;
  std::uint32_t max_messages = 1;
  std::uint32_t max_bytes = 0;
  std::int64_t wait_ms = 0;
  std::optional<std::int64_t> lease_ms = {};  // nullopt: the queue's; 0: of nothing
};

/// Settles one message by receipt handle, from any session.
struct SettleByHandle {
  std::string handle;
  proto::SettleKind kind = proto::SettleKind::kAck;
  std::uint32_t value_ms = 0;
  std::string name_space;
  std::string queue;        // empty: whichever the handle names
  std::string reason = {};  // of what hands it out again, in the handler's words
};
/// Settles several, each for itself.
struct SettleManyByHandle {
  /// Or why an entry was refused before it came here.
  std::vector<proto::Result<SettleByHandle>> entries;
};

struct StartPosition {
  enum class At : std::uint8_t { kStart, kEnd, kOffset, kTime };
  At at = At::kStart;
  std::int64_t value = 0;  // offset or broker time
};
struct PartitionStart {
  std::uint32_t partition = 0;
  StartPosition from;
};

/// Pushes a topic's records to (session, alias) under credit.
struct SubscribeTopic {
  std::string name_space;
  std::string topic;
  std::uint32_t alias = 0;
  std::vector<PartitionStart> partitions;  // empty: all, from `from`
  StartPosition from;
  std::uint32_t window_messages = 0;
  std::uint32_t window_bytes = 0;
};
struct ListOffsets {
  std::string name_space;
  std::string topic;
  std::vector<PartitionStart> partitions;
};

/// The next block of a copy of everything; 0 begins one.
struct ReadBackup {
  std::uint64_t backup = 0;
  std::uint64_t block = 0;  // 0, 1, 2 …
};

/// Everything that is answered by one Reply.
using Request =
    std::variant<CreateQueue, CreateTopic, DescribeQueue, DescribeTopic, InitProducer, Attach,
                 Subscribe, Unsubscribe, Receive, SettleByHandle, SubscribeTopic, ListOffsets,
                 ReadBackup, ListQueues, ListTopics, UpdateQueue, PurgeQueue, DeleteQueue,
                 DeleteTopic, CreateNamespace, DescribeNamespace, ListNamespaces, DeleteNamespace,
                 ListClients, KickClient, PeekQueue, SettleManyByHandle, StartRedrive,
                 CancelRedrive, ListRedrives, ListDelayed, ChangeDelayed>;

/// What a message is known by that is to be taken once: the first half of a SHA-256.
using DeduplicationId = std::array<std::uint8_t, 16>;

/// One batch for one log. `stored` has proto::kStoredHeaderBytes of free space before the batch,
/// which `columns` (positions relative to the batch) describe; both were checked by validate_batch.
struct SendBatch {
  proto::LogId log;
  bool topic = false;
  std::uint64_t send_number = 0;
  std::string stored;
  proto::BatchColumns columns;
  /// Of a FIFO queue's batch: what each message is known by; empty where none is.
  std::vector<std::optional<DeduplicationId>> ids = {};
};

}  // namespace weir::core
