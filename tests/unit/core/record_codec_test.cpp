#include "broker/core/record_codec.hpp"

#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "weir/storage/v1/records.pb.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <type_traits>

namespace weir::core {
namespace {

namespace pb = weir::storage::v1;
using proto::Errc;
using test::CoreRig;
using test::kNow;
using test::values_of;

/// A batch as decide() makes its record, at offset 40 of a queue or at offset 0 of a topic.
BatchAppended appended(bool topic, proto::BatchBuilder::Producer producer) {
  CoreRig rig;
  proto::LogId log{rig.create_queue("work").value};
  if (topic) {
    log = proto::LogId{rig.create_topic("news", 1).partitions.front().value};
  } else {
    rig.send(proto::QueueId{log.value}, values_of(40));
  }
  if (producer.id >= 0) {
    producer.id = static_cast<std::int64_t>(rig.start_producer().id.value);
  }
  SendBatch batch = test::a_batch(log, values_of(7), producer, topic);
  return *rig.state.decide(batch, kNow + 1).value().record;
}

const MessageRange kRange{proto::QueueId{3}, 100, 109, 2, 8};

/// Half of it acked, the other half given back.
TouchedBatch returned_batch() {
  TouchedBatch batch(100, 109, 4096, kNow - 1);
  Run like;
  like.grant = proto::GrantId{7};
  like.nonce = 8;
  like.when = kNow;
  batch.lease(0, 10, like);
  batch.ack(0, 5, [](proto::GrantId, std::uint32_t) {});
  batch.update(5, 5, [](Run& run, std::uint32_t) {
    run.state = RunState::kReturned;
    run.attempts = 2;
  });
  return batch;
}

Redrive a_redrive() {
  Redrive redrive;
  redrive.source = proto::QueueId{3};
  redrive.generation = 2;
  redrive.target = proto::QueueId{4};
  redrive.dry_run = true;
  redrive.max_messages = 5;
  redrive.rate = 6;
  redrive.filter = {"poison", "tenant", "7", "key", 8, 9};
  redrive.position = 10;
  redrive.end = 11;
  redrive.moved = 12;
  redrive.skipped = 13;
  redrive.begun_time = kNow;
  redrive.ended_time = kNow + 1;
  redrive.second_time = kNow + 2;
  redrive.moved_in_second = 14;
  redrive.state = RedriveState::kFailed;
  redrive.why = "because";
  return redrive;
}

Delayed put_off() {
  CoreRig rig;
  const proto::QueueId queue = rig.create_queue("later");
  SendBatch batch = test::a_batch(proto::LogId{queue.value}, {"a", "b"}, {}, false, {25, 25});
  return std::get<Delayed>(rig.state.decide(batch, kNow).value().delayed.front());
}

/// At least one of each alternative, no field with the value that is left out on the wire.
std::vector<Record> samples() {
  return {
      NamespaceCreated{proto::NamespaceId{1}, "default"},
      QueueCreated{proto::QueueId{3},
                   proto::NamespaceId{1},
                   "work",
                   Uuid{1, 2, 3},
                   {500, 4, "dead", 7, 8, 9, 10, 15, 16, 17, 18, 70'000, 1},
                   proto::QueueId{2}},
      TopicCreated{proto::TopicId{4},
                   proto::NamespaceId{1},
                   "news",
                   Uuid{9},
                   {proto::PartitionId{5}, proto::PartitionId{6}},
                   7},
      ProducerStarted{proto::ProducerId{8}, INT16_MAX, kNow},
      ProducerForgotten{proto::ProducerId{8}},
      appended(false, {}),
      appended(false, {1, 0, 0}),
      appended(true, {}),
      Leased{kRange, proto::GrantId{1 << 20}, UINT64_MAX, kNow + 1, true, 4096, kNow - 1, kNow - 2,
             kNow, std::make_shared<const std::string>("mailer 10.0.0.7:4000")},
      Acked{kRange},
      Returned{kRange, kNow, ReturnCause::kFailed, kNow, "it broke"},
      Returned{kRange, kNow, ReturnCause::kUnsaid, kNow},
      Extended{kRange, kNow},
      Started{kRange},
      DeadLettered{kRange},
      PagedOut{proto::QueueId{3}, 109},
      PagedIn{proto::QueueId{3}, returned_batch()},
      IncarnationRaised{2},
      QueueChanged{{proto::QueueId{3},
                    proto::NamespaceId{1},
                    "work",
                    Uuid{1, 2, 3},
                    {501, 5, "later", 11, 12, 13, 14, 15, 16, 17, 18, 70'000, 1},
                    proto::QueueId{9},
                    {true, true}}},
      QueuePurged{proto::QueueId{3}},
      Passed{kRange, 4096, 21, 22, 23},
      Moved{kRange},
      Unparked{kRange, 24},
      RedriveChanged{a_redrive()},
      put_off(),
      DelayEnded{proto::QueueId{3}, 25, Queue::DelayLane::kFirstOffset + 4, 5, 4096},
      SequenceTaken{proto::LogId{3}, 8, 2, 77, 5, Queue::DelayLane::kFirstOffset, 26},
      Expired{kRange, true, 4096, 27, 28},
      QueueDeleted{proto::QueueId{3}},
      TopicDeleted{proto::TopicId{4}},
      NamespaceDeleted{proto::NamespaceId{1}},
  };
}

void expect_same(const MessageRange& a, const MessageRange& b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.base_offset, b.base_offset);
  EXPECT_EQ(a.last_offset, b.last_offset);
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.count, b.count);
}

void expect_same(const NamespaceCreated& a, const NamespaceCreated& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
}

void expect_same(const QueueCreated& a, const QueueCreated& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name_space, b.name_space);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.uuid, b.uuid);
  for (const NumericSetting& setting : kNumericSettings) {
    EXPECT_EQ(a.settings.*setting.value, b.settings.*setting.value) << setting.name;
  }
  EXPECT_EQ(a.settings.dead_letter_queue, b.settings.dead_letter_queue);
  EXPECT_EQ(a.dead_letter_queue, b.dead_letter_queue);
  EXPECT_EQ(a.pause, b.pause);
}

