#include "broker/core/rebuilt_batch.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace weir::core {
namespace {

using proto::Errc;
using proto::QueueId;
using test::CoreRig;
using test::kNow;
using test::values_of;

constexpr proto::Offset kFirst = Queue::DelayLane::kFirstOffset;

/// The values of what is handed out, in its order, and the ids that the messages came with.
struct Taken {
  std::vector<std::string> values;
  std::vector<std::string> ids;
  std::vector<std::string> headers;
};
Taken take_all(CoreRig& rig, QueueId queue, proto::TimeMs now) {
  Taken taken;
  while (const auto held = rig.take(queue, 1000, now)) {
    std::string_view bytes = held->records.view();
    for (std::uint32_t i = 0; i < held->count; ++i) {
      const auto decoded = proto::decode_record(bytes).value();
      taken.values.emplace_back(decoded.record.value.value());
      for (const proto::Header& header : decoded.record.headers) {
        taken.headers.emplace_back(header.key);
        if (header.key == kHeaderId) {
          taken.ids.emplace_back(header.value.value());
        }
      }
      bytes.remove_prefix(decoded.bytes);
    }
  }
  return taken;
}

TEST(Delay, KeepsMessagesBackUntilTheyAreDue) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  EXPECT_EQ(rig.send_delayed(queue, {"a", "b"}, {500, 500}), kFirst);
  EXPECT_EQ(rig.info(queue, kNow).delayed, 2U);
  EXPECT_EQ(rig.info(queue, kNow).ready, 0U);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 2U);
  EXPECT_GT(rig.info(queue, kNow).bytes, 0U);
  EXPECT_EQ(rig.info(queue, kNow).oldest_append_time, 0) << "nobody waits for it yet";
  EXPECT_EQ(rig.state.queue(queue)->next_delay_due(), kNow + 500);
  ASSERT_EQ(rig.delayed(queue).size(), 1U) << "neighbours that are due together are one row";

  rig.move_due(queue, kNow + 499);
  EXPECT_EQ(rig.info(queue, kNow + 499).delayed, 2U);
  rig.move_due(queue, kNow + 500);
  EXPECT_EQ(rig.info(queue, kNow + 500).delayed, 0U);
  EXPECT_EQ(rig.info(queue, kNow + 500).ready, 2U);
  EXPECT_EQ(rig.info(queue, kNow + 500).oldest_append_time, kNow + 500);
  const Taken taken = take_all(rig, queue, kNow + 500);
  EXPECT_EQ(taken.values, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(taken.ids, (std::vector<std::string>{proto::message_id(1, queue.value, kFirst),
                                                 proto::message_id(1, queue.value, kFirst + 1)}));
  EXPECT_EQ(std::ranges::count(taken.headers, proto::kHeaderDelay), 0) << "it is over";
}

TEST(Delay, CutsABatchWhereItIsDueAtDifferentTimes) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  const proto::Offset base =
      rig.send_delayed(queue, values_of(6), {300, 300, 100, std::nullopt, 0, 200});
  const std::vector<DelayedBatch> rows = rig.delayed(queue);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].due, kNow) << "what does not wait goes along with what does";
  EXPECT_EQ(rows[0].batch.base_offset, base + 3);
  EXPECT_EQ(rows[0].count(), 2U);
  EXPECT_EQ(rows[3].due, kNow + 300);
  EXPECT_EQ(rows[3].count(), 2U);
  rig.move_due(queue, kNow + 200);
  EXPECT_EQ(take_all(rig, queue, kNow + 200).values,
            (std::vector<std::string>{"v3", "v4", "v2", "v5"}));
  rig.move_due(queue, kNow + 300);
  EXPECT_EQ(take_all(rig, queue, kNow + 300).values, (std::vector<std::string>{"v0", "v1"}));
}

TEST(Delay, OfTheQueueIsForMessagesThatNameNone) {
  CoreRig rig;
  QueueSettings settings;
  settings.delay_ms = 1000;
  const QueueId queue = rig.create_queue("later", settings);
  EXPECT_GE(rig.send(queue, {"a"}), kFirst);
  rig.send_delayed(queue, {"b"}, {10});
  EXPECT_EQ(rig.state.queue(queue)->next_delay_due(), kNow + 10);
  SendBatch at_once = test::a_batch(proto::LogId{queue.value}, {"c"}, {}, false, {0});
  const auto decision = rig.decide(at_once, kNow).value();
  ASSERT_TRUE(decision.record) << "it says that it is not to wait";
  EXPECT_EQ(decision.base_offset, 0);
  rig.apply(*decision.record);
  rig.move_due(queue, kNow + 999);
  EXPECT_EQ(take_all(rig, queue, kNow + 999).values, (std::vector<std::string>{"c", "b"}));
  rig.move_due(queue, kNow + 1000);
  EXPECT_EQ(take_all(rig, queue, kNow + 1000).values, std::vector<std::string>{"a"});
}

