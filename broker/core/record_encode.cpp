#include "broker/core/record_codec.hpp"
#include "broker/core/row_messages.hpp"
#include "proto/planted_bugs.hpp"
#include "weir/storage/v1/records.pb.h"

#include <cstdint>
#include <vector>

namespace weir::core::records {

namespace pb = weir::storage::v1;

namespace {

// An alternative more of Record needs a write(), which needs a message; a message more of
// pb::Record needs a case in read_any(). The compiler asks for both.

void write(const NamespaceCreated& from, pb::Record& to) {
  messages::write(from, *to.mutable_namespace_created());
}

void write(const QueueCreated& from, pb::Record& to) {
  messages::write(from, *to.mutable_queue_created());
}

void write(const QueueChanged& from, pb::Record& to) {
  messages::write(from.definition, *to.mutable_queue_changed());
}

void write(const QueuePurged& from, pb::Record& to) {
  to.mutable_queue_purged()->set_queue(from.queue.value);
}

void write(const QueueDeleted& from, pb::Record& to) {
  to.mutable_queue_deleted()->set_queue(from.queue.value);
}

void write(const TopicDeleted& from, pb::Record& to) {
  to.mutable_topic_deleted()->set_topic(from.topic.value);
}

void write(const NamespaceDeleted& from, pb::Record& to) {
  to.mutable_namespace_deleted()->set_name_space(from.id.value);
}

void write(const TopicCreated& from, pb::Record& to) {
  messages::write(from, *to.mutable_topic_created());
}

void write(const ProducerStarted& from, pb::Record& to) {
  pb::ProducerStarted& started = *to.mutable_producer_started();
  started.set_id(from.id.value);
  started.set_epoch(from.epoch);
  started.set_time(from.time);
}

void write(const ProducerForgotten& from, pb::Record& to) {
  to.mutable_producer_forgotten()->set_id(from.id.value);
}

/// Of a record that has one.
template <class Sent>
void write_producer(const Sent& from, pb::BatchProducer& to) {
  to.set_id(static_cast<std::uint64_t>(from.producer_id));
  to.set_epoch(from.producer_epoch);
  to.set_base_sequence(static_cast<std::uint32_t>(from.base_sequence));
}

void write(const BatchAppended& from, pb::Record& to) {
  pb::BatchAppended& appended = *to.mutable_batch_appended();
  appended.set_log(from.log.value);
  appended.set_topic(from.topic);
  appended.set_base_offset(from.base_offset);
  appended.set_count(from.count);
  appended.set_time(from.time);
  if (from.producer_id >= 0) {
    write_producer(from, *appended.mutable_producer());
  }
  appended.set_stored(from.stored.view().data(), from.stored.size());
}

void write(const MessageRange& from, pb::MessageRange& to) {
  to.set_queue(from.queue.value);
  to.set_base_offset(from.base_offset);
  to.set_last_offset(from.last_offset);
  to.set_first(from.first);
  to.set_count(from.count);
}

/// Of a record that may be the first to tell of a batch.
template <class Message>
void write_groups(const std::vector<std::uint64_t>& from, Message& to) {
  to.mutable_groups()->Add(from.begin(), from.end());
}

void write(const Leased& from, pb::Record& to) {
  pb::Leased& leased = *to.mutable_leased();
  write(from.range, *leased.mutable_range());
  leased.set_grant(from.grant.value);
  leased.set_nonce(from.nonce);
  leased.set_deadline(from.deadline);
  leased.set_started(from.started);
  leased.set_batch_bytes(from.batch_bytes);
  leased.set_append_time(from.append_time);
  leased.set_cursor_time(from.cursor_time);
  leased.set_time(from.time);
  if (from.holder) {
    leased.set_holder(*from.holder);
  }
  write_groups(from.groups, leased);
}

void write(const Acked& from, pb::Record& to) {
  write(from.range, *to.mutable_acked()->mutable_range());
}

void write(const Returned& from, pb::Record& to) {
  pb::Returned& returned = *to.mutable_returned();
  write(from.range, *returned.mutable_range());
  returned.set_due(from.due);
  returned.set_cause(static_cast<pb::ReturnCause>(from.cause));
  returned.set_time(from.time);
  returned.set_reason(from.reason);
}

void write(const Extended& from, pb::Record& to) {
  pb::Extended& extended = *to.mutable_extended();
  write(from.range, *extended.mutable_range());
  extended.set_deadline(from.deadline + (WEIR_PLANTED(record_tells_another_deadline) ? 1 : 0));
}

void write(const Started& from, pb::Record& to) {
  write(from.range, *to.mutable_started()->mutable_range());
}

void write(const DeadLettered& from, pb::Record& to) {
  write(from.range, *to.mutable_dead_lettered()->mutable_range());
}

void write(const Passed& from, pb::Record& to) {
  pb::Passed& passed = *to.mutable_passed();
  write(from.range, *passed.mutable_range());
  passed.set_batch_bytes(from.batch_bytes);
  passed.set_append_time(from.append_time);
  passed.set_cursor_time(from.cursor_time);
  passed.set_due(from.due);
  write_groups(from.groups, passed);
}

void write(const Moved& from, pb::Record& to) {
  write(from.range, *to.mutable_moved()->mutable_range());
}

void write(const Unparked& from, pb::Record& to) {
  pb::Unparked& unparked = *to.mutable_unparked();
  write(from.range, *unparked.mutable_range());
  unparked.set_due(from.due);
}

void write(const Delayed& from, pb::Record& to) {
  pb::Delayed& delayed = *to.mutable_delayed();
  delayed.set_queue(from.queue.value);
  delayed.set_due(from.due);
  delayed.set_base_offset(from.base_offset);
  delayed.set_count(from.count);
  delayed.set_time(from.time);
  delayed.set_stored(from.stored.view().data(), from.stored.size());
}

void write(const DelayEnded& from, pb::Record& to) {
  pb::DelayEnded& ended = *to.mutable_delay_ended();
  ended.set_queue(from.queue.value);
  ended.set_due(from.due);
  ended.set_last_offset(from.last_offset);
  ended.set_count(from.count);
  ended.set_bytes(from.bytes);
}

void write(const SequenceTaken& from, pb::Record& to) {
  pb::SequenceTaken& taken = *to.mutable_sequence_taken();
  taken.set_log(from.log.value);
  write_producer(from, *taken.mutable_producer());
  taken.set_count(from.count);
  taken.set_base_offset(from.base_offset);
  taken.set_time(from.time);
  messages::write(from.parts, *taken.mutable_parts());
}

void write(const Deduplicated& from, pb::Record& to) {
  pb::Deduplicated& deduplicated = *to.mutable_deduplicated();
  deduplicated.set_queue(from.queue.value);
  deduplicated.set_part(from.part);
  deduplicated.set_first_part(from.first_part);
  deduplicated.set_time(from.time);
  for (const Deduplicated::Id& known : from.ids) {
    pb::Deduplicated::Id& id = *deduplicated.add_ids();
    id.set_id(known.id.data(), known.id.size());
    id.set_offset(known.offset);
  }
}

void write(const Expired& from, pb::Record& to) {
  pb::Expired& expired = *to.mutable_expired();
  write(from.range, *expired.mutable_range());
  expired.set_is_dead_lettered(from.is_dead_lettered);
  expired.set_batch_bytes(from.batch_bytes);
  expired.set_append_time(from.append_time);
  expired.set_cursor_time(from.cursor_time);
  write_groups(from.groups, expired);
}

void write(const RedriveChanged& from, pb::Record& to) {
  messages::write(from.redrive, *to.mutable_redrive_changed());
}

void write(const PagedOut& from, pb::Record& to) {
  pb::PagedOut& paged = *to.mutable_paged_out();
  paged.set_queue(from.queue.value);
  paged.set_last_offset(from.last_offset);
}

void write(const PagedIn& from, pb::Record& to) {
  pb::PagedIn& paged = *to.mutable_paged_in();
  paged.set_queue(from.queue.value);
  paged.set_last_offset(from.batch.last_offset());
  messages::write(from.batch, *paged.mutable_batch());
}

void write(const IncarnationRaised& from, pb::Record& to) {
  to.mutable_incarnation_raised()->set_incarnation(from.incarnation);
}

}  // namespace

std::string encode(const Record& record) {
  pb::Record out;
  std::visit([&out](const auto& one) { write(one, out); }, record);
  return out.SerializeAsString();
}

}  // namespace weir::core::records
