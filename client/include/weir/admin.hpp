#pragma once

#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/message.hpp"
#include "weir/message_filter.hpp"
#include "weir/queue_settings.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

/// A queue as the broker knows it.
struct WEIR_API QueueDescription {
  QueueDescription();

  std::string name;
  std::string uuid;
  std::uint64_t id = 0;
  QueueSettings settings;
  std::uint64_t ready = 0;      // may be handed out now
  std::uint64_t in_flight = 0;  // leased
  std::uint64_t delayed = 0;    // given back with a delay that has not passed
  std::uint64_t dying = 0;      // over the limit, on the way to the dead-letter queue
  std::uint64_t parked = 0;     // over the limit, and there is no dead-letter queue
  std::uint64_t bytes = 0;      // of all of these together
  std::int64_t next_offset = 0;
  /// Of the oldest message that is not done yet; the epoch when there is none.
  Timestamp oldest_append_time;
  std::uint32_t subscribers = 0;
  /// An operator has stopped hand-outs, or sends.
  bool receives_paused = false;
  bool sends_paused = false;
  /// This very call created it.
  bool created = false;
};

/// How a queue is deleted.
class WEIR_API DeleteOptions {
 public:
  DeleteOptions();

  /// Also when it is the dead-letter queue of others, which have none from then on.
  DeleteOptions& set_force(bool force);
  [[nodiscard]] bool force() const { return force_; }

 private:
  bool force_ = false;
};

/// One setting that was changed, in the words of the protocol.
struct WEIR_API SettingChange {
  SettingChange();

  std::string setting;
  std::string before;
  std::string after;
};

/// What an update did.
struct WEIR_API QueueUpdate {
  QueueUpdate();

  /// As it is now.
  QueueDescription queue;
  /// None: everything was like that already.
  std::vector<SettingChange> changes;
};

/// What a running broker made of its config file when it read it again.
struct WEIR_API ConfigReload {
  ConfigReload();

  /// As the broker calls it.
  std::string file;
  /// In force from now on.
  std::vector<SettingChange> taken;
  /// These stay as they were until the broker starts anew; `after` is what was read.
  std::vector<SettingChange> left;
  /// Settings that are as they were.
  std::vector<std::string> unchanged;
};

/// What a topic is created with.
class WEIR_API TopicSettings {
 public:
  TopicSettings();

  /// 1 to 1000; it cannot be changed later, as equal keys would go elsewhere then. Default 1.
  TopicSettings& set_partitions(std::uint32_t partitions);
  [[nodiscard]] std::uint32_t partitions() const { return partitions_; }

 private:
  std::uint32_t partitions_ = 1;
};

/// One partition as the broker knows it.
struct WEIR_API PartitionDescription {
  PartitionDescription();

  std::uint32_t partition = 0;
  std::int64_t log_start = 0;
  std::int64_t high_watermark = 0;
  std::int64_t last_stable = 0;
  std::uint32_t leader_epoch = 0;
  std::uint64_t bytes = 0;
};

/// A topic as the broker knows it.
struct WEIR_API TopicDescription {
  TopicDescription();

  std::string name;
  std::string uuid;
  std::uint64_t id = 0;
  TopicSettings settings;
  std::vector<PartitionDescription> partitions;
  /// This very call created it.
  bool created = false;
};

/// Which part of a list. Unset, the first page of all.
class WEIR_API ListOptions {
 public:
  ListOptions();

  /// Names that match: `*` stands for any text, `?` for any one character.
  ListOptions& set_pattern(std::string pattern);
  /// What the page before gave as its `next_page_token`.
  ListOptions& set_page_token(std::string token);
  /// At most so many; 0 is what the broker gives at most, 1000.
  ListOptions& set_max_results(std::uint32_t count);

  [[nodiscard]] const std::string& pattern() const { return pattern_; }
  [[nodiscard]] const std::string& page_token() const { return page_token_; }
  [[nodiscard]] std::uint32_t max_results() const { return max_results_; }

 private:
  std::string pattern_;
  std::string page_token_;
  std::uint32_t max_results_ = 0;
};

/// A namespace as the broker knows it.
struct WEIR_API NamespaceDescription {
  NamespaceDescription();

  std::string name;
  std::uint64_t id = 0;
  std::uint64_t queues = 0;
  std::uint64_t topics = 0;
  /// This very call created it.
  bool created = false;
};

/// A connection as the broker knows it: service and library as its client has said.
struct WEIR_API ClientDescription {
  ClientDescription();

  std::uint64_t session = 0;
  std::string service;
  std::string library;
  std::string address;
  std::string name_space;
  Timestamp since;
  std::uint32_t subscriptions = 0;  // to queues and topics
  std::uint64_t in_flight = 0;      // messages that were pushed to it and are not settled
};

/// Where a message of a queue is.
enum class MessageState : std::uint8_t {
  kAny = 0,  // of a question only
  kReady = 1,
  kDelayed = 2,
  kInFlight = 3,
  kDying = 4,   // over the limit, on the way to the dead-letter queue
  kParked = 5,  // over the limit, and there is no dead-letter queue
};
/// "ready", "in_flight" and so on; "unknown" for a state of a newer broker.
[[nodiscard]] WEIR_API std::string_view name(MessageState state);

