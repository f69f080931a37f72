#include "broker/core/queue_settings.hpp"

#include "broker/core/name_pattern.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>

namespace weir::core {
namespace {

constexpr std::size_t kMaxSourcesBytes = 4096;

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

/// Calls `visit` with each pattern until it says so; whether it did.
template <class Visit>
bool any_pattern(std::string_view patterns, Visit visit) {
  for (std::size_t begin = 0; begin <= patterns.size();) {
    const std::size_t end = std::min(patterns.find(',', begin), patterns.size());
    if (visit(patterns.substr(begin, end - begin))) {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

/// Whether names can match it, and it names no more than one.
bool is_source_pattern(std::string_view pattern) {
  return !pattern.empty() && pattern.size() <= proto::kMaxPatternBytes &&
         std::ranges::all_of(pattern, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-*?").find(c) != std::string_view::npos;
         });
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
  const std::string& sources = settings.dead_letter_sources;
  const bool are_patterns =
      sources.empty() || sources == kNoSources ||
      (sources.size() <= kMaxSourcesBytes &&
       !any_pattern(sources, [](std::string_view pattern) { return !is_source_pattern(pattern); }));
  if (!are_patterns) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "dead_letter_sources are names of queues, or patterns with * and ?, with "
                       "commas between them and " +
                           std::to_string(kMaxSourcesBytes) + " bytes at most, or '" +
                           std::string(kNoSources) + "' for none");
  }
  return {};
}

bool takes_dead_letters_of(const QueueSettings& settings, std::string_view queue) {
  const std::string& sources = settings.dead_letter_sources;
  return sources.empty() || WEIR_PLANTED(any_dead_letter_source) ||
         any_pattern(sources, [queue](std::string_view pattern) {
           return pattern != kNoSources && matches(pattern, queue);
         });
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
  for (const TextSetting& setting : kTextSettings) {
    if (has.*setting.value != asked.*setting.value) {
      differs += std::string(setting.name) + " is '" + has.*setting.value + "', not '" +
                 proto::printable(asked.*setting.value) + "'; ";
    }
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
  for (const TextSetting& setting : kTextSettings) {
    settings.*setting.value = (changes.*setting.change).value_or(settings.*setting.value);
  }
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
  for (const TextSetting& setting : kTextSettings) {
    note(changes, setting.name, before.*setting.value, after.*setting.value);
  }
  return changes;
}

std::vector<SettingChange> changes_between(QueuePause before, QueuePause after) {
  std::vector<SettingChange> changes;
  note(changes, "receives_paused", text_of(before.receives), text_of(after.receives));
  note(changes, "sends_paused", text_of(before.sends), text_of(after.sends));
  return changes;
}

}  // namespace weir::core
