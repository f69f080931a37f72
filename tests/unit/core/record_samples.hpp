#pragma once

#include "broker/core/record.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <vector>

// Records as the broker makes them, for tests of their codec.
namespace weir::core::test {

/// A batch as decide() makes its record, at offset 40 of a queue or at offset 0 of a topic.
inline BatchAppended appended(bool topic, proto::BatchBuilder::Producer producer) {
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
  SendBatch batch = a_batch(log, values_of(7), producer, topic);
  return *rig.decide(batch, kNow + 1).value().record;
}

inline const MessageRange kRange{proto::QueueId{3}, 100, 109, 2, 8};

/// Half of it acked, the other half given back.
inline TouchedBatch returned_batch() {
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
  batch.attempts().add(5, 5, 1);
  batch.attempts().add(5, 5, 2);
  return batch;
}

inline const std::vector<std::uint64_t> kGroups = {1, 2, 3, 1, 2, 3, 1, 2, 3, UINT64_MAX};

/// The same of a FIFO queue.
inline TouchedBatch grouped_batch() {
  TouchedBatch batch = returned_batch();
  batch.set_groups({0, 0, 0, 0, 0, 3, 1, 2, 3, UINT64_MAX});
  return batch;
}

inline Redrive a_redrive() {
  Redrive redrive;
  redrive.source = proto::QueueId{3};
  redrive.generation = 2;
  redrive.target = proto::QueueId{4};
  redrive.dry_run = true;
  redrive.max_messages = 5;
  redrive.rate = 6;
  redrive.keep_attempts = true;
  redrive.filter = {"poison", "tenant", "7", "key", 8, 9, "an id"};
  redrive.headers = {{{"a", "b"}}, {"c"}};
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

inline Delayed put_off() {
  CoreRig rig;
  const proto::QueueId queue = rig.create_queue("later");
  SendBatch batch = a_batch(proto::LogId{queue.value}, {"a", "b"}, {}, false, {25, 25});
  return std::get<Delayed>(rig.decide(batch, kNow).value().more.front());
}

/// At least one of each alternative, no field with the value that is left out on the wire.
inline std::vector<Record> samples() {
  return {
      NamespaceCreated{proto::NamespaceId{1}, "default"},
      QueueCreated{proto::QueueId{3},
                   proto::NamespaceId{1},
                   "work",
                   Uuid{1, 2, 3},
                   {500, 4, "dead", 7, 8, 9, 10, 15, 16, 17, 18, 70'000, 1, 300'000},
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
             kNow, std::make_shared<const std::string>("mailer 10.0.0.7:4000"), kGroups},
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
                    {501, 5, "later", 11, 12, 13, 14, 15, 16, 17, 18, 70'000, 1, 300'000},
                    proto::QueueId{9},
                    {true, true}}},
      QueuePurged{proto::QueueId{3}},
      Passed{kRange, 4096, 21, 22, 23, kGroups},
      PagedIn{proto::QueueId{3}, grouped_batch()},
      QueueCreated{proto::QueueId{3},
                   proto::NamespaceId{1},
                   "work.fifo",
                   Uuid{1, 2, 3},
                   {500, 4, "", 7, 8, 9, 10, 15, 16, 17, 0, 70'000, 1, 60'000, 1},
                   {}},
      Deduplicated{proto::QueueId{3},
                   kNow,
                   kNow - 9,
                   kNow + 5,
                   {{DeduplicationId{1, 2}, 7}, {DeduplicationId{3}, 9}}},
      Moved{kRange},
      Unparked{kRange, 24},
      RedriveChanged{a_redrive()},
      put_off(),
      DelayEnded{proto::QueueId{3}, 25, Queue::DelayLane::kFirstOffset + 4, 5, 4096},
      SequenceTaken{proto::LogId{3}, 8, 2, 77, 5, Queue::DelayLane::kFirstOffset, 26},
      SequenceTaken{proto::LogId{3},
                    8,
                    2,
                    82,
                    5,
                    11,
                    26,
                    {{11, 2, 0}, {proto::first_offset(proto::lane_tag(9, 2)) + 4, 3, 99}}},
      Expired{kRange, true, 4096, 27, 28, kGroups},
      QueueDeleted{proto::QueueId{3}},
      TopicDeleted{proto::TopicId{4}},
      NamespaceDeleted{proto::NamespaceId{1}},
  };
}

}  // namespace weir::core::test