TEST(Delay, IsAnsweredAloneForADuplicate) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  const ProducerStarted producer = rig.start_producer();
  const proto::BatchBuilder::Producer first{static_cast<std::int64_t>(producer.id.value), 0, 0};
  const proto::Offset base = rig.send_delayed(queue, {"a", "b"}, {50, 60}, kNow, first);
  SendBatch again = test::a_batch(proto::LogId{queue.value}, {"a", "b"}, first, false, {50, 60});
  const auto decision = rig.decide(again, kNow + 40).value();
  EXPECT_TRUE(decision.is_duplicate);
  EXPECT_EQ(decision.base_offset, base);
  EXPECT_EQ(decision.append_time, kNow);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 2U);
}

TEST(Delay, CountsAgainstTheBounds) {
  CoreRig rig;
  QueueSettings settings;
  settings.max_messages = 3;
  const QueueId queue = rig.create_queue("small", settings);
  rig.send_delayed(queue, {"a", "b"}, {50, 50});
  SendBatch more = test::a_batch(proto::LogId{queue.value}, {"c", "d"});
  EXPECT_EQ(rig.decide(more, kNow).error().code, Errc::kQueueFull);
  rig.send(queue, {"c"});
  rig.move_due(queue, kNow + 50);
  EXPECT_EQ(rig.info(queue, kNow + 50).messages(), 3U) << "what was taken stays taken";
}

TEST(Delay, CanBeCutShortAndCancelledMessageByMessage) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  rig.send_delayed(queue, values_of(6), std::vector<std::optional<std::int64_t>>(6, 1000));
  const std::vector<std::uint32_t> cancelled = {0, 3, 4};
  rig.apply(rig.state.decide_take(queue, rig.delayed(queue).at(0), cancelled, std::nullopt));
  EXPECT_EQ(rig.info(queue, kNow).delayed, 3U);
  ASSERT_EQ(rig.delayed(queue).size(), 2U);
  EXPECT_EQ(rig.delayed(queue)[0].batch.base_offset, kFirst + 1);
  EXPECT_EQ(rig.delayed(queue)[1].batch.base_offset, kFirst + 5);

  const std::vector<std::uint32_t> second = {1};
  rig.apply(rig.state.decide_take(queue, rig.delayed(queue).at(0), second, kNow + 10));
  EXPECT_EQ(rig.state.queue(queue)->next_delay_due(), kNow + 10);
  rig.move_due(queue, kNow + 10);
  Taken taken = take_all(rig, queue, kNow + 10);
  EXPECT_EQ(taken.values, std::vector<std::string>{"v2"});
  EXPECT_EQ(taken.ids, std::vector<std::string>{proto::message_id(1, queue.value, kFirst + 2)});
  rig.move_due(queue, kNow + 1000);
  EXPECT_EQ(take_all(rig, queue, kNow + 1000).values, (std::vector<std::string>{"v1", "v5"}));
  storage::MemoryStore store;
  rig.commit(store);
  EXPECT_TRUE(test::check_rows(store));
}

// The row that stays has the key of the one that was taken apart.
TEST(Delay, LosesNothingWhereWhatIsLeftIsDueWhenTheRestWas) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  rig.send_delayed(queue, values_of(3), {100, 100, 100});
  storage::MemoryStore store;
  rig.commit(store);
  const std::vector<std::uint32_t> first = {0};
  rig.apply(rig.state.decide_take(queue, rig.delayed(queue).at(0), first, kNow + 100));
  rig.commit(store);
  EXPECT_EQ(rig.info(queue, kNow).delayed, 3U);
  const auto checked = test::check_rows(store);
  ASSERT_TRUE(checked) << checked.error().message;
}

TEST(Delay, GoesOnWithItsIdsBehindAPurge) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  storage::MemoryStore store;
  rig.send_delayed(queue, {"a", "b"}, {100, 200});
  rig.commit(store);
  rig.apply(rig.state.decide(PurgeQueue{"default", "work"}).value());
  rig.lane.clear();
  rig.commit(store);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 0U);
  EXPECT_EQ(rig.info(queue, kNow).bytes, 0U);
  EXPECT_EQ(rig.state.queue(queue)->next_delay_due(), TouchedBatch::kNever);
  EXPECT_TRUE(test::check_rows(store));
  EXPECT_EQ(rig.send_delayed(queue, {"c"}, {100}), kFirst + 2);
  rig.commit(store);
  EXPECT_EQ(test::check_rows(store)->records, 1U);
  rig.apply(rig.state.decide(DeleteQueue{"default", "work", false}).value());
  rig.commit(store);
  EXPECT_EQ(test::check_rows(store)->records, 0U);
  EXPECT_TRUE(rig.state.by_delay_due().empty());
}

