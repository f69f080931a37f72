#include "broker/core/queue/queue.hpp"
#include "broker/core/record_codec.hpp"
#include "broker/core/row_messages.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/limits.hpp"
#include "weir/storage/v1/records.pb.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

// Records from bytes, believing nothing.
namespace weir::core::records {

namespace pb = weir::storage::v1;

namespace {

// nullopt where a record says what none can say.

using messages::is_id;
using messages::read;

constexpr std::size_t kMaxStoredBytes = proto::kStoredHeaderBytes + proto::kMaxBatchBytes;

bool is_time(std::int64_t time) {
  return time >= 0 && time < INT64_MAX;
}

std::optional<ProducerStarted> read(const pb::ProducerStarted& from) {
  if (!is_id(from.id()) || from.epoch() > INT16_MAX || !is_time(from.time())) {
    return std::nullopt;
  }
  return ProducerStarted{proto::ProducerId{from.id()}, static_cast<std::uint16_t>(from.epoch()),
                         from.time()};
}

std::optional<ProducerForgotten> read(const pb::ProducerForgotten& from) {
  if (!is_id(from.id())) {
    return std::nullopt;
  }
  return ProducerForgotten{proto::ProducerId{from.id()}};
}

bool is_producer(const pb::BatchProducer& producer) {
  return is_id(producer.id()) && producer.epoch() <= INT16_MAX &&
         producer.base_sequence() <= INT32_MAX;
}

/// Sets what a record says of its producer.
template <class Sent>
void read_producer(const pb::BatchProducer& from, Sent& to) {
  to.producer_id = static_cast<std::int64_t>(from.id());
  to.producer_epoch = static_cast<std::uint16_t>(from.epoch());
  to.base_sequence = static_cast<std::int32_t>(from.base_sequence());
}

/// Whether the record names the producer that the batch itself names.
bool agrees(const pb::BatchAppended& record, const proto::BatchHeader& header) {
  if (!record.has_producer()) {
    return header.producer_id < 0;
  }
  const pb::BatchProducer& producer = record.producer();
  return is_producer(producer) && header.producer_id == static_cast<std::int64_t>(producer.id()) &&
         header.producer_epoch == static_cast<std::int16_t>(producer.epoch()) &&
         header.base_sequence == static_cast<std::int32_t>(producer.base_sequence());
}

/// The header of the stored batch that a record speaks of; nullopt where it is not whole, or is
/// another one.
template <class Sent>
std::optional<proto::BatchHeader> header_of_batch(const Sent& record) {
  if (record.stored().size() > kMaxStoredBytes) {
    return std::nullopt;
  }
  const auto stored = proto::parse_stored_batch(record.stored(), true);
  if (!stored || stored->header.append_time != record.time() ||
      stored->header.prev_last_offset < -1 ||
      stored->header.prev_last_offset >= record.base_offset()) {
    return std::nullopt;
  }
  const auto header = proto::parse_batch_header(stored->batch);
  if (!header || header->base_offset != record.base_offset() ||
      static_cast<std::uint32_t>(header->record_count) != record.count() ||
      static_cast<std::uint32_t>(header->last_offset_delta) + 1 != record.count()) {
    return std::nullopt;
  }
  return *header;
}

/// A queue looks into its batches: they are uncompressed, and each record can be found.
template <class Sent>
bool is_readable(const Sent& record) {
  return proto::read_columns(std::string_view(record.stored()).substr(proto::kStoredHeaderBytes))
      .has_value();
}

bool is_count(std::uint32_t count) {
  return count != 0 && count <= proto::kMaxBatchRecords;
}

std::optional<BatchAppended> read(const pb::BatchAppended& from) {
  if (!is_id(from.log()) || from.base_offset() < 0 || !is_count(from.count()) ||
      !is_time(from.time())) {
    return std::nullopt;
  }
  const auto header = header_of_batch(from);
  if (!header || !agrees(from, *header) ||
      (!from.topic() && (!proto::is_in_lane(proto::QueueId{from.log()}, from.base_offset()) ||
                         !is_readable(from)))) {
    return std::nullopt;
  }
  BatchAppended appended;
  appended.log = proto::LogId{from.log()};
  appended.topic = from.topic();
  appended.base_offset = from.base_offset();
  appended.count = from.count();
  appended.time = from.time();
  if (from.has_producer()) {
    read_producer(from.producer(), appended);
  }
  appended.stored = proto::SharedBytes(from.stored());
  return appended;
}

std::optional<MessageRange> read(const pb::MessageRange& from) {
  const proto::QueueId lane{from.queue()};
  if (!proto::is_in_lane(lane, from.base_offset()) ||
      !proto::is_in_lane(lane, from.last_offset()) || from.last_offset() < from.base_offset() ||
      from.last_offset() - from.base_offset() >= std::int64_t{proto::kMaxBatchRecords}) {
    return std::nullopt;
  }
  const auto size = static_cast<std::uint32_t>(from.last_offset() - from.base_offset() + 1);
  if (from.count() == 0 || from.first() >= size || from.count() > size - from.first()) {
    return std::nullopt;
  }
  return MessageRange{lane, from.base_offset(), from.last_offset(), from.first(), from.count()};
}

/// What a batch takes in the store.
bool is_stored_size(std::uint64_t bytes) {
  return bytes != 0 && bytes <= kMaxStoredBytes;
}

/// Of all messages of the batch that the range is of, or of none.
template <class Message>
bool has_sound_groups(const Message& from) {
  const std::int64_t size = from.range().last_offset() - from.range().base_offset() + 1;
  return from.groups().empty() || from.groups_size() == size;
}

template <class Message>
std::vector<std::uint64_t> read_groups(const Message& from) {
  return {from.groups().begin(), from.groups().end()};
}

std::optional<Leased> read(const pb::Leased& from) {
  const auto range = read(from.range());
  if (!range || !has_sound_groups(from) || !is_id(from.grant()) || !is_time(from.deadline()) ||
      !is_stored_size(from.batch_bytes()) || !is_time(from.append_time()) ||
      !is_time(from.cursor_time()) || !is_time(from.time()) ||
      from.holder().size() > kMaxHolderBytes) {
    return std::nullopt;
  }
  Leased leased;
  leased.range = *range;
  leased.grant = proto::GrantId{from.grant()};
  leased.nonce = from.nonce();
  leased.deadline = from.deadline();
  leased.started = from.started();
  leased.batch_bytes = from.batch_bytes();
  leased.append_time = from.append_time();
  leased.cursor_time = from.cursor_time();
  leased.time = from.time();
  if (!from.holder().empty()) {
    leased.holder = std::make_shared<const std::string>(from.holder());
  }
  leased.groups = read_groups(from);
  return leased;
}

/// For records that are nothing but a range.
template <class T, class Message>
std::optional<T> read_range(const Message& from) {
  const auto range = read(from.range());
  return range ? std::optional(T{*range}) : std::nullopt;
}

std::optional<Acked> read(const pb::Acked& from) {
  return read_range<Acked>(from);
}

std::optional<Returned> read(const pb::Returned& from) {
  const auto range = read(from.range());
  const auto cause = read(from.cause());
  if (!range || !cause || !is_time(from.due()) || !is_time(from.time()) ||
      from.reason().size() > proto::kMaxReasonBytes) {
    return std::nullopt;
  }
  return Returned{*range, from.due(), *cause, from.time(), from.reason()};
}

std::optional<Extended> read(const pb::Extended& from) {
  const auto range = read(from.range());
  if (!range || !is_time(from.deadline())) {
    return std::nullopt;
  }
  return Extended{*range, from.deadline()};
}

std::optional<Started> read(const pb::Started& from) {
  return read_range<Started>(from);
}

std::optional<DeadLettered> read(const pb::DeadLettered& from) {
  return read_range<DeadLettered>(from);
}

std::optional<Passed> read(const pb::Passed& from) {
  const auto range = read(from.range());
  if (!range || !has_sound_groups(from) || !is_stored_size(from.batch_bytes()) ||
      !is_time(from.append_time()) || !is_time(from.cursor_time()) || !is_time(from.due())) {
    return std::nullopt;
  }
  return Passed{*range,     from.batch_bytes(), from.append_time(), from.cursor_time(),
                from.due(), read_groups(from)};
}

std::optional<Moved> read(const pb::Moved& from) {
  return read_range<Moved>(from);
}

std::optional<Unparked> read(const pb::Unparked& from) {
  const auto range = read(from.range());
  return range && is_time(from.due()) ? std::optional(Unparked{*range, from.due()}) : std::nullopt;
}

std::optional<RedriveChanged> read_redrive(const pb::RedriveRow& from) {
  auto redrive = messages::read(from);
  return redrive ? std::optional(RedriveChanged{*std::move(redrive)}) : std::nullopt;
}

std::optional<Expired> read(const pb::Expired& from) {
  const auto range = read(from.range());
  if (!range || !has_sound_groups(from) || !is_stored_size(from.batch_bytes()) ||
      !is_time(from.append_time()) || !is_time(from.cursor_time())) {
    return std::nullopt;
  }
  return Expired{*range,
                 from.is_dead_lettered(),
                 from.batch_bytes(),
                 from.append_time(),
                 from.cursor_time(),
                 read_groups(from)};
}

/// Whether all offsets of a row of the delay lane are some of those.
bool is_put_off(std::int64_t base_offset, std::uint32_t count) {
  return base_offset >= Queue::DelayLane::kFirstOffset &&
         base_offset < 2 * Queue::DelayLane::kFirstOffset - count;
}

std::optional<Delayed> read(const pb::Delayed& from) {
  if (!is_id(from.queue()) || !is_time(from.due()) || !is_count(from.count()) ||
      !is_put_off(from.base_offset(), from.count()) || !is_time(from.time()) ||
      !header_of_batch(from) || !is_readable(from)) {
    return std::nullopt;
  }
  return Delayed{
      proto::QueueId{from.queue()},     from.due(), from.base_offset(), from.count(), from.time(),
      proto::SharedBytes(from.stored())};
}

std::optional<DelayEnded> read(const pb::DelayEnded& from) {
  if (!is_id(from.queue()) || !is_time(from.due()) || !is_count(from.count()) ||
      !is_put_off(from.last_offset(), 1) || !is_stored_size(from.bytes())) {
    return std::nullopt;
  }
  return DelayEnded{proto::QueueId{from.queue()}, from.due(), from.last_offset(), from.count(),
                    from.bytes()};
}

std::optional<SequenceTaken> read(const pb::SequenceTaken& from) {
  auto parts = read(from.parts(), from.count());
  if (!is_id(from.log()) || !is_producer(from.producer()) || !is_count(from.count()) ||
      from.base_offset() < 0 || !is_time(from.time()) || !parts) {
    return std::nullopt;
  }
  SequenceTaken taken;
  taken.log = proto::LogId{from.log()};
  read_producer(from.producer(), taken);
  taken.count = from.count();
  taken.base_offset = from.base_offset();
  taken.time = from.time();
  taken.parts = *std::move(parts);
  return taken;
}

std::optional<Deduplicated> read(const pb::Deduplicated& from) {
  if (!is_id(from.queue()) || !is_time(from.part()) || from.first_part() < 0 ||
      from.first_part() > from.part() || from.time() < from.part() || !is_time(from.time()) ||
      from.ids().empty() || from.ids_size() > static_cast<int>(proto::kMaxBatchRecords)) {
    return std::nullopt;
  }
  Deduplicated deduplicated{
      proto::QueueId{from.queue()}, from.part(), from.first_part(), from.time(), {}};
  for (const pb::Deduplicated::Id& id : from.ids()) {
    Deduplicated::Id& known = deduplicated.ids.emplace_back();
    if (id.id().size() != known.id.size() || id.offset() < 0) {
      return std::nullopt;
    }
    std::ranges::copy(id.id(), reinterpret_cast<char*>(known.id.data()));
    known.offset = id.offset();
  }
  return deduplicated;
}

std::optional<PagedOut> read(const pb::PagedOut& from) {
  if (!is_id(from.queue()) || from.last_offset() < 0 || from.last_offset() == INT64_MAX) {
    return std::nullopt;
  }
  return PagedOut{proto::QueueId{from.queue()}, from.last_offset()};
}

std::optional<PagedIn> read(const pb::PagedIn& from) {
  if (!is_id(from.queue()) || from.last_offset() < 0 || from.last_offset() == INT64_MAX) {
    return std::nullopt;
  }
  auto batch = messages::read(from.batch(), from.last_offset());
  if (!batch || from.batch().cold() || batch->counts().leased + batch->counts().dying > 0) {
    return std::nullopt;
  }
  return PagedIn{proto::QueueId{from.queue()}, *std::move(batch)};
}

std::optional<IncarnationRaised> read(const pb::IncarnationRaised& from) {
  // The first one was not raised.
  return from.incarnation() > 1 ? std::optional(IncarnationRaised{from.incarnation()})
                                : std::nullopt;
}

std::optional<QueueChanged> read_changed(const pb::QueueRow& from) {
  auto definition = read(from);
  return definition ? std::optional(QueueChanged{*std::move(definition)}) : std::nullopt;
}

std::optional<QueuePurged> read(const pb::QueuePurged& from) {
  return is_id(from.queue()) ? std::optional(QueuePurged{proto::QueueId{from.queue()}})
                             : std::nullopt;
}

std::optional<QueueDeleted> read(const pb::QueueDeleted& from) {
  return is_id(from.queue()) ? std::optional(QueueDeleted{proto::QueueId{from.queue()}})
                             : std::nullopt;
}

std::optional<TopicDeleted> read(const pb::TopicDeleted& from) {
  return is_id(from.topic()) ? std::optional(TopicDeleted{proto::TopicId{from.topic()}})
                             : std::nullopt;
}

std::optional<NamespaceDeleted> read(const pb::NamespaceDeleted& from) {
  return is_id(from.name_space())
             ? std::optional(NamespaceDeleted{proto::NamespaceId{from.name_space()}})
             : std::nullopt;
}

template <class T>
std::optional<Record> any(std::optional<T> record) {
  return record ? std::optional<Record>(*std::move(record)) : std::nullopt;
}

std::optional<Record> read_any(const pb::Record& from) {
  switch (from.what_case()) {
    case pb::Record::kNamespaceCreated:
      return any(read(from.namespace_created()));
    case pb::Record::kQueueCreated:
      return any(read(from.queue_created()));
    case pb::Record::kTopicCreated:
      return any(read(from.topic_created()));
    case pb::Record::kProducerStarted:
      return any(read(from.producer_started()));
    case pb::Record::kProducerForgotten:
      return any(read(from.producer_forgotten()));
    case pb::Record::kBatchAppended:
      return any(read(from.batch_appended()));
    case pb::Record::kLeased:
      return any(read(from.leased()));
    case pb::Record::kAcked:
      return any(read(from.acked()));
    case pb::Record::kReturned:
      return any(read(from.returned()));
    case pb::Record::kExtended:
      return any(read(from.extended()));
    case pb::Record::kStarted:
      return any(read(from.started()));
    case pb::Record::kDeadLettered:
      return any(read(from.dead_lettered()));
    case pb::Record::kPagedOut:
      return any(read(from.paged_out()));
    case pb::Record::kPagedIn:
      return any(read(from.paged_in()));
    case pb::Record::kIncarnationRaised:
      return any(read(from.incarnation_raised()));
    case pb::Record::kQueueChanged:
      return any(read_changed(from.queue_changed()));
    case pb::Record::kQueuePurged:
      return any(read(from.queue_purged()));
    case pb::Record::kQueueDeleted:
      return any(read(from.queue_deleted()));
    case pb::Record::kTopicDeleted:
      return any(read(from.topic_deleted()));
    case pb::Record::kNamespaceDeleted:
      return any(read(from.namespace_deleted()));
    case pb::Record::kPassed:
      return any(read(from.passed()));
    case pb::Record::kMoved:
      return any(read(from.moved()));
    case pb::Record::kUnparked:
      return any(read(from.unparked()));
    case pb::Record::kRedriveChanged:
      return any(read_redrive(from.redrive_changed()));
    case pb::Record::kDelayed:
      return any(read(from.delayed()));
    case pb::Record::kDelayEnded:
      return any(read(from.delay_ended()));
    case pb::Record::kSequenceTaken:
      return any(read(from.sequence_taken()));
    case pb::Record::kExpired:
      return any(read(from.expired()));
    case pb::Record::kDeduplicated:
      return any(read(from.deduplicated()));
    case pb::Record::WHAT_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace

proto::Result<Record> decode(std::string_view bytes) {
  pb::Record record;
  if (bytes.size() > proto::kMaxFrameBytes ||
      !record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return proto::fail(proto::Errc::kCorruptBatch, "a record of the stream is damaged");
  }
  // What an older reader would leave out, it must not apply. The sizes differ, too, where a number
  // was longer than its field.
  record.DiscardUnknownFields();
  if (record.ByteSizeLong() != bytes.size()) {
    return proto::fail(proto::Errc::kCorruptBatch,
                       "a record of the stream holds what this version does not know");
  }
  auto read = read_any(record);
  if (!read) {
    return proto::fail(proto::Errc::kCorruptBatch, "a record of the stream contradicts itself");
  }
  return *std::move(read);
}

}  // namespace weir::core::records
