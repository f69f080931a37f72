#pragma once

#include "proto/limits.hpp"
#include "proto/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What can be set of a queue. Every setting stands in one of two tables, numbers and texts, from
// which all that the core does with settings follows; the layers around it go by the same names.
namespace weir::core {

/// 0 stands for the default of a number.
struct QueueSettings {
  std::int64_t lease_ms = 0;
  std::int64_t max_receive_count = 0;
  std::string dead_letter_queue = {};  // empty: none
  std::int64_t max_messages = 0;       // of all states together; without a bound by default
  std::int64_t max_bytes = 0;          // of all batches stored; without a bound by default
  std::int64_t max_message_bytes = 0;  // of one message, with key and headers
  std::int64_t max_in_flight = 0;      // leased, or on the way to the dead-letter queue
  // The redelivery policy: how long a failed message waits where its handler did not say. The delay
  // is doubled with each attempt and made longer by up to itself by chance, up to the longest one.
  std::int64_t redelivery_delay_ms = 0;      // 0: it comes again at once
  std::int64_t redelivery_max_delay_ms = 0;  // 0: always the same
  /// Redeliveries may be so large a share of first deliveries, over ten seconds.
  std::int64_t redelivery_budget_percent = 0;
  std::int64_t delay_ms = 0;      // until a message is ready that does not say it itself
  std::int64_t retention_ms = 0;  // from when it is ready; 0: for ever
  /// What expires goes to the dead-letter queue, where there is one; 0: it is gone.
  std::int64_t dead_letter_expired = 0;
  /// Of a FIFO queue: for how long a message is known that was sent.
  std::int64_t deduplication_ms = 0;
  /// Of a FIFO queue: a message without an id of its own is known by its value.
  std::int64_t content_deduplication = 0;
  /// The most urgent messages come first, whatever waits; 0: each priority has a share.
  std::int64_t strict_priority = 0;
  /// Of a dead-letter queue: names, or patterns of names, of the queues whose it may be, with
  /// commas between them; empty: any, kNoSources: none.
  std::string dead_letter_sources = {};
};
inline constexpr std::string_view kNoSources = "!";

/// What is stopped in a queue, on an operator's word. Nothing, when it is created.
struct QueuePause {
  bool receives = false;  // nothing is handed out; leases run on, and settlements are taken
  bool sends = false;     // nothing is taken from senders
  friend bool operator==(const QueuePause&, const QueuePause&) = default;
};

/// What a queue is to have from here on; what has no value stays as it is.
struct QueueChanges {
  std::optional<std::int64_t> lease_ms = {};
  std::optional<std::int64_t> max_receive_count = {};
  std::optional<std::string> dead_letter_queue = {};  // empty: none
  std::optional<std::int64_t> max_messages = {};
  std::optional<std::int64_t> max_bytes = {};
  std::optional<std::int64_t> max_message_bytes = {};
  std::optional<std::int64_t> max_in_flight = {};
  std::optional<std::int64_t> redelivery_delay_ms = {};
  std::optional<std::int64_t> redelivery_max_delay_ms = {};
  std::optional<std::int64_t> redelivery_budget_percent = {};
  std::optional<std::int64_t> delay_ms = {};
  std::optional<std::int64_t> retention_ms = {};
  std::optional<std::int64_t> dead_letter_expired = {};
  std::optional<std::int64_t> deduplication_ms = {};
  std::optional<std::int64_t> content_deduplication = {};
  std::optional<std::int64_t> strict_priority = {};
  std::optional<std::string> dead_letter_sources = {};
  std::optional<bool> receives_paused = {};
  std::optional<bool> sends_paused = {};
};

/// A setting that is a number: where it is kept, and what it may be besides 0.
struct NumericSetting {
  const char* name;  // of the fields of messages and rows, too
  std::int64_t QueueSettings::* value;
  std::optional<std::int64_t> QueueChanges::* change;
  std::int64_t least;
  std::int64_t most;
  std::int64_t standard;  // what 0 stands for
};

inline constexpr std::array kNumericSettings = {
    NumericSetting{"lease_ms", &QueueSettings::lease_ms, &QueueChanges::lease_ms, 1,
                   proto::kMaxLeaseMs, proto::kDefaultLeaseMs},
    NumericSetting{"max_receive_count", &QueueSettings::max_receive_count,
                   &QueueChanges::max_receive_count, 1, proto::kMaxReceiveCountLimit,
                   proto::kDefaultMaxReceiveCount},
    NumericSetting{"max_messages", &QueueSettings::max_messages, &QueueChanges::max_messages, 0,
                   proto::kMaxQueueMessagesLimit, 0},
    NumericSetting{"max_bytes", &QueueSettings::max_bytes, &QueueChanges::max_bytes, 0,
                   proto::kMaxQueueBytesLimit, 0},
    NumericSetting{"max_message_bytes", &QueueSettings::max_message_bytes,
                   &QueueChanges::max_message_bytes, 1, proto::kMaxMessageBytes,
                   proto::kMaxMessageBytes},
    NumericSetting{"max_in_flight", &QueueSettings::max_in_flight, &QueueChanges::max_in_flight, 1,
                   proto::kMaxInFlightPerQueue, proto::kMaxInFlightPerQueue},
    NumericSetting{"redelivery_delay_ms", &QueueSettings::redelivery_delay_ms,
                   &QueueChanges::redelivery_delay_ms, 0, proto::kMaxDelayMs, 0},
    NumericSetting{"redelivery_max_delay_ms", &QueueSettings::redelivery_max_delay_ms,
                   &QueueChanges::redelivery_max_delay_ms, 0, proto::kMaxDelayMs, 0},
    NumericSetting{"redelivery_budget_percent", &QueueSettings::redelivery_budget_percent,
                   &QueueChanges::redelivery_budget_percent, 1, proto::kMaxRedeliveryBudgetPercent,
                   proto::kDefaultRedeliveryBudgetPercent},
    NumericSetting{"delay_ms", &QueueSettings::delay_ms, &QueueChanges::delay_ms, 0,
                   proto::kMaxDelayMs, 0},
    NumericSetting{"retention_ms", &QueueSettings::retention_ms, &QueueChanges::retention_ms,
                   proto::kMinRetentionMs, proto::kMaxRetentionMs, 0},
    NumericSetting{"dead_letter_expired", &QueueSettings::dead_letter_expired,
                   &QueueChanges::dead_letter_expired, 0, 1, 0},
    NumericSetting{"deduplication_ms", &QueueSettings::deduplication_ms,
                   &QueueChanges::deduplication_ms, proto::kMinDeduplicationMs,
                   proto::kMaxDeduplicationMs, proto::kDefaultDeduplicationMs},
    NumericSetting{"content_deduplication", &QueueSettings::content_deduplication,
                   &QueueChanges::content_deduplication, 0, 1, 0},
    NumericSetting{"strict_priority", &QueueSettings::strict_priority,
                   &QueueChanges::strict_priority, 0, 1, 0},
};

/// A setting that is a text.
struct TextSetting {
  const char* name;  // of the fields of messages and rows, too
  std::string QueueSettings::* value;
  std::optional<std::string> QueueChanges::* change;
};

inline constexpr std::array kTextSettings = {
    TextSetting{"dead_letter_queue", &QueueSettings::dead_letter_queue,
                &QueueChanges::dead_letter_queue},
    TextSetting{"dead_letter_sources", &QueueSettings::dead_letter_sources,
                &QueueChanges::dead_letter_sources},
};

/// One setting that an update changes, or would change.
struct SettingChange {
  std::string setting;  // as the request calls it
  std::string before;
  std::string after;
  friend bool operator==(const SettingChange&, const SettingChange&) = default;
};

/// How long a message of which so many attempts ended before this one waits for the next, by the
/// queue's policy: base * 2^n + random(0, base), or the base alone where it does not grow.
[[nodiscard]] std::int64_t redelivery_delay_ms(const QueueSettings& settings,
                                               std::uint16_t attempts_before, std::uint64_t random);

/// INVALID_ARGUMENT that names the setting and what it may be in a queue of that name.
[[nodiscard]] proto::Result<> check(const QueueSettings& settings, std::string_view queue);
/// Whether the dead letters of the queue of that name may go to a queue with these settings.
[[nodiscard]] bool takes_dead_letters_of(const QueueSettings& settings, std::string_view queue);
/// The default wherever a number is 0.
void fill_defaults(QueueSettings& settings);
/// What differs, for a person; empty where nothing does. `asked` may be anything.
[[nodiscard]] std::string difference(const QueueSettings& has, const QueueSettings& asked);
/// Sets what `changes` names.
void set(const QueueChanges& changes, QueueSettings& settings, QueuePause& pause);
/// What an update has changed, in the words of the request.
[[nodiscard]] std::vector<SettingChange> changes_between(const QueueSettings& before,
                                                         const QueueSettings& after);
/// The same of pauses.
[[nodiscard]] std::vector<SettingChange> changes_between(QueuePause before, QueuePause after);

}  // namespace weir::core
