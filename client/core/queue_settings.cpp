#include "weir/queue_settings.hpp"

#include <utility>

namespace weir {

QueueSettings::QueueSettings() = default;

QueueSettings& QueueSettings::set_lease(std::chrono::milliseconds lease) {
  lease_ = lease;
  return *this;
}
QueueSettings& QueueSettings::set_max_receive_count(std::uint32_t count) {
  max_receive_count_ = count;
  return *this;
}
QueueSettings& QueueSettings::set_dead_letter_queue(std::string name) {
  dead_letter_queue_ = std::move(name);
  return *this;
}
QueueSettings& QueueSettings::set_dead_letter_sources(std::string patterns) {
  dead_letter_sources_ = std::move(patterns);
  return *this;
}
QueueSettings& QueueSettings::set_max_messages(std::uint64_t messages) {
  max_messages_ = messages;
  return *this;
}
QueueSettings& QueueSettings::set_max_bytes(std::uint64_t bytes) {
  max_bytes_ = bytes;
  return *this;
}
QueueSettings& QueueSettings::set_max_message_bytes(std::uint32_t bytes) {
  max_message_bytes_ = bytes;
  return *this;
}
QueueSettings& QueueSettings::set_max_in_flight(std::uint32_t messages) {
  max_in_flight_ = messages;
  return *this;
}
QueueSettings& QueueSettings::set_redelivery_delay(std::chrono::milliseconds delay) {
  redelivery_delay_ = delay;
  return *this;
}
QueueSettings& QueueSettings::set_redelivery_max_delay(std::chrono::milliseconds longest) {
  redelivery_max_delay_ = longest;
  return *this;
}
QueueSettings& QueueSettings::set_redelivery_budget_percent(std::uint32_t percent) {
  redelivery_budget_percent_ = percent;
  return *this;
}
QueueSettings& QueueSettings::set_delay(std::chrono::milliseconds delay) {
  delay_ = delay;
  return *this;
}
QueueSettings& QueueSettings::set_retention(std::chrono::milliseconds retention) {
  retention_ = retention;
  return *this;
}
QueueSettings& QueueSettings::set_dead_letter_expired(bool dead_letter) {
  dead_letter_expired_ = dead_letter;
  return *this;
}
QueueSettings& QueueSettings::set_deduplication(std::chrono::milliseconds time) {
  deduplication_ = time;
  return *this;
}
QueueSettings& QueueSettings::set_content_deduplication(bool by_content) {
  content_deduplication_ = by_content;
  return *this;
}
QueueSettings& QueueSettings::set_strict_priority(bool strict) {
  strict_priority_ = strict;
  return *this;
}

QueueChanges::QueueChanges() = default;

QueueChanges& QueueChanges::set_lease(std::chrono::milliseconds lease) {
  lease_ = lease;
  return *this;
}
QueueChanges& QueueChanges::set_max_receive_count(std::uint32_t count) {
  max_receive_count_ = count;
  return *this;
}
QueueChanges& QueueChanges::set_dead_letter_queue(std::string name) {
  dead_letter_queue_ = std::move(name);
  return *this;
}
QueueChanges& QueueChanges::set_dead_letter_sources(std::string patterns) {
  dead_letter_sources_ = std::move(patterns);
  return *this;
}
QueueChanges& QueueChanges::set_max_messages(std::uint64_t messages) {
  max_messages_ = messages;
  return *this;
}
QueueChanges& QueueChanges::set_max_bytes(std::uint64_t bytes) {
  max_bytes_ = bytes;
  return *this;
}
QueueChanges& QueueChanges::set_max_message_bytes(std::uint32_t bytes) {
  max_message_bytes_ = bytes;
  return *this;
}
QueueChanges& QueueChanges::set_max_in_flight(std::uint32_t messages) {
  max_in_flight_ = messages;
  return *this;
}
QueueChanges& QueueChanges::set_redelivery_delay(std::chrono::milliseconds delay) {
  redelivery_delay_ = delay;
  return *this;
}
QueueChanges& QueueChanges::set_redelivery_max_delay(std::chrono::milliseconds longest) {
  redelivery_max_delay_ = longest;
  return *this;
}
QueueChanges& QueueChanges::set_redelivery_budget_percent(std::uint32_t percent) {
  redelivery_budget_percent_ = percent;
  return *this;
}
QueueChanges& QueueChanges::set_delay(std::chrono::milliseconds delay) {
  delay_ = delay;
  return *this;
}
QueueChanges& QueueChanges::set_retention(std::chrono::milliseconds retention) {
  retention_ = retention;
  return *this;
}
QueueChanges& QueueChanges::set_dead_letter_expired(bool dead_letter) {
  dead_letter_expired_ = dead_letter;
  return *this;
}
QueueChanges& QueueChanges::set_deduplication(std::chrono::milliseconds time) {
  deduplication_ = time;
  return *this;
}
QueueChanges& QueueChanges::set_content_deduplication(bool by_content) {
  content_deduplication_ = by_content;
  return *this;
}
QueueChanges& QueueChanges::set_strict_priority(bool strict) {
  strict_priority_ = strict;
  return *this;
}
QueueChanges& QueueChanges::set_receives_paused(bool paused) {
  receives_paused_ = paused;
  return *this;
}
QueueChanges& QueueChanges::set_sends_paused(bool paused) {
  sends_paused_ = paused;
  return *this;
}
QueueChanges& QueueChanges::set_dry_run(bool dry_run) {
  dry_run_ = dry_run;
  return *this;
}

}  // namespace weir
