#include "broker/net/messages.hpp"
#include "proto/hex.hpp"
#include "proto/setting_fields.hpp"
#include "proto/settlement.hpp"
#include "proto/wire_message.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::net {
namespace {

std::uint64_t to_unsigned_ms(std::int64_t ms) {
  return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

void write(const core::RedriveInfo& info, weir::v1::RedriveInfo& to) {
  const core::Redrive& redrive = info.redrive;
  to.set_name(info.name);
  to.set_target(info.target);
  to.set_parked(redrive.parked);
  to.set_dry_run(redrive.dry_run);
  to.set_max_messages(redrive.max_messages);
  to.set_rate(redrive.rate);
  to.set_drop(redrive.drop);
  to.set_keep_attempts(redrive.keep_attempts);
  for (const auto& [name, value] : redrive.headers.set) {
    weir::v1::HeaderToSet& header = *to.add_set_headers();
    header.set_name(name);
    header.set_value(value);
  }
  to.mutable_remove_headers()->Add(redrive.headers.remove.begin(), redrive.headers.remove.end());
  if (!redrive.filter.takes_all()) {
    weir::v1::MessageFilter& filter = *to.mutable_filter();
    filter.set_reason(redrive.filter.reason);
    filter.set_header(redrive.filter.header);
    filter.set_header_value(redrive.filter.header_value);
    filter.set_key(redrive.filter.key);
    filter.set_died_after(redrive.filter.died_after);
    filter.set_died_before(redrive.filter.died_before);
    filter.set_message_id(redrive.filter.message_id);
  }
  to.set_state(static_cast<weir::v1::RedriveState>(redrive.state));
  to.set_why(redrive.why);
  to.set_moved(redrive.moved);
  to.set_skipped(redrive.skipped);
  // Of the lane in which it is.
  const proto::Offset first = proto::first_offset(proto::lane_tag(redrive.end));
  to.set_position(redrive.position - first);
  to.set_end(redrive.end - first);
  to.set_begun_time(redrive.begun_time);
  to.set_ended_time(redrive.ended_time);
}

void write(const core::QueueInfo& info, weir::v1::QueueInfo& queue) {
  queue.set_name(info.name);
  queue.set_uuid(to_text(info.uuid));
  queue.set_id(info.id.value);
  for (const core::NumericSetting& setting : core::kNumericSettings) {
    proto::set_number(*queue.mutable_settings(), setting.name, info.settings.*setting.value);
  }
  for (const core::TextSetting& setting : core::kTextSettings) {
    proto::set_text(*queue.mutable_settings(), setting.name, info.settings.*setting.value);
  }
  queue.set_ready(info.ready);
  queue.set_in_flight(info.in_flight);
  queue.set_delayed(info.delayed);
  queue.set_dying(info.dying);
  queue.set_parked(info.parked);
  queue.set_bytes(info.bytes);
  queue.set_next_offset(info.next_offset);
  queue.set_oldest_append_time(info.oldest_append_time);
  queue.set_created(info.created);
  queue.set_subscribers(info.subscribers);
  queue.set_receives_paused(info.pause.receives);
  queue.set_sends_paused(info.pause.sends);
}

void write(const core::TopicInfo& info, weir::v1::TopicInfo& topic) {
  topic.set_name(info.name);
  topic.set_uuid(to_text(info.uuid));
  topic.set_id(info.id.value);
  topic.mutable_settings()->set_partitions(info.settings.partitions);
  for (const core::PartitionInfo& from : info.partitions) {
    weir::v1::PartitionInfo& partition = *topic.add_partitions();
    partition.set_partition(from.partition);
    partition.set_log_start(from.log_start);
    partition.set_high_watermark(from.high_watermark);
    partition.set_last_stable(from.last_stable);
    partition.set_leader_epoch(from.leader_epoch);
    partition.set_bytes(from.bytes);
  }
  topic.set_created(info.created);
}

void write(const core::NamespaceInfo& info, weir::v1::NamespaceInfo& name_space) {
  name_space.set_name(info.name);
  name_space.set_id(info.id.value);
  name_space.set_queues(info.queues);
  name_space.set_topics(info.topics);
  name_space.set_created(info.created);
}

void write(const core::ClientInfo& info, weir::v1::ClientInfo& client) {
  client.set_session(info.session.value);
  client.set_service(info.facts.service);
  client.set_client(info.facts.client);
  client.set_address(info.facts.address);
  client.set_namespace_(info.facts.name_space);
  client.set_since(info.facts.since);
  client.set_subscriptions(info.subscriptions);
  client.set_in_flight(info.in_flight);
}

void write(const core::SettingChange& change, weir::v1::SettingChange& to) {
  to.set_setting(change.setting);
  to.set_before(change.before);
  to.set_after(change.after);
}

// One function a kind of reply; each fills its own result.
struct Writer {
  weir::v1::Response& response;
  std::uint32_t alias;

  void operator()(const core::Done& /*done*/) const { response.mutable_done(); }

  void operator()(const core::QueueInfo& info) const { write(info, *response.mutable_queue()); }

  void operator()(const core::TopicInfo& info) const { write(info, *response.mutable_topic()); }

  void operator()(const core::NamespaceInfo& info) const {
    write(info, *response.mutable_name_space());
  }

  void operator()(const core::Peeked& from) const {
    weir::v1::Peeked& peeked = *response.mutable_peeked();
    for (const core::PeekedMessage& message : from.messages) {
      weir::v1::PeekedMessage& to = *peeked.add_messages();
      to.set_base_offset(message.base_offset);
      to.set_index(message.index);
      to.set_state(static_cast<weir::v1::MessageState>(message.state));
      to.set_attempts(message.attempts);
      to.set_failures(message.failures);
      to.set_due_time(message.due_time);
      to.set_append_time(message.append_time);
      to.set_base_timestamp(message.base_timestamp);
      const std::string_view record = message.record.view();
      to.set_record(record.data(), record.size());
      to.set_message_id(message.id);
      to.set_consumer(message.consumer);
      to.set_leased_time(message.leased_time);
      for (const core::Attempt& attempt : message.history) {
        weir::v1::AttemptInfo& told = *to.add_history();
        told.set_number(attempt.number);
        told.set_time(attempt.time);
        told.set_outcome(std::string(core::name(attempt.outcome)));
        told.set_consumer(attempt.consumer);
        told.set_reason(proto::reason_of(attempt.reason));  // a peer may have said anything
      }
    }
    peeked.set_next_offset(from.next_offset);
    peeked.set_is_end(from.is_end);
    peeked.set_is_older_id(from.is_older_id);
  }

  void operator()(const core::NamespaceList& from) const {
    weir::v1::NamespaceList& list = *response.mutable_namespace_list();
    for (const core::NamespaceInfo& info : from.namespaces) {
      write(info, *list.add_namespaces());
    }
    list.set_next_page_token(from.next);
  }

  void operator()(const core::ClientInfo& info) const { write(info, *response.mutable_client()); }

  void operator()(const core::ClientList& from) const {
    weir::v1::ClientList& list = *response.mutable_client_list();
    for (const core::ClientInfo& info : from.clients) {
      write(info, *list.add_clients());
    }
    list.set_next_page_token(from.next);
  }

  void operator()(const core::QueueUpdate& from) const {
    weir::v1::QueueUpdate& update = *response.mutable_queue_update();
    write(from.queue, *update.mutable_queue());
    for (const core::SettingChange& change : from.changes) {
      write(change, *update.add_changes());
    }
  }

  void operator()(const core::QueueList& from) const {
    weir::v1::QueueList& list = *response.mutable_queue_list();
    for (const core::QueueInfo& info : from.queues) {
      write(info, *list.add_queues());
    }
    list.set_next_page_token(from.next);
  }

  void operator()(const core::RedriveInfo& info) const { write(info, *response.mutable_redrive()); }

  void operator()(const core::RedriveList& from) const {
    weir::v1::RedriveList& list = *response.mutable_redrive_list();
    for (const core::RedriveInfo& info : from.redrives) {
      write(info, *list.add_redrives());
    }
    list.set_next_page_token(from.next);
  }

  void operator()(const core::TopicList& from) const {
    weir::v1::TopicList& list = *response.mutable_topic_list();
    for (const core::TopicInfo& info : from.topics) {
      write(info, *list.add_topics());
    }
    list.set_next_page_token(from.next);
  }

  void operator()(const core::ProducerInfo& info) const {
    response.mutable_producer()->set_id(info.id.value);
    response.mutable_producer()->set_epoch(info.epoch);
  }

  void operator()(const core::Attached& info) const {
    weir::v1::Attached& attached = *response.mutable_attached();
    attached.set_alias(alias);
    attached.set_id(info.id);
    attached.set_partitions(static_cast<std::uint32_t>(info.logs.size()));
  }

  void operator()(const core::Subscribed& info) const {
    weir::v1::Subscribed& subscribed = *response.mutable_subscribed();
    subscribed.set_alias(alias);
    subscribed.set_id(info.id.value);
    subscribed.set_lease_ms(to_unsigned_ms(info.lease_ms));
    subscribed.set_max_receive_count(static_cast<std::uint32_t>(info.max_receive_count));
    subscribed.set_redelivery_delay_ms(to_unsigned_ms(info.redelivery_delay_ms));
  }

  void operator()(const core::Received& info) const {
    weir::v1::Received& received = *response.mutable_received();
    received.set_id(info.id.value);
    received.set_generation(info.generation);
    received.set_lease_ms(to_unsigned_ms(info.lease_ms));
    for (const core::Delivery& delivery : info.deliveries) {
      weir::v1::Grant& grant = *received.add_grants();
      grant.set_grant(delivery.grant.value);
      grant.set_nonce(delivery.nonce);
      grant.set_base_offset(delivery.base_offset);
      grant.set_first_index(delivery.first_index);
      grant.set_span(delivery.span);
      grant.set_count(delivery.count);
      grant.set_attempts(delivery.attempts);
      grant.set_failures(delivery.failures);
      grant.set_base_timestamp(delivery.base_timestamp);
      const std::string_view records = delivery.records.view();
      grant.set_records(records.data(), records.size());
    }
  }

  template <class Message>
  static void add_positions(const std::vector<core::PartitionPosition>& positions,
                            Message& message) {
    for (const core::PartitionPosition& from : positions) {
      weir::v1::PartitionPosition& position = *message.add_positions();
      position.set_partition(from.partition);
      position.set_offset(from.offset);
      position.set_high_watermark(from.high_watermark);
      position.set_log_start(from.log_start);
    }
  }

  void operator()(const core::SubscribedTopic& info) const {
    weir::v1::SubscribedTopic& subscribed = *response.mutable_subscribed_topic();
    subscribed.set_alias(alias);
    subscribed.set_id(info.id.value);
    add_positions(info.positions, subscribed);
  }

  void operator()(const core::Offsets& info) const {
    add_positions(info.positions, *response.mutable_offsets());
  }

  template <class Message>
  static void add_outcomes(const std::vector<proto::Result<>>& outcomes, Message& message) {
    for (const proto::Result<>& outcome : outcomes) {
      weir::v1::SettleOutcome& to = *message.add_outcomes();
      if (!outcome) {
        *to.mutable_error() = proto::to_wire(outcome.error());
      }
    }
  }

  void operator()(const core::SettledMany& from) const {
    add_outcomes(from.outcomes, *response.mutable_settled_many());
  }

  void operator()(const core::DelayedChanged& from) const {
    add_outcomes(from.outcomes, *response.mutable_delayed_changed());
  }

  void operator()(const core::DelayedList& from) const {
    weir::v1::DelayedList& list = *response.mutable_delayed_list();
    for (const core::DelayedMessage& message : from.messages) {
      weir::v1::DelayedMessage& to = *list.add_messages();
      to.set_message_id(message.id);
      to.set_due_time(message.due_time);
      to.set_append_time(message.append_time);
      to.set_base_timestamp(message.base_timestamp);
      const std::string_view record = message.record.view();
      to.set_record(record.data(), record.size());
    }
    list.set_next_page_token(from.next);
  }

  void operator()(const core::BackupBlock& from) const {
    weir::v1::BackupBlock& block = *response.mutable_backup_block();
    block.set_backup(from.backup);
    block.set_block(from.block);
    block.set_bytes(from.bytes);
    block.set_expected_bytes(from.expected_bytes);
    if (from.summary) {
      weir::v1::BackupSummary& summary = *block.mutable_summary();
      summary.set_broker("weir/" WEIR_VERSION);
      summary.set_incarnation(from.summary->incarnation);
      summary.set_commit(from.summary->point.index.value);
      summary.set_commit_digest(from.summary->point.digest);
      summary.set_commit_time(from.summary->point.time);
      summary.set_rows(from.summary->rows);
      summary.set_row_bytes(from.summary->row_bytes);
      summary.set_rows_digest(from.summary->rows_digest);
    }
  }
};

}  // namespace

std::string to_text(const core::Uuid& uuid) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    proto::append_hex(text, uuid[i], 2);
  }
  return text;
}

weir::v1::Response to_wire(std::uint64_t request_id, const core::Reply& reply,
                           std::uint32_t alias) {
  weir::v1::Response response;
  response.set_id(request_id);
  std::visit(Writer{.response = response, .alias = alias}, reply);
  return response;
}

weir::v1::Response to_wire(std::uint64_t request_id, const ConfigReload& reload) {
  weir::v1::Response response;
  response.set_id(request_id);
  weir::v1::ConfigReload& to = *response.mutable_config_reload();
  to.set_file(reload.file);
  for (const core::SettingChange& change : reload.taken) {
    write(change, *to.add_taken());
  }
  for (const core::SettingChange& change : reload.left) {
    write(change, *to.add_left());
  }
  for (const std::string& setting : reload.unchanged) {
    to.add_unchanged(setting);
  }
  return response;
}

weir::v1::Response to_wire(std::uint64_t request_id, const proto::Error& error) {
  weir::v1::Response response;
  response.set_id(request_id);
  *response.mutable_error() = proto::to_wire(error);
  return response;
}

}  // namespace weir::net