void expect_same(const QueueChanged& a, const QueueChanged& b) {
  expect_same(a.definition, b.definition);
}

void expect_same(const QueuePurged& a, const QueuePurged& b) {
  EXPECT_EQ(a.queue, b.queue);
}

void expect_same(const QueueDeleted& a, const QueueDeleted& b) {
  EXPECT_EQ(a.queue, b.queue);
}

void expect_same(const TopicDeleted& a, const TopicDeleted& b) {
  EXPECT_EQ(a.topic, b.topic);
}

void expect_same(const NamespaceDeleted& a, const NamespaceDeleted& b) {
  EXPECT_EQ(a.id, b.id);
}

void expect_same(const TopicCreated& a, const TopicCreated& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name_space, b.name_space);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.uuid, b.uuid);
  EXPECT_EQ(a.partitions, b.partitions);
  EXPECT_EQ(a.leader_epoch, b.leader_epoch);
}

void expect_same(const ProducerStarted& a, const ProducerStarted& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.time, b.time);
}

void expect_same(const ProducerForgotten& a, const ProducerForgotten& b) {
  EXPECT_EQ(a.id, b.id);
}

void expect_same(const BatchAppended& a, const BatchAppended& b) {
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.topic, b.topic);
  EXPECT_EQ(a.base_offset, b.base_offset);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.producer_id, b.producer_id);
  if (a.producer_id >= 0) {
    EXPECT_EQ(a.producer_epoch, b.producer_epoch);
    EXPECT_EQ(a.base_sequence, b.base_sequence);
  }
  EXPECT_EQ(a.stored.view(), b.stored.view());
}

void expect_same(const Leased& a, const Leased& b) {
  expect_same(a.range, b.range);
  EXPECT_EQ(a.grant, b.grant);
  EXPECT_EQ(a.nonce, b.nonce);
  EXPECT_EQ(a.deadline, b.deadline);
  EXPECT_EQ(a.started, b.started);
  EXPECT_EQ(a.batch_bytes, b.batch_bytes);
  EXPECT_EQ(a.append_time, b.append_time);
  EXPECT_EQ(a.cursor_time, b.cursor_time);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.holder ? *a.holder : "", b.holder ? *b.holder : "");
}

void expect_same(const Acked& a, const Acked& b) {
  expect_same(a.range, b.range);
}

void expect_same(const Returned& a, const Returned& b) {
  expect_same(a.range, b.range);
  EXPECT_EQ(a.due, b.due);
  EXPECT_EQ(a.cause, b.cause);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.reason, b.reason);
}

