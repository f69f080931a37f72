#include "client/session/wire_convert.hpp"

#include "client/core/convert.hpp"
#include "proto/setting_fields.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <type_traits>

namespace weir::sdk {
namespace {

// A setting of a queue that is a number, between the options and the fields of its name.
struct NumericSetting {
  const char* name;
  std::int64_t (*of)(const QueueSettings& settings);
  void (*set)(QueueSettings& settings, std::int64_t value);
  std::optional<std::int64_t> (*change)(const QueueChanges& changes);
};

template <class T>
std::int64_t to_number(T value) {
  if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
    return value.count();
  } else {
    return static_cast<std::int64_t>(value);
  }
}

template <auto kGet, auto kSet, auto kChange>
constexpr NumericSetting numeric(const char* name) {
  return {name, [](const QueueSettings& settings) { return to_number((settings.*kGet)()); },
          [](QueueSettings& settings, std::int64_t value) {
            (settings.*kSet)(static_cast<decltype((settings.*kGet)())>(value));
          },
          [](const QueueChanges& changes) {
            const auto value = (changes.*kChange)();
            return value ? std::optional(to_number(*value)) : std::nullopt;
          }};
}

constexpr std::array kNumericSettings = {
    numeric<&QueueSettings::lease, &QueueSettings::set_lease, &QueueChanges::lease>("lease_ms"),
    numeric<&QueueSettings::max_receive_count, &QueueSettings::set_max_receive_count,
            &QueueChanges::max_receive_count>("max_receive_count"),
    numeric<&QueueSettings::max_messages, &QueueSettings::set_max_messages,
            &QueueChanges::max_messages>("max_messages"),
    numeric<&QueueSettings::max_bytes, &QueueSettings::set_max_bytes, &QueueChanges::max_bytes>(
        "max_bytes"),
    numeric<&QueueSettings::max_message_bytes, &QueueSettings::set_max_message_bytes,
            &QueueChanges::max_message_bytes>("max_message_bytes"),
    numeric<&QueueSettings::max_in_flight, &QueueSettings::set_max_in_flight,
            &QueueChanges::max_in_flight>("max_in_flight"),
    numeric<&QueueSettings::redelivery_delay, &QueueSettings::set_redelivery_delay,
            &QueueChanges::redelivery_delay>("redelivery_delay_ms"),
    numeric<&QueueSettings::redelivery_max_delay, &QueueSettings::set_redelivery_max_delay,
            &QueueChanges::redelivery_max_delay>("redelivery_max_delay_ms"),
    numeric<&QueueSettings::redelivery_budget_percent,
            &QueueSettings::set_redelivery_budget_percent,
            &QueueChanges::redelivery_budget_percent>("redelivery_budget_percent"),
    numeric<&QueueSettings::delay, &QueueSettings::set_delay, &QueueChanges::delay>("delay_ms"),
    numeric<&QueueSettings::retention, &QueueSettings::set_retention, &QueueChanges::retention>(
        "retention_ms"),
    numeric<&QueueSettings::dead_letter_expired, &QueueSettings::set_dead_letter_expired,
            &QueueChanges::dead_letter_expired>("dead_letter_expired"),
    numeric<&QueueSettings::deduplication, &QueueSettings::set_deduplication,
            &QueueChanges::deduplication>("deduplication_ms"),
    numeric<&QueueSettings::content_deduplication, &QueueSettings::set_content_deduplication,
            &QueueChanges::content_deduplication>("content_deduplication"),
    numeric<&QueueSettings::strict_priority, &QueueSettings::set_strict_priority,
            &QueueChanges::strict_priority>("strict_priority"),
};

using WireChanges = google::protobuf::RepeatedPtrField<v1::SettingChange>;

std::vector<SettingChange> to_changes(const WireChanges& changes) {
  std::vector<SettingChange> converted;
  converted.reserve(static_cast<std::size_t>(changes.size()));
  for (const v1::SettingChange& wire : changes) {
    SettingChange& change = converted.emplace_back();
    change.setting = wire.setting();
    change.before = wire.before();
    change.after = wire.after();
  }
  return converted;
}

}  // namespace

std::vector<PartitionPosition> to_positions(const WirePositions& positions) {
  std::vector<PartitionPosition> converted;
  converted.reserve(static_cast<std::size_t>(positions.size()));
  for (const v1::PartitionPosition& wire : positions) {
    PartitionPosition& position = converted.emplace_back();
    position.partition = wire.partition();
    position.offset = wire.offset();
    position.high_watermark = wire.high_watermark();
    position.log_start = wire.log_start();
  }
  return converted;
}

QueueDescription to_description(const v1::QueueInfo& queue) {
  QueueDescription description;
  description.name = queue.name();
  description.uuid = queue.uuid();
  description.id = queue.id();
  for (const NumericSetting& setting : kNumericSettings) {
    setting.set(description.settings, proto::number(queue.settings(), setting.name));
  }
  description.settings.set_dead_letter_queue(queue.settings().dead_letter_queue());
  description.settings.set_dead_letter_sources(queue.settings().dead_letter_sources());
  description.ready = queue.ready();
  description.in_flight = queue.in_flight();
  description.delayed = queue.delayed();
  description.dying = queue.dying();
  description.parked = queue.parked();
  description.bytes = queue.bytes();
  description.next_offset = queue.next_offset();
  description.oldest_append_time = to_timestamp(queue.oldest_append_time());
  description.subscribers = queue.subscribers();
  description.receives_paused = queue.receives_paused();
  description.sends_paused = queue.sends_paused();
  description.created = queue.created();
  return description;
}

