#pragma once

#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/message.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

/// What a queue is created with. Zero and empty mean the broker's default.
class WEIR_API QueueSettings {
 public:
  QueueSettings();

  /// How long a delivered message stays with its consumer.
  QueueSettings& set_lease(std::chrono::milliseconds lease);
  /// After so many attempts a message goes to the dead-letter queue, or is parked without one.
  QueueSettings& set_max_receive_count(std::uint32_t count);
  /// A queue of the same namespace.
  QueueSettings& set_dead_letter_queue(std::string name);
  /// At most so many messages in it, of all states together; zero: no bound. What does not fit is
  /// refused, batch by batch, with QUEUE_FULL; producers try again, with smaller batches, until
  /// their own patience ends. It is a bound for senders: dead letters that come from other queues
  /// are always taken.
  QueueSettings& set_max_messages(std::uint64_t messages);
  /// The same for the bytes that its batches take in the store, QueueDescription::bytes.
  QueueSettings& set_max_bytes(std::uint64_t bytes);
  /// A message with key and headers may have so many bytes; a batch with a larger one is refused
  /// with MESSAGE_TOO_LARGE. At most 1 MiB, which is the default.
  QueueSettings& set_max_message_bytes(std::uint32_t bytes);
  /// At most so many messages in flight: then nothing is handed out until some are done. What is on
  /// the way to the dead-letter queue counts. At most 120000, which is the default.
  QueueSettings& set_max_in_flight(std::uint32_t messages);
  /// How long a message that failed, or whose lease ended, waits where its handler named no delay.
  /// At most 30 days. Zero: it comes again at once.
  QueueSettings& set_redelivery_delay(std::chrono::milliseconds delay);
  /// The delay is doubled with each attempt, and longer by up to its first value by chance, up to
  /// this. Zero: it is always the same.
  QueueSettings& set_redelivery_max_delay(std::chrono::milliseconds longest);
  /// What is handed out once more, since its handler had begun before, may be so large a share of
  /// what is handed out for the first time, over ten seconds, and ten messages a second always. The
  /// rest waits: it is not put aside for it. 1000000: there is no such budget. Default 20.
  QueueSettings& set_redelivery_budget_percent(std::uint32_t percent);

  [[nodiscard]] std::chrono::milliseconds lease() const { return lease_; }
  [[nodiscard]] std::uint32_t max_receive_count() const { return max_receive_count_; }
  [[nodiscard]] const std::string& dead_letter_queue() const { return dead_letter_queue_; }
  [[nodiscard]] std::uint64_t max_messages() const { return max_messages_; }
  [[nodiscard]] std::uint64_t max_bytes() const { return max_bytes_; }
  [[nodiscard]] std::uint32_t max_message_bytes() const { return max_message_bytes_; }
  [[nodiscard]] std::uint32_t max_in_flight() const { return max_in_flight_; }
  [[nodiscard]] std::chrono::milliseconds redelivery_delay() const { return redelivery_delay_; }
  [[nodiscard]] std::chrono::milliseconds redelivery_max_delay() const {
    return redelivery_max_delay_;
  }
  [[nodiscard]] std::uint32_t redelivery_budget_percent() const {
    return redelivery_budget_percent_;
  }

 private:
  std::chrono::milliseconds lease_{0};
  std::uint32_t max_receive_count_ = 0;
  std::string dead_letter_queue_;
  std::uint64_t max_messages_ = 0;
  std::uint64_t max_bytes_ = 0;
  std::uint32_t max_message_bytes_ = 0;
  std::uint32_t max_in_flight_ = 0;
  std::chrono::milliseconds redelivery_delay_{0};
  std::chrono::milliseconds redelivery_max_delay_{0};
  std::uint32_t redelivery_budget_percent_ = 0;
};

/// What of a queue is to change; what is not set stays as it is.
class WEIR_API QueueChanges {
 public:
  QueueChanges();