void expect_same(const Extended& a, const Extended& b) {
  expect_same(a.range, b.range);
  EXPECT_EQ(a.deadline, b.deadline);
}

void expect_same(const Started& a, const Started& b) {
  expect_same(a.range, b.range);
}

void expect_same(const DeadLettered& a, const DeadLettered& b) {
  expect_same(a.range, b.range);
}

void expect_same(const Passed& a, const Passed& b) {
  expect_same(a.range, b.range);
  EXPECT_EQ(a.batch_bytes, b.batch_bytes);
  EXPECT_EQ(a.append_time, b.append_time);
  EXPECT_EQ(a.cursor_time, b.cursor_time);
  EXPECT_EQ(a.due, b.due);
}

void expect_same(const Moved& a, const Moved& b) {
  expect_same(a.range, b.range);
}

void expect_same(const Unparked& a, const Unparked& b) {
  expect_same(a.range, b.range);
  EXPECT_EQ(a.due, b.due);
}

void expect_same(const Delayed& a, const Delayed& b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.due, b.due);
  EXPECT_EQ(a.base_offset, b.base_offset);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.stored.view(), b.stored.view());
}

void expect_same(const DelayEnded& a, const DelayEnded& b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.due, b.due);
  EXPECT_EQ(a.last_offset, b.last_offset);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.bytes, b.bytes);
}

void expect_same(const Expired& a, const Expired& b) {
  expect_same(a.range, b.range);
  EXPECT_EQ(a.is_dead_lettered, b.is_dead_lettered);
  EXPECT_EQ(a.batch_bytes, b.batch_bytes);
  EXPECT_EQ(a.append_time, b.append_time);
  EXPECT_EQ(a.cursor_time, b.cursor_time);
}

void expect_same(const SequenceTaken& a, const SequenceTaken& b) {
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.producer_id, b.producer_id);
  EXPECT_EQ(a.producer_epoch, b.producer_epoch);
  EXPECT_EQ(a.base_sequence, b.base_sequence);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.base_offset, b.base_offset);
  EXPECT_EQ(a.time, b.time);
}

void expect_same(const RedriveChanged& a, const RedriveChanged& b) {
  EXPECT_EQ(a.redrive, b.redrive);
}

void expect_same(const PagedOut& a, const PagedOut& b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.last_offset, b.last_offset);
}

void expect_same(const PagedIn& a, const PagedIn& b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.batch.base_offset(), b.batch.base_offset());
  EXPECT_EQ(a.batch.last_offset(), b.batch.last_offset());
  EXPECT_EQ(a.batch.bytes(), b.batch.bytes());
  EXPECT_EQ(a.batch.append_time(), b.batch.append_time());
  EXPECT_EQ(a.batch.acked_words(), b.batch.acked_words());
  EXPECT_EQ(a.batch.runs(), b.batch.runs());
}

void expect_same(const IncarnationRaised& a, const IncarnationRaised& b) {
  EXPECT_EQ(a.incarnation, b.incarnation);
}

TEST(RecordCodec, KeepsEveryFieldOfEveryRecord) {
  std::set<std::size_t> seen;
  for (const Record& record : samples()) {
    SCOPED_TRACE(record.index());
    seen.insert(record.index());
    const auto again = records::decode(records::encode(record));
    ASSERT_TRUE(again) << again.error().to_string();
    ASSERT_EQ(again->index(), record.index());
    std::visit(
        [&](const auto& before) {
          expect_same(before, std::get<std::decay_t<decltype(before)>>(*again));
        },
        record);
    EXPECT_EQ(records::encode(*again), records::encode(record));
  }
  EXPECT_EQ(seen.size(), std::variant_size_v<Record>);
}

TEST(RecordCodec, KeepsABatchThatTheBrokerMade) {
  CoreRig rig;
  const proto::QueueId dead = rig.create_queue("dead");
  const proto::QueueId work = rig.create_queue("work", {1000, 1, "dead"});
  rig.send(work, values_of(5));
  const Delivery held = *rig.take(work, 5, kNow);
  rig.settle(work, CoreRig::range(held, proto::SettleKind::kNack), kNow);
  const auto moved = rig.state.decide_dead_letter(work, rig.batches, rig.attempts, kNow);
  const auto& all = std::get<ShardState::Records>(moved);
  const auto& copies = std::get<BatchAppended>(all.back());
  ASSERT_EQ(copies.log.value, dead.value);
  const auto again = records::decode(records::encode(copies));
  ASSERT_TRUE(again) << again.error().to_string();
  expect_same(copies, std::get<BatchAppended>(*again));
}

