#include "broker/core/record_codec.hpp"

#include "proto/limits.hpp"
#include "tests/unit/core/record_samples.hpp"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

namespace weir::core {
namespace {

using proto::Errc;
using test::CoreRig;
using test::kNow;
using test::samples;
using test::values_of;

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
  EXPECT_EQ(a.groups, b.groups);
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
  EXPECT_EQ(a.groups, b.groups);
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
  EXPECT_EQ(a.groups, b.groups);
}

void expect_same(const Deduplicated& a, const Deduplicated& b) {
  EXPECT_EQ(a.queue, b.queue);
  EXPECT_EQ(a.part, b.part);
  EXPECT_EQ(a.first_part, b.first_part);
  EXPECT_EQ(a.time, b.time);
  ASSERT_EQ(a.ids.size(), b.ids.size());
  for (std::size_t i = 0; i < a.ids.size(); ++i) {
    EXPECT_EQ(a.ids[i].id, b.ids[i].id);
    EXPECT_EQ(a.ids[i].offset, b.ids[i].offset);
  }
}

void expect_same(const SequenceTaken& a, const SequenceTaken& b) {
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.producer_id, b.producer_id);
  EXPECT_EQ(a.producer_epoch, b.producer_epoch);
  EXPECT_EQ(a.base_sequence, b.base_sequence);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.base_offset, b.base_offset);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.parts, b.parts);
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
  EXPECT_EQ(a.batch.groups(), b.batch.groups());
  EXPECT_EQ(a.batch.attempts().all(), b.batch.attempts().all());
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

}  // namespace
}  // namespace weir::core
