#include "broker/core/record_codec.hpp"
#include "proto/lanes.hpp"
#include "proto/limits.hpp"
#include "tests/unit/core/record_samples.hpp"
#include "weir/storage/v1/records.pb.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <variant>

// What no record says: each is refused, whatever else of it is right.
namespace weir::core {
namespace {

namespace pb = weir::storage::v1;
using proto::Errc;
using test::a_redrive;
using test::appended;
using test::CoreRig;
using test::kNow;
using test::kRange;
using test::put_off;
using test::returned_batch;
using test::samples;

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

TEST(RecordRefusals, RefusesDefinitionsThatCannotBe) {
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

TEST(RecordRefusals, RefusesChangesAndEndsOfNothing) {
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

TEST(RecordRefusals, RefusesRedrivesThatCannotBe) {
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

TEST(RecordRefusals, RefusesDelaysThatCannotBe) {
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
  const Record divided = SequenceTaken{proto::LogId{3}, 8, 2, 77, 5, 7, 26, {{7, 3, 0}, {9, 2, 1}}};
  EXPECT_TRUE(records::decode(records::encode(divided)));
  EXPECT_REFUSED(divided, mutable_sequence_taken()->mutable_parts(0)->set_count(4));
  EXPECT_REFUSED(divided, mutable_sequence_taken()->mutable_parts(0)->set_base_offset(-1));
}

TEST(RecordRefusals, RefusesExpiriesThatCannotBe) {
  const Record expired = Expired{kRange, true, 4096, 27, 28};
  EXPECT_REFUSED(expired, mutable_expired()->mutable_range()->set_count(9));
  EXPECT_REFUSED(expired, mutable_expired()->set_batch_bytes(0));
  EXPECT_REFUSED(expired, mutable_expired()->set_append_time(-1));
  EXPECT_REFUSED(expired, mutable_expired()->set_cursor_time(-1));
}

TEST(RecordRefusals, RefusesGroupsOfOtherMessages) {
  Leased leased;
  leased.range = kRange;
  leased.grant = proto::GrantId{7};
  leased.batch_bytes = 4096;
  leased.groups = test::kGroups;
  const Record hand_out = leased;
  EXPECT_REFUSED(hand_out, mutable_leased()->add_groups(4));
  const Record passed = Passed{kRange, 4096, 21, 22, 23, test::kGroups};
  EXPECT_REFUSED(passed, mutable_passed()->mutable_groups()->RemoveLast());
  const Record expired = Expired{kRange, true, 4096, 27, 28, test::kGroups};
  EXPECT_REFUSED(expired, mutable_expired()->add_groups(4));
  const Record in = PagedIn{proto::QueueId{3}, test::grouped_batch()};
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->add_groups(4));
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->mutable_groups()->RemoveLast());
}

TEST(RecordRefusals, RefusesDeduplicationThatCannotBe) {
  const Record known =
      Deduplicated{proto::QueueId{3}, kNow, kNow - 9, kNow + 5, {{DeduplicationId{1}, 7}}};
  EXPECT_REFUSED(known, mutable_deduplicated()->set_queue(0));
  EXPECT_REFUSED(known, mutable_deduplicated()->set_part(-1));
  EXPECT_REFUSED(known, mutable_deduplicated()->set_first_part(-1));
  EXPECT_REFUSED(known, mutable_deduplicated()->set_first_part(kNow + 1));
  EXPECT_REFUSED(known, mutable_deduplicated()->set_time(kNow - 1));
  EXPECT_REFUSED(known, mutable_deduplicated()->set_time(INT64_MAX));
  EXPECT_REFUSED(known, mutable_deduplicated()->clear_ids());
  EXPECT_REFUSED(known, mutable_deduplicated()->mutable_ids(0)->set_id("short"));
  EXPECT_REFUSED(known, mutable_deduplicated()->mutable_ids(0)->set_offset(-1));
}

TEST(RecordRefusals, RefusesProducersAndIncarnationsThatCannotBe) {
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

TEST(RecordRefusals, RefusesPagesThatCannotBe) {
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
  EXPECT_REFUSED(in, mutable_paged_in()->mutable_batch()->mutable_attempt_rows()->RemoveLast());
}

TEST(RecordRefusals, RefusesABatchThatIsNotTheOneItNames) {
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

TEST(RecordRefusals, RefusesACompressedBatchOfAQueue) {
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
  BatchAppended record = *rig.decide(batch, kNow).value().record;
  EXPECT_TRUE(records::decode(records::encode(record)));
  record.topic = false;
  EXPECT_FALSE(records::decode(records::encode(record)));
}

TEST(RecordRefusals, RefusesRangesOutsideOfTheirBatch) {
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
  const Record last =
      Acked{{proto::QueueId{3}, proto::kMaxLaneOffset, proto::kMaxLaneOffset, 0, 1}};
  EXPECT_TRUE(records::decode(records::encode(last)));
  EXPECT_REFUSED(last, mutable_acked()->mutable_range()->set_last_offset(INT64_MAX));
  EXPECT_REFUSED(last,
                 mutable_acked()->mutable_range()->set_last_offset(proto::kMaxLaneOffset + 1));
  EXPECT_REFUSED(Started{kRange}, mutable_started()->mutable_range()->set_count(9));
  EXPECT_REFUSED(DeadLettered{kRange}, mutable_dead_lettered()->mutable_range()->set_count(9));
}

TEST(RecordRefusals, RefusesWhatIsOfNoLane) {
  constexpr proto::LaneTag tag = proto::lane_tag(9, 3);
  static constexpr proto::QueueId lane = proto::lane_id(proto::QueueId{3}, tag);
  const proto::Offset first = proto::first_offset(tag);
  const Record acked = Acked{{lane, first, first + 9, 0, 1}};
  EXPECT_TRUE(records::decode(records::encode(acked)));
  EXPECT_REFUSED(acked, mutable_acked()->mutable_range()->set_queue(3));
  EXPECT_REFUSED(acked,
                 mutable_acked()->mutable_range()->set_queue(lane.value | std::uint64_t{1} << 48U));
  const proto::QueueId none = proto::lane_id(proto::QueueId{3}, 0x0f);
  const proto::Offset nowhere = proto::first_offset(0x0f);
  EXPECT_FALSE(records::decode(records::encode(Acked{{none, nowhere, nowhere, 0, 1}})));
}

TEST(RecordRefusals, RefusesLeasesThatCannotBe) {
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