TEST(RecordCodec, RefusesWhatIsCutAndSurvivesWhatIsFlipped) {
  for (const Record& record : samples()) {
    SCOPED_TRACE(record.index());
    const std::string bytes = records::encode(record);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      // The record is one field with a length, so nothing shorter is whole.
      const auto decoded = records::decode(bytes.substr(0, cut));
      ASSERT_FALSE(decoded) << cut;
      EXPECT_EQ(decoded.error().code, Errc::kCorruptBatch) << cut;
    }
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        const auto decoded = records::decode(flipped);
        if (decoded) {
          EXPECT_TRUE(records::decode(records::encode(*decoded))) << at << "/" << bit;
        } else {
          EXPECT_EQ(decoded.error().code, Errc::kCorruptBatch) << at << "/" << bit;
        }
      }
    }
  }
}

TEST(RecordCodec, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(records::decode("").error().code, Errc::kCorruptBatch) << "no alternative";
  EXPECT_EQ(records::decode("\xf2\x03").error().code, Errc::kCorruptBatch);
  const std::string kind_62 = "\xf2\x03\x00";
  EXPECT_FALSE(records::decode(std::string_view(kind_62.data(), 3))) << "a kind of a later version";
  const std::string known = records::encode(ProducerForgotten{proto::ProducerId{8}});
  EXPECT_FALSE(records::decode(known + known)) << "one record, and only one";
  const std::string field_more = "\x2a\x04\x08\x08\x10\x01";
  EXPECT_FALSE(records::decode(field_more)) << "a field of a later version";
  const std::string long_epoch = "\x22\x0a\x08\x08\x10\x81\x80\x80\x80\x10\x18\x01";
  EXPECT_FALSE(records::decode(long_epoch)) << "an epoch of 2^32 + 1 is not 1";
  EXPECT_FALSE(records::decode(std::string(proto::kMaxFrameBytes + 1, '\0')));
}

using Change = std::function<void(pb::Record&)>;

/// What is left of the record when its message is altered.
void expect_refused(const Record& record, const Change& change, int line) {
  pb::Record message;
  ASSERT_TRUE(message.ParseFromString(records::encode(record)));
  change(message);
  const auto decoded = records::decode(message.SerializeAsString());
  EXPECT_FALSE(decoded) << "line " << line;
  if (!decoded) {
    EXPECT_EQ(decoded.error().code, Errc::kCorruptBatch) << "line " << line;
  }
}

#define EXPECT_REFUSED(record, statement) \
  expect_refused(record, [](pb::Record& r) { r.statement; }, __LINE__)

TEST(RecordCodec, RefusesDefinitionsThatCannotBe) {
  const Record name_space = NamespaceCreated{proto::NamespaceId{1}, "default"};
  EXPECT_REFUSED(name_space, mutable_namespace_created()->set_id(0));
  EXPECT_REFUSED(name_space, mutable_namespace_created()->set_id(UINT64_MAX));
  EXPECT_REFUSED(name_space, mutable_namespace_created()->set_name("No"));
  const Record queue = samples()[1];
  ASSERT_TRUE(std::holds_alternative<QueueCreated>(queue));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_id(0));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_namespace_id(0));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_name("__mine"));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_uuid("fifteen bytes.."));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_lease_ms(0));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_lease_ms(-1));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_lease_ms(proto::kMaxLeaseMs + 1));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_max_receive_count(0));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_max_messages(-1));
  EXPECT_REFUSED(queue,
                 mutable_queue_created()->set_max_message_bytes(proto::kMaxMessageBytes + 1));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_max_receive_count(1001));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_dead_letter_queue_id(0));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_dead_letter_queue_id(3));
  EXPECT_REFUSED(queue, mutable_queue_created()->set_dead_letter_queue(""));
  const Record topic = samples()[2];
  ASSERT_TRUE(std::holds_alternative<TopicCreated>(topic));
  EXPECT_REFUSED(topic, mutable_topic_created()->set_id(5));
  EXPECT_REFUSED(topic, mutable_topic_created()->set_namespace_id(0));
  EXPECT_REFUSED(topic, mutable_topic_created()->set_name(".."));
  EXPECT_REFUSED(topic, mutable_topic_created()->set_uuid(""));
  EXPECT_REFUSED(topic, mutable_topic_created()->clear_partition_ids());
  EXPECT_REFUSED(topic, mutable_topic_created()->set_partition_ids(1, 5));
  EXPECT_REFUSED(topic, mutable_topic_created()->add_partition_ids(UINT64_MAX));
  TopicCreated wide = std::get<TopicCreated>(topic);
  while (wide.partitions.size() <= proto::kMaxPartitionsPerTopic) {
    wide.partitions.emplace_back(wide.partitions.back().value + 1);
  }
  EXPECT_FALSE(records::decode(records::encode(wide)));
  wide.partitions.pop_back();
  EXPECT_TRUE(records::decode(records::encode(wide)));
}

