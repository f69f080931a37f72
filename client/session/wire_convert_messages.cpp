#include "client/core/convert.hpp"
#include "client/session/wire_convert.hpp"
#include "proto/batch/record_batch.hpp"

#include <optional>
#include <string>

// Between the protocol's messages and the library's own types: messages that are looked at, put off
// or moved back.
namespace weir::sdk {
namespace {

/// Copies what a record of a page says; MALFORMED when it is none.
template <class Wire, class Message>
proto::Result<> copy_record(const Wire& wire, Message& message) {
  const proto::Result<proto::DecodedRecord> decoded = proto::decode_record(wire.record());
  if (!decoded || decoded->bytes != wire.record().size()) {
    return proto::fail(proto::Errc::kMalformed, "a message that was looked at cannot be read");
  }
  const proto::RecordView& record = decoded->record;
  message.append_time = to_timestamp(wire.append_time());
  message.timestamp = to_timestamp(proto::timestamp_of(wire.base_timestamp(), record));
  message.key = record.key;
  message.value = record.value;
  for (const proto::Header& header : record.headers) {
    message.headers.emplace_back(header.key, header.value);
  }
  return {};
}

proto::Result<> read_peeked(const v1::PeekedMessage& wire, PeekedMessage& message) {
  if (proto::Result<> copied = copy_record(wire, message); !copied) {
    return copied;
  }
  // A broker of before that is asked for no id says none.
  const std::optional<MessageId> id =
      wire.message_id().empty() ? MessageId() : MessageId::parse(wire.message_id());
  if (!id) {
    return proto::fail(proto::Errc::kMalformed, "the id of a message is none");
  }
  message.id = *id;
  message.offset = wire.base_offset() + wire.index();
  message.state = static_cast<MessageState>(wire.state());
  message.attempts = wire.attempts();
  message.failures = wire.failures();
  message.due = to_timestamp(wire.due_time());
  message.consumer = wire.consumer();
  message.leased = to_timestamp(wire.leased_time());
  for (const v1::AttemptInfo& attempt : wire.history()) {
    AttemptDescription& told = message.history.emplace_back();
    told.number = attempt.number();
    told.time = to_timestamp(attempt.time());
    told.outcome = attempt.outcome();
    told.consumer = attempt.consumer();
    told.reason = attempt.reason();
  }
  return {};
}

MessageFilter to_filter(const v1::MessageFilter& wire) {
  MessageFilter filter;
  filter.set_id(MessageId::parse(wire.message_id()).value_or(MessageId()))
      .set_reason(wire.reason())
      .set_header(wire.header(), wire.header_value())
      .set_key(wire.key())
      .set_died_after(to_timestamp(wire.died_after()))
      .set_died_before(to_timestamp(wire.died_before()));
  return filter;
}

void fill(v1::MessageFilter& wire, const MessageFilter& filter) {
  if (!filter.id().is_nil()) {
    wire.set_message_id(filter.id().to_string());
  }
  wire.set_reason(filter.reason());
  wire.set_header(filter.header());
  wire.set_header_value(filter.header_value());
  wire.set_key(filter.key());
  wire.set_died_after(filter.died_after().time_since_epoch().count());
  wire.set_died_before(filter.died_before().time_since_epoch().count());
}

}  // namespace

proto::Result<DelayedPage> to_page(const v1::DelayedList& list) {
  DelayedPage page;
  for (const v1::DelayedMessage& wire : list.messages()) {
    DelayedMessage& message = page.messages.emplace_back();
    if (const proto::Result<> copied = copy_record(wire, message); !copied) {
      return copied.error();
    }
    const std::optional<MessageId> id = MessageId::parse(wire.message_id());
    if (!id) {
      return proto::fail(proto::Errc::kMalformed, "a message that is put off has no id");
    }
    message.id = *id;
    message.due = to_timestamp(wire.due_time());
  }
  page.next_page_token = list.next_page_token();
  return page;
}

proto::Result<PeekPage> to_page(const v1::Peeked& peeked) {
  PeekPage page;
  for (const v1::PeekedMessage& wire : peeked.messages()) {
    if (const proto::Result<> read = read_peeked(wire, page.messages.emplace_back()); !read) {
      return read.error();
    }
  }
  page.next_offset = peeked.next_offset();
  page.is_end = peeked.is_end();
  page.is_older_id = peeked.is_older_id();
  return page;
}

void fill(v1::PeekQueue& wire, const PeekOptions& options) {
  wire.set_state(static_cast<v1::MessageState>(options.state()));
  wire.set_from_offset(options.from_offset());
  wire.set_max_messages(options.max_messages());
  wire.set_with_attempts(options.with_attempts());
  fill(*wire.mutable_filter(), options.filter());
}

RedriveDescription to_description(const v1::RedriveInfo& redrive) {
  RedriveDescription description;
  description.name = redrive.name();
  description.options.set_target(redrive.target())
      .set_parked(redrive.parked())
      .set_dry_run(redrive.dry_run())
      .set_max_messages(redrive.max_messages())
      .set_rate(redrive.rate())
      .set_drop(redrive.drop())
      .set_keep_attempts(redrive.keep_attempts())
      .set_filter(to_filter(redrive.filter()));
  for (const v1::HeaderToSet& header : redrive.set_headers()) {
    description.options.add_header(header.name(), header.value());
  }
  for (const std::string& name : redrive.remove_headers()) {
    description.options.remove_header(name);
  }
  const bool is_known = redrive.state() > v1::REDRIVE_STATE_UNSPECIFIED &&
                        redrive.state() <= v1::REDRIVE_STATE_FAILED;
  description.state =
      is_known ? static_cast<RedriveState>(redrive.state()) : RedriveState::kUnknown;
  description.why = redrive.why();
  description.moved = redrive.moved();
  description.skipped = redrive.skipped();
  description.position = redrive.position();
  description.end = redrive.end();
  description.begun_time = to_timestamp(redrive.begun_time());
  description.ended_time = to_timestamp(redrive.ended_time());
  return description;
}

RedrivePage to_page(const v1::RedriveList& list) {
  RedrivePage page;
  for (const v1::RedriveInfo& redrive : list.redrives()) {
    page.redrives.push_back(to_description(redrive));
  }
  page.next_page_token = list.next_page_token();
  return page;
}

void fill(v1::StartRedrive& wire, const RedriveOptions& options) {
  wire.set_target(options.target());
  wire.set_parked(options.parked());
  wire.set_dry_run(options.dry_run());
  wire.set_max_messages(options.max_messages());
  wire.set_rate(options.rate());
  wire.set_drop(options.drop());
  wire.set_keep_attempts(options.keep_attempts());
  for (const auto& [name, value] : options.added_headers()) {
    v1::HeaderToSet& header = *wire.add_set_headers();
    header.set_name(name);
    header.set_value(value);
  }
  for (const std::string& name : options.removed_headers()) {
    wire.add_remove_headers(name);
  }
  fill(*wire.mutable_filter(), options.filter());
}

}  // namespace weir::sdk