TEST(Delay, FindsMessagesByTheirIds) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  const QueueId other = rig.create_queue("other");
  rig.send_delayed(queue, {"a", "b"}, {100, 200});
  const Queue& of = *rig.state.queue(queue);
  EXPECT_EQ(rig.state.find_delayed(of, proto::message_id(1, queue.value, kFirst + 1)).value(),
            kFirst + 1);
  const auto code = [&](const std::string& id) {
    return rig.state.find_delayed(of, id).error().code;
  };
  EXPECT_EQ(code("a"), Errc::kInvalidArgument);
  EXPECT_EQ(code(proto::message_id(1, queue.value, kFirst + 2)), Errc::kMessageNotFound);
  EXPECT_EQ(code(proto::message_id(1, queue.value, 0)), Errc::kMessageNotFound);
  EXPECT_EQ(code(proto::message_id(2, queue.value, kFirst)), Errc::kMessageNotFound);
  EXPECT_EQ(code(proto::message_id(1, other.value, kFirst)), Errc::kMessageNotFound);
}

// A batch is bounded; what is due is not.
TEST(Delay, MakesAsManyBatchesAsItTakes) {
  CoreRig rig;
  const QueueId queue = rig.create_queue("work");
  for (int i = 0; i < 3; ++i) {
    rig.send_delayed(queue, std::vector<std::string>(4000, "v"),
                     std::vector<std::optional<std::int64_t>>(4000, 100));
  }
  const std::string large(proto::kMaxMessageBytes - 100, 'x');
  for (int i = 0; i < 6; ++i) {
    rig.send_delayed(queue, {large}, {100});
  }
  const ShardState::Records records = rig.state.decide_due(queue, rig.delayed(queue), kNow + 100);
  std::uint32_t messages = 0;
  for (const Record& record : records) {
    if (const auto* appended = std::get_if<BatchAppended>(&record)) {
      EXPECT_LE(appended->count, proto::kMaxBatchRecords);
      EXPECT_LE(appended->stored.size(), proto::kStoredHeaderBytes + proto::kMaxBatchBytes);
      messages += appended->count;
    }
  }
  EXPECT_EQ(messages, 12'006U);
  rig.apply(records);
  storage::MemoryStore store;
  rig.commit(store);
  EXPECT_TRUE(test::check_rows(store));
}

TEST(Delay, CountsAsItsRowsDoWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    test::Rng rng(seed);
    CoreRig rig;
    const QueueId queue = rig.create_queue("work");
    storage::MemoryStore store;
    proto::TimeMs now = kNow;
    std::uint64_t sent = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t received = 0;
    for (int step = 0; step < 60; ++step) {
      now += rng.below(50);
      const std::vector<DelayedBatch> rows = rig.delayed(queue);
      if (rng.one_in(3)) {
        std::vector<std::optional<std::int64_t>> delays;
        for (std::uint32_t i = 0; i <= rng.below(5); ++i) {
          delays.push_back(rng.one_in(4) ? std::nullopt
                                         : std::optional<std::int64_t>(1 + rng.below(3) * 40));
        }
        delays.push_back(1);
        const auto count = static_cast<std::uint32_t>(delays.size());
        rig.send_delayed(queue, values_of(count), delays, now);
        sent += count;
      } else if (rng.one_in(2) && !rows.empty()) {
        const DelayedBatch& row = rows[rng.below(static_cast<std::uint32_t>(rows.size()))];
        std::vector<std::uint32_t> picked;
        for (std::uint32_t i = 0; i < row.count(); ++i) {
          if (rng.one_in(2)) {
            picked.push_back(i);
          }
        }
        const bool is_cancelled = rng.one_in(2);
        rig.apply(rig.state.decide_take(
            queue, row, picked,
            is_cancelled ? std::nullopt : std::optional<proto::TimeMs>(now + rng.below(80))));
        cancelled += is_cancelled ? picked.size() : 0;
      } else {
        rig.move_due(queue, now);
        received += take_all(rig, queue, now).values.size();
      }
      rig.commit(store);
      const QueueInfo info = rig.info(queue, now);
      ASSERT_EQ(info.messages(), sent - cancelled);
      ASSERT_EQ(info.in_flight, received);
      const auto checked = test::check_rows(store);
      ASSERT_TRUE(checked) << checked.error().message;
    }
    ShardState again(100);
    ASSERT_TRUE(again.restore(*store.snapshot()));
    EXPECT_EQ(again.queue(queue)->counters(), rig.state.queue(queue)->counters());
    const std::vector<DelayedBatch> left = rig.delayed(queue);
    EXPECT_LE(again.queue(queue)->next_delay_due(),
              left.empty() ? TouchedBatch::kNever : left.front().due);
  }
}

}  // namespace
}  // namespace weir::core