TEST(RecordCodec, RefusesChangesAndEndsOfNothing) {
  EXPECT_REFUSED(QueuePurged{proto::QueueId{3}}, mutable_queue_purged()->set_queue(0));
  EXPECT_REFUSED(QueueDeleted{proto::QueueId{3}}, mutable_queue_deleted()->set_queue(0));
  EXPECT_REFUSED(TopicDeleted{proto::TopicId{4}}, mutable_topic_deleted()->set_topic(0));
  EXPECT_REFUSED(NamespaceDeleted{proto::NamespaceId{1}},
                 mutable_namespace_deleted()->set_name_space(0));
  const Record changed = samples()[18];
  ASSERT_TRUE(std::holds_alternative<QueueChanged>(changed));
  EXPECT_REFUSED(changed, mutable_queue_changed()->set_id(0));
  EXPECT_REFUSED(changed, mutable_queue_changed()->set_lease_ms(0));
  EXPECT_REFUSED(changed, mutable_queue_changed()->set_dead_letter_queue_id(3));
}

TEST(RecordCodec, RefusesRedrivesThatCannotBe) {
  const Record changed = RedriveChanged{a_redrive()};
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_source(0));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_generation(0));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_target(3));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_parked(true));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_position(12));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_position(-1));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_begun_time(-1));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->set_state(pb::REDRIVE_STATE_UNSPECIFIED));
  EXPECT_REFUSED(changed, mutable_redrive_changed()->mutable_filter()->set_died_after(-1));
  const Record passed = Passed{kRange, 4096, 21, 22, 23};
  EXPECT_REFUSED(passed, mutable_passed()->set_batch_bytes(0));
  EXPECT_REFUSED(passed, mutable_passed()->set_due(-1));
  EXPECT_REFUSED(passed, mutable_passed()->mutable_range()->set_queue(0));
  EXPECT_REFUSED(Moved{kRange}, mutable_moved()->mutable_range()->set_count(0));
  const Record unparked = Unparked{kRange, 24};
  EXPECT_REFUSED(unparked, mutable_unparked()->set_due(-1));
  EXPECT_REFUSED(unparked, mutable_unparked()->mutable_range()->set_count(9));
}

TEST(RecordCodec, RefusesDelaysThatCannotBe) {
  constexpr proto::Offset kFirst = Queue::DelayLane::kFirstOffset;
  const Record delayed = put_off();
  EXPECT_REFUSED(delayed, mutable_delayed()->set_queue(0));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_due(-1));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_count(0));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_count(1));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_base_offset(kFirst - 1));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_base_offset(kFirst + 1));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_base_offset(2 * kFirst - 1));
  EXPECT_REFUSED(delayed, mutable_delayed()->set_time(kNow + 1));
  EXPECT_REFUSED(delayed, mutable_delayed()->clear_stored());
  EXPECT_REFUSED(delayed, mutable_delayed()->mutable_stored()->back() ^= 1);
  const Record ended = DelayEnded{proto::QueueId{3}, 25, kFirst + 4, 5, 4096};
  EXPECT_REFUSED(ended, mutable_delay_ended()->set_queue(0));
  EXPECT_REFUSED(ended, mutable_delay_ended()->set_due(-1));
  EXPECT_REFUSED(ended, mutable_delay_ended()->set_last_offset(7));
  EXPECT_REFUSED(ended, mutable_delay_ended()->set_count(0));
  EXPECT_REFUSED(ended, mutable_delay_ended()->set_bytes(0));
  const Record taken = SequenceTaken{proto::LogId{3}, 8, 2, 77, 5, kFirst, 26};
  EXPECT_REFUSED(taken, mutable_sequence_taken()->set_log(0));
  EXPECT_REFUSED(taken, mutable_sequence_taken()->clear_producer());
  EXPECT_REFUSED(taken, mutable_sequence_taken()->mutable_producer()->set_epoch(INT16_MAX + 1));
  EXPECT_REFUSED(taken, mutable_sequence_taken()->set_count(proto::kMaxBatchRecords + 1));
  EXPECT_REFUSED(taken, mutable_sequence_taken()->set_base_offset(-1));
  EXPECT_REFUSED(taken, mutable_sequence_taken()->set_time(-1));
}

