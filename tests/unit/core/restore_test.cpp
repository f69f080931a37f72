#include "broker/core/row_codec.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::Rng;
using test::values_of;

TEST(RowCodec, KeepsEveryFieldOfDefinitions) {
  const QueueCreated queue{proto::QueueId{3},
                           proto::NamespaceId{1},
                           "work",
                           Uuid{1, 2, 3},
                           {500, 4, "dead", 7, 8, 9, 10, 15, 16, 17, 0, 0, 0, 300'000},
                           proto::QueueId{2}};
  const auto queue_again = rows::decode_queue(rows::encode(queue)).value();
  EXPECT_EQ(rows::encode(queue_again), rows::encode(queue));
  EXPECT_EQ(queue_again.settings.dead_letter_queue, "dead");
  EXPECT_EQ(queue_again.dead_letter_queue, proto::QueueId{2});
  const TopicCreated topic{proto::TopicId{4},
                           proto::NamespaceId{1},
                           "news",
                           Uuid{9},
                           {proto::PartitionId{5}, proto::PartitionId{6}},
                           7};
  const auto topic_again = rows::decode_topic(rows::encode(topic)).value();
  EXPECT_EQ(rows::encode(topic_again), rows::encode(topic));
  EXPECT_EQ(topic_again.partitions, topic.partitions);
  EXPECT_EQ(topic_again.leader_epoch, 7U);
  const auto name_space =
      rows::decode_namespace(rows::encode(NamespaceCreated{proto::NamespaceId{1}, "default"}));
  EXPECT_EQ(name_space->name, "default");
}

TEST(RowCodec, KeepsEveryFieldOfState) {
  Queue::Counters counters;
  counters.generation = 2;
  counters.next_offset = 100;
  counters.cursor = 50;
  counters.prev_last_offset = 99;
  counters.runs = {1, 2, 3, 4};
  counters.bytes = 12345;
  counters.cursor_time = 678;
  counters.purged_before = 40;
  EXPECT_EQ(rows::decode_counters(rows::encode(counters)).value(), counters);
  ProducerWindow window;
  window.epoch = 7;
  window.batches = {{INT32_MAX, 3, 10, 20}, {2, 4, 13, 21}};
  const auto window_again = rows::decode_window(rows::encode(window)).value();
  EXPECT_EQ(window_again.epoch, 7);
  EXPECT_EQ(window_again.batches, window.batches);
  Partition partition;
  partition.log_start = 5;
  partition.next_offset = 9;
  partition.prev_last_offset = 8;
  partition.leader_epoch = 3;
  partition.bytes = 77;
  partition.time_index = {.last_row_time = 0, .bytes_since_row = 6};
  Partition again;
  ASSERT_TRUE(rows::decode_partition(rows::encode(partition), again));
  EXPECT_EQ(rows::encode(again), rows::encode(partition));
  EXPECT_EQ(again.high_watermark, 9) << "what is stored is committed";
  EXPECT_EQ(again.time_index.last_row_time, 0) << "a time of 0 is not none";
  const auto allocator =
      rows::decode_allocator(rows::encode(rows::AllocatorValues{5, 6, 7, 8})).value();
  EXPECT_EQ(allocator.next_grant, 7U);
  EXPECT_EQ(allocator.incarnation, 8U);
}

TEST(RowCodec, KeepsATouchedBatch) {
  TouchedBatch batch(1000, 1129, 4096, 1'234);
  core::Run like;
  like.grant = proto::GrantId{9};
  like.nonce = UINT64_MAX;
  like.when = kNow;
  like.started = true;
  batch.lease(3, 90, like);
  batch.ack(60, 10, [](proto::GrantId, std::uint32_t) {});
  EXPECT_FALSE(rows::decode_touched(rows::encode(batch, true), 1129)) << "leased, so not cold";
  const auto row = rows::decode_touched(rows::encode(batch, false), 1129).value();
  EXPECT_FALSE(row.is_cold);
  const TouchedBatch& again = row.batch;
  EXPECT_EQ(again.runs(), batch.runs());
  EXPECT_EQ(again.acked_words(), batch.acked_words());
  EXPECT_EQ(again.counts(), batch.counts());
  EXPECT_EQ(again.bytes(), 4096U);
  EXPECT_EQ(again.append_time(), 1'234);
}

TEST(RowCodec, CallsDamagedRowsDamaged) {
  const std::string garbage = "\xff\xff\xff";
  EXPECT_EQ(rows::decode_queue(garbage).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_topic(garbage).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_namespace(garbage).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_counters(garbage).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_touched(garbage, 9).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_window(garbage).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_producer(garbage).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_allocator(garbage).error().code, Errc::kCorruptBatch);
  const std::string epoch_65536 = "\x08\x80\x80\x04";
  EXPECT_EQ(rows::decode_window(epoch_65536).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rows::decode_producer(epoch_65536).error().code, Errc::kCorruptBatch);
  Partition partition;
  EXPECT_EQ(rows::decode_partition(garbage, partition).error().code, Errc::kCorruptBatch);
  EXPECT_FALSE(rows::decode_queue("")) << "no UUID";
  EXPECT_FALSE(rows::decode_topic(""));
  Queue::Counters beyond;
  beyond.cursor = 1;
  EXPECT_FALSE(rows::decode_counters(rows::encode(beyond))) << "the cursor is behind the end";
  const TouchedBatch batch(10, 19, 1, 0);
  EXPECT_FALSE(rows::decode_touched(rows::encode(batch, false), 9)) << "of another key";
  EXPECT_TRUE(rows::decode_touched(rows::encode(batch, true), 19)->is_cold);
}

TEST(Restore, GivesBackWhatWasCommitted) {
  CoreRig rig;
  storage::MemoryStore store;
  const proto::QueueId queue = rig.create_queue("work");
  const TopicCreated topic = rig.create_topic("news", 2);
  const ProducerStarted producer = rig.start_producer();
  const proto::BatchBuilder::Producer idempotent{static_cast<std::int64_t>(producer.id.value), 0,
                                                 0};
  rig.send(queue, values_of(3), kNow + 5, idempotent);
  const proto::LogId log{topic.partitions[1].value};
  SendBatch batch = test::a_batch(log, values_of(4), {}, true);
  rig.apply(Record{*rig.decide(batch, kNow).value().record});
  const Delivery held = *rig.take(queue, 2, kNow);
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);

  ShardState again(100);
  const auto reader = store.snapshot();
  ASSERT_TRUE(again.restore(*reader));
  EXPECT_EQ(again.partition(topic.partitions[1])->high_watermark, 4);
  EXPECT_EQ(again.partition(topic.partitions[1])->index, 1U);
  EXPECT_TRUE(again.decide_start().empty());
  SendBatch twice = test::a_batch(proto::LogId{queue.value}, values_of(3), idempotent);
  EXPECT_EQ(std::get<ShardState::SendDecision>(*again.decide(twice, rig.ids, kNow + 9)).append_time,
            kNow + 5)
      << "still a duplicate";
  EXPECT_EQ(again.producers().oldest()->first, kNow + 5);
  const auto step = again.decide(rig.wish(queue, 1), rig.batches, kNow);
  EXPECT_GT(std::get<ShardState::DispatchStep>(step).record.grant, held.grant)
      << "a grant never comes twice";
  const auto next = again.decide(CreateQueue{"default", "later", {}, {}}).value();
  EXPECT_GT(std::get<QueueCreated>(next.front()).id.value, topic.partitions[1].value);
}

TEST(Restore, LeavesNoRowsOfWhatIsDone) {
  CoreRig rig;
  storage::MemoryStore store;
  const proto::QueueId queue = rig.create_queue("work");
  rig.send(queue, values_of(3));
  rig.commit(store);
  EXPECT_EQ(store.rows(storage::Family::kLog), 1U);
  const std::size_t rows_before = store.rows(storage::Family::kState);
  const Delivery held = *rig.take(queue, 3, kNow);
  rig.commit(store);
  EXPECT_EQ(store.rows(storage::Family::kState), rows_before + 1);
  rig.settle(queue, CoreRig::range(held, SettleKind::kAck), kNow);
  rig.commit(store);
  EXPECT_EQ(store.rows(storage::Family::kLog), 0U);
  EXPECT_EQ(store.rows(storage::Family::kState), rows_before);
}

TEST(Restore, NamesARowWithoutItsObject) {
  storage::MemoryStore store;
  storage::WriteBatch rows;
  rows.put(storage::Family::kState, storage::object_key(storage::KeyKind::kQueueState, 9),
           rows::encode(Queue::Counters{}));
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  ASSERT_TRUE(store.commit(all));
  ShardState state(100);
  const auto reader = store.snapshot();
  EXPECT_EQ(state.restore(*reader).error().code, Errc::kCorruptBatch);
}

TEST(Restore, SaysWhenTheStoreCannotBeRead) {
  storage::MemoryStore store;
  store.fail_reads(true);
  ShardState state(100);
  const auto reader = store.snapshot();
  EXPECT_FALSE(state.restore(*reader));
}

// A queue under everything that can happen to it, beside a model of single messages.
class QueueModel {
 public:
  struct Message {
    RunState state = RunState::kReturned;
    bool fresh = true;
    bool started = false;
    std::uint16_t attempts = 0;
    std::uint16_t failures = 0;
    bool is_poison = false;
    proto::GrantId grant;
    proto::TimeMs when = 0;
    std::vector<ReturnCause> history;
  };
  std::map<proto::Offset, Message> live;
  std::uint16_t max_failures = 3;
  RunState when_it_has_failed = RunState::kDying;

  void give_back(Message& message, ReturnCause cause, proto::TimeMs due) const {
    const bool is_said = cause != ReturnCause::kReleased && cause != ReturnCause::kExpired;
    message.attempts =
        static_cast<std::uint16_t>(message.attempts + (is_said && !message.started ? 1 : 0));
    if (message.started || is_said) {
      message.history.push_back(cause);
      const bool fails = cause == ReturnCause::kFailed || cause == ReturnCause::kPoison ||
                         cause == ReturnCause::kExpired;
      message.failures = static_cast<std::uint16_t>(message.failures + (fails ? 1 : 0));
    }
    message.is_poison = message.is_poison || cause == ReturnCause::kPoison;
    message.started = false;
    message.when = due;
    message.state = message.is_poison || message.failures >= max_failures ? when_it_has_failed
                                                                          : RunState::kReturned;
  }

  static bool is_told(const Message& message, std::size_t number) {
    return number == 1 || number + kLastAttemptsKept > message.history.size();
  }
  /// The store has the attempts of each message, the first one and the last ones, and no row that
  /// tells nothing of the kind.
  void expect_same_history(const storage::MemoryStore& store, proto::QueueId id) const {
    using Row = std::tuple<proto::Offset, std::uint16_t, ReturnCause>;
    std::vector<Row> expected;
    for (const auto& [offset, message] : live) {
      for (std::size_t i = 0; i < message.history.size(); ++i) {
        if (is_told(message, i + 1)) {
          expected.emplace_back(offset, i + 1, message.history[i]);
        }
      }
    }
    std::vector<Row> found;
    const std::string prefix = storage::object_prefix(storage::KeyKind::kAttempt, id.value);
    const auto reader = store.snapshot();
    const auto rows =
        reader->scan(storage::Family::kState, prefix, storage::prefix_end(prefix), {});
    for (; rows->valid(); rows->next()) {
      const auto at = storage::parse_attempt_key(rows->key()).value();
      const auto row = rows::decode_attempt(rows->value(), at.attempt).value();
      bool is_of_use = false;
      for (proto::Offset i = at.offset; i < at.offset + row.messages; ++i) {
        if (const auto message = live.find(i);
            message != live.end() && is_told(message->second, at.attempt)) {
          found.emplace_back(i, at.attempt, row.attempt.outcome);
          is_of_use = true;
        }
      }
      EXPECT_TRUE(is_of_use) << "attempt " << at.attempt << " at offset " << at.offset;
    }
    std::ranges::sort(found);
    EXPECT_EQ(found, expected);
  }

  void expect_same(const CoreRig& rig, proto::QueueId id, proto::TimeMs now) const {
    std::map<RunState, std::uint64_t> counts;
    std::uint64_t fresh = 0;
    std::uint64_t delayed = 0;
    std::map<proto::Offset, std::uint64_t> bytes_of_batches;
    for (const auto& [offset, message] : live) {
      const CachedBatch& batch = *rig.batches.find(proto::LogId{id.value}, offset);
      bytes_of_batches[batch.base_offset] = batch.stored_bytes;
      if (message.fresh) {
        ++fresh;
        continue;
      }
      ++counts[message.state];
      delayed += message.state == RunState::kReturned && message.when > now ? 1 : 0;
    }
    const Queue& queue = *rig.state.queue(id);
    EXPECT_EQ(queue.fresh(), fresh);
    const RunCounts expected{counts[RunState::kLeased], counts[RunState::kReturned],
                             counts[RunState::kDying], counts[RunState::kParked]};
    EXPECT_EQ(queue.counters().runs, expected);
    EXPECT_EQ(test::count_one_by_one(queue), expected);
    EXPECT_EQ(queue.delayed(now), delayed);
    std::uint64_t bytes = 0;
    for (const auto& [base_offset, of_batch] : bytes_of_batches) {
      bytes += of_batch;
    }
    EXPECT_EQ(queue.counters().bytes, bytes);
  }
};

TEST(QueueUnderEverything, EqualsAModelOfSingleMessagesAndItsRows) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    CoreRig rig;
    storage::MemoryStore store;
    const proto::QueueId dead = rig.create_queue("dead");
    const bool parks = seed % 3 == 0;
    const proto::QueueId queue = rig.create_queue("work", {1000, 3, parks ? "" : "dead"});
    QueueModel model;
    model.when_it_has_failed = parks ? RunState::kParked : RunState::kDying;
    std::vector<Delivery> grants;
    proto::TimeMs now = kNow;
    std::uint64_t dead_letters = 0;
    for (int step = 0; step < 250; ++step) {
      now += rng.below(120);
      const std::uint32_t action = rng.below(8);
      if (action == 0) {
        // Small ones come to an end, too.
        const std::uint32_t count = 1 + rng.below(rng.one_in(2) ? 4 : 70);
        const proto::Offset base = rig.send(queue, values_of(count), now);
        for (std::uint32_t i = 0; i < count; ++i) {
          model.live[base + i] = {};
        }
      } else if (action <= 2) {
        auto wanted = rig.wish(queue, 1 + rng.below(40));
        wanted.started = rng.one_in(3);
        if (const auto given = rig.take(wanted, now)) {
          for (const std::uint32_t i : test::indexes_in(*given)) {
            auto& message = model.live.at(given->base_offset + i);
            ASSERT_TRUE(message.fresh ||
                        (message.state == RunState::kReturned && message.when <= now));
            ASSERT_EQ(message.attempts, given->attempts);
            ASSERT_EQ(message.failures, given->failures);
            message.fresh = false;
            message.state = RunState::kLeased;
            message.started = wanted.started;
            message.attempts = static_cast<std::uint16_t>(message.attempts + wanted.started);
            message.grant = given->grant;
            message.when = now + 1000;
          }
          grants.push_back(*given);
        }
      } else if (action <= 5 && !grants.empty()) {
        const Delivery& held = grants[rng.below(static_cast<std::uint32_t>(grants.size()))];
        const auto kind = static_cast<SettleKind>(1 + rng.below(8));
        proto::SettleRange range = CoreRig::range(held, kind, rng.below(300));
        range.first_index += rng.below(held.span);
        range.count = 1 + rng.below(held.first_index + held.span - range.first_index);
        const bool has_value =
            kind != SettleKind::kAck && kind != SettleKind::kStarted && kind != SettleKind::kPoison;
        range.value = has_value ? range.value : 0;
        std::set<std::uint32_t> failed;
        for (const auto& failure : rig.settle(queue, range, now)) {
          for (std::uint32_t i = 0; i < failure.count; ++i) {
            failed.insert(failure.first + i);
          }
        }
        for (std::uint32_t i = range.first_index; i < range.first_index + range.count; ++i) {
          const auto it = model.live.find(held.base_offset + i);
          const bool gone = it == model.live.end();
          const bool holds = !gone && it->second.grant == held.grant;
          const bool leased =
              holds && it->second.state == RunState::kLeased && it->second.when > now;
          if (kind == SettleKind::kAck) {
            ASSERT_EQ(failed.contains(i), !gone && !holds) << i;
            if (holds) {
              model.live.erase(it);
            }
            continue;
          }
          if (!gone || kind != SettleKind::kStarted) {
            ASSERT_EQ(failed.contains(i), !leased) << i;
          }
          if (!leased) {
            continue;
          }
          QueueModel::Message& message = it->second;
          if (kind == SettleKind::kNack) {
            model.give_back(message, ReturnCause::kFailed, now + range.value);
          } else if (kind == SettleKind::kPoison) {
            model.give_back(message, ReturnCause::kPoison, now);
          } else if (kind == SettleKind::kTransient) {
            model.give_back(message, ReturnCause::kTransient, now + range.value);
          } else if (kind == SettleKind::kNotNow) {
            model.give_back(message, ReturnCause::kNotNow, now + range.value);
          } else if (kind == SettleKind::kRelease ||
                     (kind == SettleKind::kExtend && range.value == 0)) {
            model.give_back(message, ReturnCause::kReleased, now + range.value);
          } else if (kind == SettleKind::kExtend) {
            message.when = now + range.value;
          } else if (!message.started) {
            message.started = true;
            ++message.attempts;
          }
        }
      } else if (action == 6) {
        rig.expire(now);
        for (auto& [offset, message] : model.live) {
          if (!message.fresh && message.state == RunState::kLeased && message.when <= now) {
            model.give_back(message, ReturnCause::kExpired, now);
          }
        }
      } else {
        const auto moved = rig.state.decide_dead_letter(queue, rig.batches, rig.attempts, now);
        if (const auto* records = std::get_if<ShardState::Records>(&moved)) {
          rig.apply(*records);
          for (const Record& record : *records) {
            if (const auto* gone = std::get_if<DeadLettered>(&record)) {
              for (std::uint32_t i = 0; i < gone->range.count; ++i) {
                const auto it = model.live.find(gone->range.base_offset + gone->range.first + i);
                ASSERT_NE(it, model.live.end());
                ASSERT_EQ(it->second.state, RunState::kDying);
                model.live.erase(it);
                ++dead_letters;
              }
            }
          }
        }
      }
      model.expect_same(rig, queue, now);
      EXPECT_EQ(rig.info(dead, now).ready, dead_letters);
      if (rng.one_in(10)) {
        rig.commit(store);
        expect_same_after_restore(rig, store, now);
        model.expect_same_history(store, queue);
      }
      if (HasFailure()) {
        return;
      }
    }
  }
}

}  // namespace
}  // namespace weir::core