  /// Of later hand-outs; a subscription keeps the lease that it began with. Zero: the broker's
  /// default.
  QueueChanges& set_lease(std::chrono::milliseconds lease);
  /// Looked at whenever a message comes back. Zero: the broker's default.
  QueueChanges& set_max_receive_count(std::uint32_t count);
  /// Empty: none from here on. What is parked stays parked.
  QueueChanges& set_dead_letter_queue(std::string name);
  /// Zero: no bound. What the queue holds beyond a lower bound stays; sends are refused with
  /// QUEUE_FULL until there is room.
  QueueChanges& set_max_messages(std::uint64_t messages);
  /// As set_max_messages().
  QueueChanges& set_max_bytes(std::uint64_t bytes);
  /// Of later sends. Zero: the broker's default.
  QueueChanges& set_max_message_bytes(std::uint32_t bytes);
  /// Of later hand-outs: leases run on. Zero: the broker's default.
  QueueChanges& set_max_in_flight(std::uint32_t messages);
  /// Of what fails from here on.
  QueueChanges& set_redelivery_delay(std::chrono::milliseconds delay);
  QueueChanges& set_redelivery_max_delay(std::chrono::milliseconds longest);
  QueueChanges& set_redelivery_budget_percent(std::uint32_t percent);
  /// While paused nothing is handed out; leases run on, and settlements are taken.
  QueueChanges& set_receives_paused(bool paused);
  /// While paused sends are refused with PAUSED.
  QueueChanges& set_sends_paused(bool paused);
  /// Tell what would change, and change nothing.
  QueueChanges& set_dry_run(bool dry_run);

  [[nodiscard]] std::optional<std::chrono::milliseconds> lease() const { return lease_; }
  [[nodiscard]] std::optional<std::uint32_t> max_receive_count() const {
    return max_receive_count_;
  }
  [[nodiscard]] const std::optional<std::string>& dead_letter_queue() const {
    return dead_letter_queue_;
  }
  [[nodiscard]] std::optional<std::uint64_t> max_messages() const { return max_messages_; }
  [[nodiscard]] std::optional<std::uint64_t> max_bytes() const { return max_bytes_; }
  [[nodiscard]] std::optional<std::uint32_t> max_message_bytes() const {
    return max_message_bytes_;
  }
  [[nodiscard]] std::optional<std::uint32_t> max_in_flight() const { return max_in_flight_; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> redelivery_delay() const {
    return redelivery_delay_;
  }
  [[nodiscard]] std::optional<std::chrono::milliseconds> redelivery_max_delay() const {
    return redelivery_max_delay_;
  }
  [[nodiscard]] std::optional<std::uint32_t> redelivery_budget_percent() const {
    return redelivery_budget_percent_;
  }
  [[nodiscard]] std::optional<bool> receives_paused() const { return receives_paused_; }
  [[nodiscard]] std::optional<bool> sends_paused() const { return sends_paused_; }
  [[nodiscard]] bool dry_run() const { return dry_run_; }

 private:
  std::optional<std::chrono::milliseconds> lease_;
  std::optional<std::uint32_t> max_receive_count_;
  std::optional<std::string> dead_letter_queue_;
  std::optional<std::uint64_t> max_messages_;
  std::optional<std::uint64_t> max_bytes_;
  std::optional<std::uint32_t> max_message_bytes_;
  std::optional<std::uint32_t> max_in_flight_;
  std::optional<std::chrono::milliseconds> redelivery_delay_;
  std::optional<std::chrono::milliseconds> redelivery_max_delay_;
  std::optional<std::uint32_t> redelivery_budget_percent_;
  std::optional<bool> receives_paused_;
  std::optional<bool> sends_paused_;
  bool dry_run_ = false;
};

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

  [[nodiscard]] MessageState state() const { return state_; }
  [[nodiscard]] std::int64_t from_offset() const { return from_offset_; }
  [[nodiscard]] std::uint32_t max_messages() const { return max_messages_; }

 private:
  MessageState state_ = MessageState::kAny;
  std::int64_t from_offset_ = 0;
  std::uint32_t max_messages_ = 0;
};

/// A message that was looked at, where it is.
struct WEIR_API PeekedMessage {
  PeekedMessage();

  std::int64_t offset = -1;
  MessageState state = MessageState::kReady;
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;  // among those: what counts against max_receive_count
  /// When it may be handed out, or its lease ends; the epoch where it waits for neither.
  Timestamp due;
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
