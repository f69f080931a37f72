#include "broker/core/queue_settings.hpp"

#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <algorithm>

namespace weir::core {
namespace {

/// Notes a setting that becomes another.
void note(std::vector<SettingChange>& changes, const char* setting, const std::string& before,
          const std::string& after) {
  if (before != after) {
    changes.push_back({setting, before, after});
  }
}

const char* text_of(bool value) {
  return value ? "true" : "false";
}

}  // namespace

proto::Result<> check(const QueueSettings& settings, std::string_view queue) {
  for (const NumericSetting& setting : kNumericSettings) {
    const std::int64_t value = settings.*setting.value;
    if (value != 0 && (value < setting.least || value > setting.most)) {
      return proto::fail(proto::Errc::kInvalidArgument, std::string(setting.name) +
                                                            " must lie between " +
                                                            std::to_string(setting.least) +
                                                            " and " + std::to_string(setting.most));
    }
  }
  if (settings.redelivery_max_delay_ms != 0 &&
      settings.redelivery_max_delay_ms < settings.redelivery_delay_ms) {
    return proto::fail(
        proto::Errc::kInvalidArgument,
        "redelivery_max_delay_ms must not be less than redelivery_delay_ms, which is " +
            std::to_string(settings.redelivery_delay_ms));
  }
  const bool has_default_time =
      settings.deduplication_ms == 0 || settings.deduplication_ms == proto::kDefaultDeduplicationMs;
  if (!proto::is_fifo_name(queue) && (!has_default_time || settings.content_deduplication != 0)) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "deduplication_ms and content_deduplication are for FIFO queues, whose "
                       "names end in .fifo");
  }
  if (proto::is_fifo_name(queue) && settings.strict_priority != 0) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "strict_priority is not for FIFO queues, where no message comes before "
                       "another of its group");
  }
  if (proto::is_fifo_name(queue) && settings.delay_ms != 0) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "delay_ms is not for FIFO queues: what is put off would lose its place in "
                       "its group");
  }
  return {};
}

std::int64_t redelivery_delay_ms(const QueueSettings& settings, std::uint16_t attempts_before,
                                 std::uint64_t random) {
  const std::int64_t base = settings.redelivery_delay_ms;
  const std::int64_t longest = settings.redelivery_max_delay_ms;
  if (base == 0 || longest == 0) {
    return base;
  }
  // Both are below 2^32, so that nothing overflows, and more doublings would change nothing.
  constexpr std::uint16_t kMostDoublings = 31;
  static_assert(proto::kMaxDelayMs < std::int64_t{1} << 32);
  const std::int64_t grown = base << std::min(attempts_before, kMostDoublings);
  const auto chance = static_cast<std::int64_t>(random % (static_cast<std::uint64_t>(base) + 1));
  return std::min(longest, grown + chance);
}

void fill_defaults(QueueSettings& settings) {
  for (const NumericSetting& setting : kNumericSettings) {
    if (settings.*setting.value == 0) {
      settings.*setting.value = setting.standard;
    }
  }
}

std::string difference(const QueueSettings& has, const QueueSettings& asked) {
  std::string differs;
  for (const NumericSetting& setting : kNumericSettings) {
    if (has.*setting.value != asked.*setting.value) {
      differs += std::string(setting.name) + " is " + std::to_string(has.*setting.value) +
                 ", not " + std::to_string(asked.*setting.value) + "; ";
    }
  }
  if (has.dead_letter_queue != asked.dead_letter_queue) {
    differs += "dead_letter_queue is '" + has.dead_letter_queue + "', not '" +
               proto::printable(asked.dead_letter_queue) + "'; ";
  }
  if (!differs.empty()) {
    differs.resize(differs.size() - 2);
  }
  return differs;
}

void set(const QueueChanges& changes, QueueSettings& settings, QueuePause& pause) {
  for (const NumericSetting& setting : kNumericSettings) {
    settings.*setting.value = (changes.*setting.change).value_or(settings.*setting.value);
  }
  settings.dead_letter_queue = changes.dead_letter_queue.value_or(settings.dead_letter_queue);
  pause.receives = changes.receives_paused.value_or(pause.receives);
  pause.sends = changes.sends_paused.value_or(pause.sends);
}

std::vector<SettingChange> changes_between(const QueueSettings& before,
                                           const QueueSettings& after) {
  std::vector<SettingChange> changes;
  for (const NumericSetting& setting : kNumericSettings) {
    note(changes, setting.name, std::to_string(before.*setting.value),
         std::to_string(after.*setting.value));
  }
  note(changes, "dead_letter_queue", before.dead_letter_queue, after.dead_letter_queue);
  return changes;
}

std::vector<SettingChange> changes_between(QueuePause before, QueuePause after) {
  std::vector<SettingChange> changes;
  note(changes, "receives_paused", text_of(before.receives), text_of(after.receives));
  note(changes, "sends_paused", text_of(before.sends), text_of(after.sends));
  return changes;
}

}  // namespace weir::core