TEST(RecordCodec, RefusesExpiriesThatCannotBe) {
  const Record expired = Expired{kRange, true, 4096, 27, 28};
  EXPECT_REFUSED(expired, mutable_expired()->mutable_range()->set_count(9));
  EXPECT_REFUSED(expired, mutable_expired()->set_batch_bytes(0));
  EXPECT_REFUSED(expired, mutable_expired()->set_append_time(-1));
  EXPECT_REFUSED(expired, mutable_expired()->set_cursor_time(-1));
}

TEST(RecordCodec, RefusesProducersAndIncarnationsThatCannotBe) {
  const Record started = ProducerStarted{proto::ProducerId{8}, 1, kNow};
  EXPECT_REFUSED(started, mutable_producer_started()->set_id(0));
  EXPECT_REFUSED(started, mutable_producer_started()->set_epoch(INT16_MAX + 1));
  EXPECT_REFUSED(started, mutable_producer_started()->set_time(-1));
  const Record forgotten = ProducerForgotten{proto::ProducerId{8}};
  EXPECT_REFUSED(forgotten, mutable_producer_forgotten()->set_id(std::uint64_t{1} << 63));
  const Record raised = IncarnationRaised{2};
  EXPECT_REFUSED(raised, mutable_incarnation_raised()->set_incarnation(1));
  EXPECT_REFUSED(raised, mutable_incarnation_raised()->set_incarnation(0));
}

TEST(RecordCodec, RefusesPagesThatCannotBe) {
  const Record out = PagedOut{proto::QueueId{3}, 109};
  EXPECT_REFUSED(out, mutable_paged_out()->set_queue(0));
  EXPECT_REFUSED(out, mutable_paged_out()->set_last_offset(-1));
  EXPECT_REFUSED(out, mutable_paged_out()->set_last_offset(INT64_MAX));
  const Record in = PagedIn{proto::QueueId{3}, returned_batch()};
  EXPECT_REFUSED(in, mutable_paged_in()->set_queue(0));
  EXPECT_REFUSED(in, mutable_paged_in()->set_last_offset(99));
  EXPECT_REFUSED(in, mutable_paged_in()->set_last_offset(INT64_MAX));
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->set_base_offset(-1));
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->set_cold(true));
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->mutable_runs(0)->set_count(6));
  EXPECT_REFUSED(
      in, mutable_paged_in()->mutable_batch()->mutable_runs(0)->set_state(pb::RUN_STATE_LEASED));
  EXPECT_REFUSED(
      in, mutable_paged_in()->mutable_batch()->mutable_runs(0)->set_state(pb::RUN_STATE_DYING));
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->mutable_runs(0)->set_attempts(65'536));
}

TEST(RecordCodec, RefusesABatchThatIsNotTheOneItNames) {
  const Record batch = appended(false, {1, 0, 0});
  EXPECT_REFUSED(batch, mutable_batch_appended()->set_log(0));
  EXPECT_REFUSED(batch, mutable_batch_appended()->set_base_offset(39));
  EXPECT_REFUSED(batch, mutable_batch_appended()->set_base_offset(-1));
  EXPECT_REFUSED(batch, mutable_batch_appended()->set_count(0));
  EXPECT_REFUSED(batch, mutable_batch_appended()->set_count(8));
  EXPECT_REFUSED(batch, mutable_batch_appended()->set_time(kNow));
  EXPECT_REFUSED(batch, mutable_batch_appended()->clear_producer());
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_producer()->set_id(2));
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_producer()->set_id(UINT64_MAX));
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_producer()->set_epoch(1));
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_producer()->set_epoch(65536));
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_producer()->set_base_sequence(1));
  EXPECT_REFUSED(batch, mutable_batch_appended()->clear_stored());
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_stored()->pop_back());
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_stored()->push_back('x'));
  EXPECT_REFUSED(batch, mutable_batch_appended()->mutable_stored()->back() ^= 1);
  EXPECT_REFUSED(appended(false, {}), mutable_batch_appended()->mutable_producer()->set_id(1));
}

