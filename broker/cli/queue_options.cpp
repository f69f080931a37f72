#include "broker/cli/queue_options.hpp"

#include "proto/limits.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <type_traits>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

template <auto kGet, auto kSet, auto kChange>
constexpr QueueNumber number(const char* name, std::int64_t least, std::int64_t most,
                             std::int64_t standard, const char* description) {
  using Value = decltype((QueueSettings().*kGet)());
  return {name,
          least,
          most,
          standard,
          description,
          [](const QueueSettings& settings) -> std::int64_t {
            const Value value = (settings.*kGet)();
            if constexpr (std::is_same_v<Value, milliseconds>) {
              return value.count();
            } else {
              return static_cast<std::int64_t>(value);
            }
          },
          [](QueueSettings& settings, std::int64_t value) {
            (settings.*kSet)(static_cast<Value>(value));
          },
          [](QueueChanges& changes, std::int64_t value) {
            (changes.*kChange)(static_cast<Value>(value));
          }};
}

constexpr std::array kNumbers = {
    number<&QueueSettings::lease, &QueueSettings::set_lease, &QueueChanges::set_lease>(
        "lease_ms", 1, proto::kMaxLeaseMs, proto::kDefaultLeaseMs,
        "How long a message stays with its consumer"),
    number<&QueueSettings::max_receive_count, &QueueSettings::set_max_receive_count,
           &QueueChanges::set_max_receive_count>(
        "max_receive_count", 1, proto::kMaxReceiveCountLimit, proto::kDefaultMaxReceiveCount,
        "Attempts until a message is put aside"),
    number<&QueueSettings::max_messages, &QueueSettings::set_max_messages,
           &QueueChanges::set_max_messages>("max_messages", 0, proto::kMaxQueueMessagesLimit, 0,
                                            "Messages that it may hold; 0: no bound"),
    number<&QueueSettings::max_bytes, &QueueSettings::set_max_bytes, &QueueChanges::set_max_bytes>(
        "max_bytes", 0, proto::kMaxQueueBytesLimit, 0,
        "Bytes that these may take in the store; 0: no bound"),
    number<&QueueSettings::max_message_bytes, &QueueSettings::set_max_message_bytes,
           &QueueChanges::set_max_message_bytes>(
        "max_message_bytes", 1, proto::kMaxMessageBytes, proto::kMaxMessageBytes,
        "Bytes that one message may have with key and headers"),
    number<&QueueSettings::max_in_flight, &QueueSettings::set_max_in_flight,
           &QueueChanges::set_max_in_flight>(
        "max_in_flight", 1, proto::kMaxInFlightPerQueue, proto::kMaxInFlightPerQueue,
        "Messages that consumers may have at a time, all together"),
    number<&QueueSettings::redelivery_delay, &QueueSettings::set_redelivery_delay,
           &QueueChanges::set_redelivery_delay>(
        "redelivery_delay_ms", 0, proto::kMaxDelayMs, 0,
        "How long a failed message waits where its handler names no delay"),
    number<&QueueSettings::redelivery_max_delay, &QueueSettings::set_redelivery_max_delay,
           &QueueChanges::set_redelivery_max_delay>(
        "redelivery_max_delay_ms", 0, proto::kMaxDelayMs, 0,
        "Up to where that doubles with each attempt, with some chance in it; 0: always the same"),
    number<&QueueSettings::redelivery_budget_percent, &QueueSettings::set_redelivery_budget_percent,
           &QueueChanges::set_redelivery_budget_percent>(
        "redelivery_budget_percent", 1, proto::kMaxRedeliveryBudgetPercent,
        proto::kDefaultRedeliveryBudgetPercent,
        "What is handed out once more may be so large a share of what is handed out first, over "
        "ten seconds, and ten a second always; the rest waits. 1000000: no such budget"),
    number<&QueueSettings::delay, &QueueSettings::set_delay, &QueueChanges::set_delay>(
        "delay_ms", 0, proto::kMaxDelayMs, 0,
        "How long a message is put off that names no delay itself"),
    number<&QueueSettings::retention, &QueueSettings::set_retention, &QueueChanges::set_retention>(
        "retention_ms", 0, proto::kMaxRetentionMs, 0,
        "Messages that have been ready for longer are gone, 60000 at least; 0: kept for ever"),
    number<&QueueSettings::dead_letter_expired, &QueueSettings::set_dead_letter_expired,
           &QueueChanges::set_dead_letter_expired>(
        "dead_letter_expired", 0, 1, 0,
        "1: what expires goes to the dead-letter queue, where there is one; 0: it is gone"),
    number<&QueueSettings::deduplication, &QueueSettings::set_deduplication,
           &QueueChanges::set_deduplication>(
        "deduplication_ms", proto::kMinDeduplicationMs, proto::kMaxDeduplicationMs,
        proto::kDefaultDeduplicationMs,
        "Of a FIFO queue: what was sent with a deduplication id is known for so long"),
    number<&QueueSettings::content_deduplication, &QueueSettings::set_content_deduplication,
           &QueueChanges::set_content_deduplication>(
        "content_deduplication", 0, 1, 0,
        "Of a FIFO queue, 1: a message without a deduplication id is known by its value"),
    number<&QueueSettings::strict_priority, &QueueSettings::set_strict_priority,
           &QueueChanges::set_strict_priority>(
        "strict_priority", 0, 1, 0,
        "1: the most urgent messages come first, whatever waits; 0: each priority has a share"),
};

std::string flag_of(const QueueNumber& number) {
  std::string flag = std::string("--") + number.name;
  std::ranges::replace(flag, '_', '-');
  return flag;
}

}  // namespace

std::span<const QueueNumber> queue_numbers() {
  return kNumbers;
}

void QueueOptions::add_numbers(CLI::App& command, bool with_defaults) {
  for (const QueueNumber& number : kNumbers) {
    std::string description = number.description;
    if (with_defaults && number.standard != 0) {
      description += " (default: the broker's, " + std::to_string(number.standard) + ")";
    }
    command
        .add_option_function<std::int64_t>(
            flag_of(number),
            [this, &number](const std::int64_t& value) {
              number.set(settings_, value);
              number.change(changes_, value);
            },
            description)
        ->check(CLI::Range(number.least, number.most));
  }
}

CLI::Option* QueueOptions::add_dead_letter_queue(CLI::App& command) {
  return command.add_option_function<std::string>(
      "--dead-letter-queue",
      [this](const std::string& name) {
        if (!name.empty()) {
          settings_.set_dead_letter_queue(name);
          changes_.set_dead_letter_queue(name);
        }
      },
      "Where what is out of attempts is put; without one it is parked");
}

void QueueOptions::add_dead_letter_sources(CLI::App& command) {
  command.add_option_function<std::string>(
      "--dead-letter-sources",
      [this](const std::string& patterns) {
        settings_.set_dead_letter_sources(patterns);
        changes_.set_dead_letter_sources(patterns);
      },
      "Whose dead letters it takes: names or patterns, 'mail,order-*'; '': anybody's; '!': "
      "nobody's");
}

void QueueOptions::add_to_create(CLI::App& command) {
  add_numbers(command, true);
  add_dead_letter_queue(command);
  add_dead_letter_sources(command);
}

void QueueOptions::add_to_update(CLI::App& command) {
  add_numbers(command, false);
  CLI::Option* const target = add_dead_letter_queue(command);
  add_dead_letter_sources(command);
  command
      .add_flag_callback(
          "--no-dead-letter-queue", [this] { changes_.set_dead_letter_queue(""); },
          "From here on what is out of attempts is parked")
      ->excludes(target);
}

}  // namespace weir::cli