/// Which messages of a queue to look at.
class WEIR_API PeekOptions {
 public:
  PeekOptions();

  PeekOptions& set_state(MessageState state);
  /// From there on, in the order of offsets.
  PeekOptions& set_from_offset(std::int64_t offset);
  /// At most so many; 0 is what the broker gives at most, 1000.
  PeekOptions& set_max_messages(std::uint32_t messages);
  /// Only those; by an id also what is put off.
  PeekOptions& set_filter(MessageFilter filter);
  /// Each message comes with what is remembered of its attempts.
  PeekOptions& set_with_attempts(bool with);

  [[nodiscard]] MessageState state() const { return state_; }
  [[nodiscard]] std::int64_t from_offset() const { return from_offset_; }
  [[nodiscard]] std::uint32_t max_messages() const { return max_messages_; }
  [[nodiscard]] const MessageFilter& filter() const { return filter_; }
  [[nodiscard]] bool with_attempts() const { return with_attempts_; }

 private:
  MessageState state_ = MessageState::kAny;
  std::int64_t from_offset_ = 0;
  std::uint32_t max_messages_ = 0;
  MessageFilter filter_;
  bool with_attempts_ = false;
};

/// An attempt to handle a message that ended without it being done.
struct WEIR_API AttemptDescription {
  AttemptDescription();

  std::uint32_t number = 0;  // 1, 2, 3 …
  Timestamp time;            // when it ended
  /// "failed", "poison", "transient", "not_now", "released", "expired" (its lease ended) or "lost"
  /// (and the connection that had it was gone).
  std::string outcome;
  std::string consumer;  // who had it: the service and its address; empty: not known
  std::string reason;    // in the handler's words
};

/// A message that was looked at, where it is.
struct WEIR_API PeekedMessage {
  PeekedMessage();

  MessageId id;
  std::int64_t offset = -1;
  MessageState state = MessageState::kReady;
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;  // among those: what counts against max_receive_count
  /// When it may be handed out, or its lease ends; the epoch where it waits for neither.
  Timestamp due;
  /// Of a message in flight: who has it, as AttemptDescription, and since when.
  std::string consumer;
  Timestamp leased;
  /// The first attempt that has ended and the last 31, where that was asked for.
  std::vector<AttemptDescription> history;
  /// Broker time of the append, and the time that the sender gave it.
  Timestamp append_time;
  Timestamp timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

struct WEIR_API PeekPage {
  PeekPage();

  std::vector<PeekedMessage> messages;
  /// To go on from, unless this is the end. A page may hold nothing and not be the end.
  std::int64_t next_offset = 0;
  bool is_end = false;
  /// The filter's id was given by this queue before its data was restored from a backup: what lies
  /// where it was sent to has another one since.
  bool is_older_id = false;
};

/// A part of the queues, in the order of their names. It may hold less than was asked for, or
/// nothing, and yet have a next one.
struct WEIR_API QueuePage {
  QueuePage();

  std::vector<QueueDescription> queues;
  /// Empty when this page is the last.
  std::string next_page_token;
};

/// As QueuePage.
struct WEIR_API TopicPage {
  TopicPage();

  std::vector<TopicDescription> topics;
  std::string next_page_token;
};

/// As QueuePage.
struct WEIR_API NamespacePage {
  NamespacePage();

  std::vector<NamespaceDescription> namespaces;
  std::string next_page_token;
};

/// A part of the connections, in the order of their beginning.
struct WEIR_API ClientPage {
  ClientPage();

  std::vector<ClientDescription> clients;
  std::string next_page_token;
};

/// Where a position lies.
struct WEIR_API PartitionPosition {
  PartitionPosition();

  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t high_watermark = 0;
  std::int64_t log_start = 0;
};

/// Takes the next bytes of a backup, all of them; an error ends it. Runs on the thread that called
/// Client::backup(), and may block: the broker waits a minute for whoever does not read on.
using BackupSink = UniqueFunction<Result<>(std::string_view bytes)>;
/// The same for Client::async_backup(): called on the client's I/O thread, must not block, and
/// gives a future of having taken them; only then more is asked for.
using AsyncBackupSink = UniqueFunction<Future<>(std::string bytes)>;

/// Hears once, before the first bytes, about how many there will be, for who shows progress; 0: the
/// broker does not know. On the thread on which the bytes come.
using BackupExpectation = UniqueFunction<void(std::uint64_t bytes)>;

/// A finished backup.
struct WEIR_API BackupDescription {
  BackupDescription();

  /// Name and version of the broker.
  std::string broker;
  std::uint32_t incarnation = 0;
  /// The backup's point: everything that was acknowledged up to this commit is in it.
  std::uint64_t commit = 0;
  Timestamp commit_time;
  std::uint64_t rows = 0;
  std::uint64_t row_bytes = 0;
  /// Over all rows: `weir verify` shows the same for the backup and for what is restored from it.
  std::string digest;
  /// What the sink got, to be the file `shard-0` of a backup's directory.
  std::uint64_t file_bytes = 0;
  /// To be the file `MANIFEST` beside it, written when that one is durable: it is what says that a
  /// backup is whole.
  std::string manifest;
};

}  // namespace weir