TopicDescription to_description(const v1::TopicInfo& topic) {
  TopicDescription description;
  description.name = topic.name();
  description.uuid = topic.uuid();
  description.id = topic.id();
  description.settings.set_partitions(topic.settings().partitions());
  for (const v1::PartitionInfo& wire : topic.partitions()) {
    PartitionDescription& partition = description.partitions.emplace_back();
    partition.partition = wire.partition();
    partition.log_start = wire.log_start();
    partition.high_watermark = wire.high_watermark();
    partition.last_stable = wire.last_stable();
    partition.leader_epoch = wire.leader_epoch();
    partition.bytes = wire.bytes();
  }
  description.created = topic.created();
  return description;
}

NamespaceDescription to_description(const v1::NamespaceInfo& name_space) {
  NamespaceDescription description;
  description.name = name_space.name();
  description.id = name_space.id();
  description.queues = name_space.queues();
  description.topics = name_space.topics();
  description.created = name_space.created();
  return description;
}

NamespacePage to_page(const v1::NamespaceList& list) {
  NamespacePage page;
  for (const v1::NamespaceInfo& name_space : list.namespaces()) {
    page.namespaces.push_back(to_description(name_space));
  }
  page.next_page_token = list.next_page_token();
  return page;
}

ClientDescription to_description(const v1::ClientInfo& client) {
  ClientDescription description;
  description.session = client.session();
  description.service = client.service();
  description.library = client.client();
  description.address = client.address();
  description.name_space = client.namespace_();
  description.since = to_timestamp(client.since());
  description.subscriptions = client.subscriptions();
  description.in_flight = client.in_flight();
  return description;
}

ClientPage to_page(const v1::ClientList& list) {
  ClientPage page;
  for (const v1::ClientInfo& client : list.clients()) {
    page.clients.push_back(to_description(client));
  }
  page.next_page_token = list.next_page_token();
  return page;
}

namespace {}  // namespace

QueueUpdate to_update(const v1::QueueUpdate& update) {
  QueueUpdate converted;
  converted.queue = to_description(update.queue());
  converted.changes = to_changes(update.changes());
  return converted;
}

ConfigReload to_reload(const v1::ConfigReload& reload) {
  ConfigReload converted;
  converted.file = reload.file();
  converted.taken = to_changes(reload.taken());
  converted.left = to_changes(reload.left());
  converted.unchanged.assign(reload.unchanged().begin(), reload.unchanged().end());
  return converted;
}

QueuePage to_page(const v1::QueueList& list) {
  QueuePage page;
  for (const v1::QueueInfo& queue : list.queues()) {
    page.queues.push_back(to_description(queue));
  }
  page.next_page_token = list.next_page_token();
  return page;
}

TopicPage to_page(const v1::TopicList& list) {
  TopicPage page;
  for (const v1::TopicInfo& topic : list.topics()) {
    page.topics.push_back(to_description(topic));
  }
  page.next_page_token = list.next_page_token();
  return page;
}

void fill(v1::UpdateQueue& wire, const QueueChanges& changes) {
  for (const NumericSetting& setting : kNumericSettings) {
    if (const std::optional<std::int64_t> value = setting.change(changes)) {
      proto::set_number(wire, setting.name, *value);
    }
  }
  if (changes.dead_letter_sources()) {
    wire.set_dead_letter_sources(*changes.dead_letter_sources());
  }
  if (changes.dead_letter_queue()) {
    wire.set_dead_letter_queue(*changes.dead_letter_queue());
  }
  if (changes.receives_paused()) {
    wire.set_receives_paused(*changes.receives_paused());
  }
  if (changes.sends_paused()) {
    wire.set_sends_paused(*changes.sends_paused());
  }
  wire.set_dry_run(changes.dry_run());
}

void fill(v1::ListPage& wire, const ListOptions& options) {
  wire.set_pattern(options.pattern());
  wire.set_page_token(options.page_token());
  wire.set_max_results(options.max_results());
}

void fill(v1::StartPosition& wire, const StartPosition& position) {
  switch (position.kind()) {
    case StartPosition::Kind::kStart:
      wire.set_start(true);
      break;
    case StartPosition::Kind::kEnd:
      wire.set_end(true);
      break;
    case StartPosition::Kind::kOffset:
      wire.set_offset(position.value());
      break;
    case StartPosition::Kind::kTime:
      wire.set_time_ms(position.value());
      break;
  }
}

void fill(v1::PartitionStart& wire, const PartitionStart& start) {
  wire.set_partition(start.partition);
  fill(*wire.mutable_from(), start.from);
}

void fill(v1::QueueSettings& wire, const QueueSettings& settings) {
  for (const NumericSetting& setting : kNumericSettings) {
    proto::set_number(wire, setting.name, setting.of(settings));
  }
  wire.set_dead_letter_queue(settings.dead_letter_queue());
  wire.set_dead_letter_sources(settings.dead_letter_sources());
}

void fill(v1::TopicSettings& wire, const TopicSettings& settings) {
  wire.set_partitions(settings.partitions());
}

void fill(v1::SubscribeTopic& wire, std::string_view topic, const ReaderMachine::Request& request) {
  wire.set_topic(std::string(topic));
  for (const PartitionStart& start : request.partitions) {
    fill(*wire.add_partitions(), start);
  }
  fill(*wire.mutable_from(), request.from);
  wire.set_window_messages(request.window_messages);
  wire.set_window_bytes(request.window_bytes);
}

}  // namespace weir::sdk
