#pragma once

#include "weir/export.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

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
  /// Of a dead-letter queue: names, or patterns with `*` and `?`, of the queues whose it may be,
  /// with commas between them; empty: of any, "!": of none.
  QueueSettings& set_dead_letter_sources(std::string patterns);
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
  /// the way to the dead-letter queue counts, also what goes there for its age, of which there may
  /// be more. At most 120000, which is the default.
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
  /// How long a message is put off that names no delay itself. At most 30 days; zero: not at all.
  QueueSettings& set_delay(std::chrono::milliseconds delay);
  /// Messages that are older are gone, whether anybody takes some or not; counted from when they
  /// are ready. 60 s to 14 days; zero, the default: they are kept for ever. What a consumer holds
  /// is not touched, and what is parked is kept, also when a redrive makes it ready again.
  QueueSettings& set_retention(std::chrono::milliseconds retention);
  /// What expires, by the retention, by its own time to live or its deadline, goes to the
  /// dead-letter queue, for the reason "expired". Default: it is gone.
  QueueSettings& set_dead_letter_expired(bool dead_letter);
  /// Of a FIFO queue: for how long a message that was sent is known by its deduplication id
  /// (Message::set_deduplication_id()), settled or not. 1 s to 1 day; zero: 5 min.
  QueueSettings& set_deduplication(std::chrono::milliseconds time);
  /// Of a FIFO queue: a message without an id of its own is known by its value.
  QueueSettings& set_content_deduplication(bool by_content);
  /// The most urgent messages (Message::set_priority()) come first, whatever waits. Default: each
  /// priority p that has something to hand out has a share in proportion to (p + 1)^2.
  QueueSettings& set_strict_priority(bool strict);

  [[nodiscard]] std::chrono::milliseconds lease() const { return lease_; }
  [[nodiscard]] std::uint32_t max_receive_count() const { return max_receive_count_; }
  [[nodiscard]] const std::string& dead_letter_queue() const { return dead_letter_queue_; }
  [[nodiscard]] const std::string& dead_letter_sources() const { return dead_letter_sources_; }
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
  [[nodiscard]] std::chrono::milliseconds delay() const { return delay_; }
  [[nodiscard]] std::chrono::milliseconds retention() const { return retention_; }
  [[nodiscard]] bool dead_letter_expired() const { return dead_letter_expired_; }
  [[nodiscard]] std::chrono::milliseconds deduplication() const { return deduplication_; }
  [[nodiscard]] bool content_deduplication() const { return content_deduplication_; }
  [[nodiscard]] bool strict_priority() const { return strict_priority_; }

 private:
  std::chrono::milliseconds lease_{0};
  std::uint32_t max_receive_count_ = 0;
  std::string dead_letter_queue_;
  std::string dead_letter_sources_;
  std::uint64_t max_messages_ = 0;
  std::uint64_t max_bytes_ = 0;
  std::uint32_t max_message_bytes_ = 0;
  std::uint32_t max_in_flight_ = 0;
  std::chrono::milliseconds redelivery_delay_{0};
  std::chrono::milliseconds redelivery_max_delay_{0};
  std::uint32_t redelivery_budget_percent_ = 0;
  std::chrono::milliseconds delay_{0};
  std::chrono::milliseconds retention_{0};
  bool dead_letter_expired_ = false;
  std::chrono::milliseconds deduplication_{0};
  bool content_deduplication_ = false;
  bool strict_priority_ = false;
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
  /// As QueueSettings; IN_USE when it leaves out a queue whose dead letters go there.
  QueueChanges& set_dead_letter_sources(std::string patterns);
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
  /// Of later sends: what is put off already stays so.
  QueueChanges& set_delay(std::chrono::milliseconds delay);
  /// Of all that is in the queue. Zero: for ever.
  QueueChanges& set_retention(std::chrono::milliseconds retention);
  QueueChanges& set_dead_letter_expired(bool dead_letter);
  QueueChanges& set_deduplication(std::chrono::milliseconds time);
  QueueChanges& set_content_deduplication(bool by_content);
  QueueChanges& set_strict_priority(bool strict);
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
  [[nodiscard]] const std::optional<std::string>& dead_letter_sources() const {
    return dead_letter_sources_;
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
  [[nodiscard]] std::optional<std::chrono::milliseconds> delay() const { return delay_; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> retention() const { return retention_; }
  [[nodiscard]] std::optional<bool> dead_letter_expired() const { return dead_letter_expired_; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> deduplication() const {
    return deduplication_;
  }
  [[nodiscard]] std::optional<bool> content_deduplication() const { return content_deduplication_; }
  [[nodiscard]] std::optional<bool> strict_priority() const { return strict_priority_; }
  [[nodiscard]] std::optional<bool> receives_paused() const { return receives_paused_; }
  [[nodiscard]] std::optional<bool> sends_paused() const { return sends_paused_; }
  [[nodiscard]] bool dry_run() const { return dry_run_; }

 private:
  std::optional<std::chrono::milliseconds> lease_;
  std::optional<std::uint32_t> max_receive_count_;
  std::optional<std::string> dead_letter_queue_;
  std::optional<std::string> dead_letter_sources_;
  std::optional<std::uint64_t> max_messages_;
  std::optional<std::uint64_t> max_bytes_;
  std::optional<std::uint32_t> max_message_bytes_;
  std::optional<std::uint32_t> max_in_flight_;
  std::optional<std::chrono::milliseconds> redelivery_delay_;
  std::optional<std::chrono::milliseconds> redelivery_max_delay_;
  std::optional<std::uint32_t> redelivery_budget_percent_;
  std::optional<std::chrono::milliseconds> delay_;
  std::optional<std::chrono::milliseconds> retention_;
  std::optional<bool> dead_letter_expired_;
  std::optional<std::chrono::milliseconds> deduplication_;
  std::optional<bool> content_deduplication_;
  std::optional<bool> strict_priority_;
  std::optional<bool> receives_paused_;
  std::optional<bool> sends_paused_;
  bool dry_run_ = false;
};

}  // namespace weir