TEST(RecordCodec, RefusesACompressedBatchOfAQueue) {
  CoreRig rig;
  const proto::LogId log{rig.create_topic("news", 1).partitions.front().value};
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  const std::string value(10'000, 'v');
  proto::RecordInput input;
  input.value = value;
  input.timestamp = kNow;
  builder.add(input);
  SendBatch batch;
  batch.log = log;
  batch.topic = true;
  batch.stored = builder.finish({}, proto::Compression::kLz4);
  batch.columns =
      proto::validate_batch(std::string_view(batch.stored).substr(proto::kStoredHeaderBytes),
                            proto::BatchUse::kTopic)
          .value();
  BatchAppended record = *rig.state.decide(batch, kNow).value().record;
  EXPECT_TRUE(records::decode(records::encode(record)));
  record.topic = false;
  EXPECT_FALSE(records::decode(records::encode(record)));
}

TEST(RecordCodec, RefusesRangesOutsideOfTheirBatch) {
  const Record acked = Acked{kRange};
  EXPECT_REFUSED(acked, mutable_acked()->clear_range());
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_queue(0));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_base_offset(-1));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_base_offset(110));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_last_offset(10'100));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_last_offset(108));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_first(10));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_first(UINT32_MAX));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_count(0));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_count(9));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_count(UINT32_MAX));
  const Record last = Acked{{proto::QueueId{3}, INT64_MAX - 1, INT64_MAX - 1, 0, 1}};
  EXPECT_TRUE(records::decode(records::encode(last)));
  EXPECT_REFUSED(last, mutable_acked()->mutable_range()->set_last_offset(INT64_MAX));
  EXPECT_REFUSED(Started{kRange}, mutable_started()->mutable_range()->set_count(9));
  EXPECT_REFUSED(DeadLettered{kRange}, mutable_dead_lettered()->mutable_range()->set_count(9));
}

TEST(RecordCodec, RefusesLeasesThatCannotBe) {
  const Record leased =
      Leased{kRange, proto::GrantId{9}, 1, kNow + 1, false, 4096, kNow - 1, kNow - 2, kNow};
  EXPECT_REFUSED(leased, mutable_leased()->clear_range());
  EXPECT_REFUSED(leased, mutable_leased()->set_grant(0));
  EXPECT_REFUSED(leased, mutable_leased()->set_grant(UINT64_MAX));
  EXPECT_REFUSED(leased, mutable_leased()->set_deadline(-1));
  EXPECT_REFUSED(leased, mutable_leased()->set_deadline(INT64_MAX));
  EXPECT_REFUSED(leased, mutable_leased()->set_batch_bytes(0));
  EXPECT_REFUSED(leased, mutable_leased()->set_batch_bytes(UINT64_MAX));
  EXPECT_REFUSED(leased, mutable_leased()->set_append_time(-1));
  EXPECT_REFUSED(leased, mutable_leased()->set_cursor_time(-1));
  EXPECT_REFUSED(leased, mutable_leased()->set_time(-1));
  EXPECT_REFUSED(leased, mutable_leased()->set_holder(std::string(kMaxHolderBytes + 1, 'x')));
  const Record returned = Returned{kRange, kNow, ReturnCause::kFailed, kNow, "it broke"};
  EXPECT_REFUSED(returned, mutable_returned()->clear_range());
  EXPECT_REFUSED(returned, mutable_returned()->set_due(-1));
  EXPECT_REFUSED(returned, mutable_returned()->set_due(INT64_MAX));
  EXPECT_REFUSED(returned, mutable_returned()->set_time(-1));
  EXPECT_REFUSED(returned, mutable_returned()->clear_cause());
  EXPECT_REFUSED(returned, mutable_returned()->set_cause(storage::v1::ReturnCause(9)));
  EXPECT_REFUSED(returned,
                 mutable_returned()->set_reason(std::string(proto::kMaxReasonBytes + 1, 'x')));
  const Record extended = Extended{kRange, kNow};
  EXPECT_REFUSED(extended, mutable_extended()->clear_range());
  EXPECT_REFUSED(extended, mutable_extended()->set_deadline(INT64_MAX));
}

}  // namespace
}  // namespace weir::core
