#include "weir/options.hpp"

#include "weir/admin.hpp"

#include <utility>

namespace weir {

CallOptions::CallOptions() = default;
CallOptions::CallOptions(TimePoint deadline) : deadline_(deadline) {}
CallOptions::CallOptions(std::stop_token stop_token) : stop_token_(std::move(stop_token)) {}

CallOptions& CallOptions::set_timeout(std::chrono::milliseconds timeout) {
  timeout_ = timeout;
  return *this;
}
CallOptions& CallOptions::set_deadline(TimePoint deadline) {
  deadline_ = deadline;
  return *this;
}
CallOptions& CallOptions::set_stop_token(std::stop_token token) {
  stop_token_ = std::move(token);
  return *this;
}

ClientOptions::ClientOptions() = default;
ClientOptions::ClientOptions(std::string address) : address_(std::move(address)) {}

ClientOptions& ClientOptions::set_address(std::string address) {
  address_ = std::move(address);
  return *this;
}
ClientOptions& ClientOptions::set_service(std::string service) {
  service_ = std::move(service);
  return *this;
}
ClientOptions& ClientOptions::set_connect_timeout(Milliseconds timeout) {
  connect_timeout_ = timeout;
  return *this;
}
ClientOptions& ClientOptions::set_request_timeout(Milliseconds timeout) {
  request_timeout_ = timeout;
  return *this;
}
ClientOptions& ClientOptions::set_overall_timeout(Milliseconds timeout) {
  overall_timeout_ = timeout;
  return *this;
}
ClientOptions& ClientOptions::set_reconnect_backoff(Milliseconds first, Milliseconds longest) {
  first_backoff_ = first;
  longest_backoff_ = longest;
  return *this;
}
ClientOptions& ClientOptions::set_drain_timeout(Milliseconds timeout) {
  drain_timeout_ = timeout;
  return *this;
}
ClientOptions& ClientOptions::set_log_handler(LogHandler handler) {
  log_handler_ = std::move(handler);
  return *this;
}
ClientOptions& ClientOptions::set_metric_handler(MetricHandler handler) {
  metric_handler_ = std::move(handler);
  return *this;
}
ClientOptions& ClientOptions::set_event_handler(EventHandler handler) {
  event_handler_ = std::move(handler);
  return *this;
}

ProducerOptions::ProducerOptions() = default;

ProducerOptions& ProducerOptions::set_max_buffered_bytes(std::size_t bytes) {
  max_buffered_bytes_ = bytes;
  return *this;
}
ProducerOptions& ProducerOptions::set_max_buffered_messages(std::size_t messages) {
  max_buffered_messages_ = messages;
  return *this;
}
ProducerOptions& ProducerOptions::set_send_timeout(std::chrono::milliseconds timeout) {
  send_timeout_ = timeout;
  return *this;
}
ProducerOptions& ProducerOptions::set_compression(Compression compression) {
  compression_ = compression;
  return *this;
}

LeaseEnding::LeaseEnding(std::string from_queue, std::string receipt_handle, MessageId id,
                         std::int64_t at_offset, std::chrono::milliseconds time_left)
    : queue(std::move(from_queue)),
      handle(std::move(receipt_handle)),
      message_id(id),
      offset(at_offset),
      left(time_left) {}

ConsumerOptions::ConsumerOptions() = default;

ConsumerOptions& ConsumerOptions::set_window_messages(std::uint32_t messages) {
  window_messages_ = messages;
  return *this;
}
ConsumerOptions& ConsumerOptions::set_window_bytes(std::uint32_t bytes) {
  window_bytes_ = bytes;
  return *this;
}
ConsumerOptions& ConsumerOptions::set_lease(std::chrono::milliseconds lease) {
  lease_ = lease;
  return *this;
}
ConsumerOptions& ConsumerOptions::set_max_hold(std::chrono::milliseconds max_hold) {
  max_hold_ = max_hold;
  return *this;
}
ConsumerOptions& ConsumerOptions::set_lease_ending_handler(std::chrono::milliseconds before,
                                                           LeaseEndingHandler handler) {
  told_before_lease_end_ = before;
  lease_ending_handler_ = std::move(handler);
  return *this;
}

ReceiveOptions::ReceiveOptions() = default;

ReceiveOptions& ReceiveOptions::set_max_messages(std::uint32_t messages) {
  max_messages_ = messages;
  return *this;
}
ReceiveOptions& ReceiveOptions::set_wait(std::chrono::milliseconds wait) {
  wait_ = wait;
  return *this;
}
ReceiveOptions& ReceiveOptions::set_lease(std::chrono::milliseconds lease) {
  lease_ = lease;
  return *this;
}
ReceiveOptions& ReceiveOptions::set_max_bytes(std::uint32_t bytes) {
  max_bytes_ = bytes;
  return *this;
}

ReaderOptions::ReaderOptions() = default;

ReaderOptions& ReaderOptions::set_from(StartPosition from) {
  from_ = from;
  return *this;
}
ReaderOptions& ReaderOptions::add_partition(std::uint32_t partition) {
  partitions_.emplace_back(partition, std::nullopt);
  return *this;
}
ReaderOptions& ReaderOptions::add_partition(std::uint32_t partition, StartPosition from) {
  partitions_.emplace_back(partition, from);
  return *this;
}
ReaderOptions& ReaderOptions::set_to(std::int64_t offset) {
  to_ = offset;
  return *this;
}
ReaderOptions& ReaderOptions::set_stop_at_end() {
  stop_at_end_ = true;
  return *this;
}
ReaderOptions& ReaderOptions::set_window_messages(std::uint32_t messages) {
  window_messages_ = messages;
  return *this;
}
ReaderOptions& ReaderOptions::set_window_bytes(std::uint32_t bytes) {
  window_bytes_ = bytes;
  return *this;
}
ReaderOptions& ReaderOptions::set_max_batch_bytes(std::size_t bytes) {
  max_batch_bytes_ = bytes;
  return *this;
}

std::vector<PartitionStart> ReaderOptions::partitions() const {
  std::vector<PartitionStart> starts;
  starts.reserve(partitions_.size());
  for (const auto& [partition, from] : partitions_) {
    starts.emplace_back(partition, from.value_or(from_));
  }
  return starts;
}

DeleteOptions::DeleteOptions() = default;

DeleteOptions& DeleteOptions::set_force(bool force) {
  force_ = force;
  return *this;
}

TopicSettings::TopicSettings() = default;

TopicSettings& TopicSettings::set_partitions(std::uint32_t partitions) {
  partitions_ = partitions;
  return *this;
}

ListOptions::ListOptions() = default;

ListOptions& ListOptions::set_pattern(std::string pattern) {
  pattern_ = std::move(pattern);
  return *this;
}
ListOptions& ListOptions::set_page_token(std::string token) {
  page_token_ = std::move(token);
  return *this;
}
ListOptions& ListOptions::set_max_results(std::uint32_t count) {
  max_results_ = count;
  return *this;
}

QueueDescription::QueueDescription() = default;
SettingChange::SettingChange() = default;
QueueUpdate::QueueUpdate() = default;
ConfigReload::ConfigReload() = default;
PartitionDescription::PartitionDescription() = default;
TopicDescription::TopicDescription() = default;
QueuePage::QueuePage() = default;
TopicPage::TopicPage() = default;
NamespaceDescription::NamespaceDescription() = default;
NamespacePage::NamespacePage() = default;
ClientDescription::ClientDescription() = default;
ClientPage::ClientPage() = default;
PeekedMessage::PeekedMessage() = default;
AttemptDescription::AttemptDescription() = default;
PeekPage::PeekPage() = default;

PeekOptions::PeekOptions() = default;

PeekOptions& PeekOptions::set_state(MessageState state) {
  state_ = state;
  return *this;
}
PeekOptions& PeekOptions::set_from_offset(std::int64_t offset) {
  from_offset_ = offset;
  return *this;
}
PeekOptions& PeekOptions::set_max_messages(std::uint32_t messages) {
  max_messages_ = messages;
  return *this;
}
PeekOptions& PeekOptions::set_filter(MessageFilter filter) {
  filter_ = std::move(filter);
  return *this;
}
PeekOptions& PeekOptions::set_with_attempts(bool with) {
  with_attempts_ = with;
  return *this;
}

std::string_view name(MessageState state) {
  switch (state) {
    case MessageState::kAny:
      return "any";
    case MessageState::kReady:
      return "ready";
    case MessageState::kDelayed:
      return "delayed";
    case MessageState::kInFlight:
      return "in_flight";
    case MessageState::kDying:
      return "dying";
    case MessageState::kParked:
      return "parked";
  }
  return "unknown";
}
PartitionPosition::PartitionPosition() = default;

BackupDescription::BackupDescription() = default;

}  // namespace weir
