#include "broker/core/row_codec.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"
#include "weir/storage/v1/rows.pb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Neighbours that fail together share a row of history, and it goes with the last of them.
namespace weir::core {
namespace {

using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::values_of;

class AttemptRows : public ::testing::Test {
 protected:
  struct Row {
    proto::Offset offset = 0;
    std::uint32_t messages = 0;
    std::uint16_t number = 0;
    std::string reason;
    friend bool operator==(const Row&, const Row&) = default;
  };

  AttemptRows() : queue(rig.create_queue("work", {1000, 100, ""})) {}

  /// One message of what is held is said to have ended so.
  static proto::SettleRange one(const Delivery& held, std::uint32_t index, SettleKind kind) {
    proto::SettleRange range = CoreRig::range(held, kind);
    range.first_index = index;
    range.count = 1;
    return range;
  }
  /// As a shard does it with what is said the same of several.
  void settle_together(const std::vector<proto::SettleRange>& ranges, std::string_view reason,
                       std::uint64_t random = 0) {
    ShardState::Records records;
    for (const proto::SettleRange& range : ranges) {
      auto decided = rig.state.decide(queue, range, reason, random, kNow, std::nullopt);
      auto& decision = std::get<ShardState::SettleDecision>(decided);
      EXPECT_TRUE(decision.failed.empty());
      EXPECT_EQ(decision.nacked, range.count);
      std::ranges::move(decision.records, std::back_inserter(records));
    }
    rig.state.join_settled(records);
    records_joined = records.size();
    rig.apply(records);
  }
  /// Acks all that are even, and fails the others, of the delivery.
  void fail_the_odd(const Delivery& held, std::string_view reason) {
    std::vector<proto::SettleRange> odd;
    for (std::uint32_t i = held.first_index; i < held.first_index + held.count; ++i) {
      if (i % 2 == 1) {
        odd.push_back(one(held, i, SettleKind::kNack));
      } else if (const auto* batch = rig.state.queue(queue)->touched(0); !batch->acked(i)) {
        rig.settle(queue, one(held, i, SettleKind::kAck), kNow);
      }
    }
    settle_together(odd, reason);
  }
  std::vector<Row> stored() {
    rig.commit(store);
    expect_same_after_restore(rig, store, kNow);
    const std::string prefix = storage::object_prefix(storage::KeyKind::kAttempt, queue.value);
    const auto reader = store.snapshot();
    const auto rows =
        reader->scan(storage::Family::kState, prefix, storage::prefix_end(prefix), {});
    std::vector<Row> found;
    for (; rows->valid(); rows->next()) {
      const auto at = storage::parse_attempt_key(rows->key()).value();
      const auto row = rows::decode_attempt(rows->value(), at.attempt).value();
      found.push_back({at.offset, row.messages, at.attempt, row.attempt.reason});
    }
    return found;
  }
  void ack(std::uint32_t index) {
    const Delivery held = rig.take(queue, 1, kNow).value();
    ASSERT_EQ(held.first_index, index);
    EXPECT_EQ(rig.outcome(queue, CoreRig::range(held, SettleKind::kAck), kNow), std::nullopt);
  }

  CoreRig rig;
  proto::QueueId queue;
  storage::MemoryStore store;
  std::size_t records_joined = 0;
};

TEST_F(AttemptRows, AreSharedByNeighboursThatFailTogether) {
  rig.send(queue, values_of(150));
  fail_the_odd(rig.take(queue, 150, kNow).value(), "no route to host");
  EXPECT_EQ(records_joined, 1U);
  const std::string why = "no route to host";
  EXPECT_EQ(stored(), (std::vector<Row>{{1, 63, 1, why}, {65, 63, 1, why}, {129, 21, 1, why}}));
  for (std::uint32_t i = 1; i < 150; i += 2) {
    const auto* history = rig.attempts.find(queue, i, 1);
    ASSERT_EQ(history->size(), 1U) << i;
  }
}

TEST_F(AttemptRows, GoWithTheLastOfTheirMessages) {
  rig.send(queue, values_of(6));
  fail_the_odd(rig.take(queue, 6, kNow).value(), "broken");
  ack(1);
  EXPECT_EQ(stored(), (std::vector<Row>{{1, 5, 1, "broken"}}));
  ack(3);
  EXPECT_EQ(stored(), (std::vector<Row>{{1, 5, 1, "broken"}}));
  ack(5);
  EXPECT_TRUE(stored().empty());
}

TEST_F(AttemptRows, TellOneMessageFromItsNeighbours) {
  rig.send(queue, values_of(6));
  fail_the_odd(rig.take(queue, 6, kNow).value(), "all");
  const Delivery first = rig.take(queue, 1, kNow).value();
  ASSERT_EQ(first.first_index, 1U);
  rig.settle(queue, CoreRig::range(first, SettleKind::kNack), kNow + 1, "only this one");
  EXPECT_EQ(stored(), (std::vector<Row>{{1, 5, 1, "all"}, {1, 1, 2, "only this one"}}));
  ack(3);
  ack(5);
  EXPECT_EQ(stored(), (std::vector<Row>{{1, 5, 1, "all"}, {1, 1, 2, "only this one"}}));
  rig.settle(queue, CoreRig::range(*rig.take(queue, 1, kNow + 1), SettleKind::kAck), kNow + 1);
  EXPECT_TRUE(stored().empty());
}

TEST_F(AttemptRows, StayAsLongAsOneOfTheirMessagesNeedsThem) {
  rig.send(queue, values_of(2));
  for (int i = 0; i < 2; ++i) {
    settle_together({CoreRig::range(rig.take(queue, 2, kNow).value(), SettleKind::kNack)}, "");
  }
  const auto fail_alone = [this](std::uint32_t index) {
    auto wish = rig.wish(queue, 2);
    std::vector<Delivery> held;
    while (auto given = rig.take(wish, kNow)) {
      held.push_back(*std::move(given));
    }
    for (const Delivery& delivery : held) {
      for (std::uint32_t i = delivery.first_index; i < delivery.first_index + delivery.count; ++i) {
        rig.settle(queue, one(delivery, i, i == index ? SettleKind::kNack : SettleKind::kRelease),
                   kNow);
      }
    }
  };
  for (int i = 0; i < kLastAttemptsKept; ++i) {
    fail_alone(0);
  }
  const auto has_second = [this] {
    const std::vector<Row> rows = stored();
    return std::ranges::find(rows, Row{0, 2, 2, ""}) != rows.end();
  };
  EXPECT_TRUE(has_second()) << "the other message has had no more than two";
  for (int i = 0; i < kLastAttemptsKept; ++i) {
    fail_alone(1);
  }
  EXPECT_FALSE(has_second());
  EXPECT_EQ(stored().size(), 1U + 2 * kLastAttemptsKept) << "the first is shared";
}

/// What a neighbour needs of the past is not told of who has had enough since, when that one goes.
TEST_F(AttemptRows, ThatAreTooOldGoWithTheLastWhoNeedsThem) {
  rig.send(queue, values_of(2));
  for (int i = 0; i < 5; ++i) {
    settle_together({CoreRig::range(rig.take(queue, 2, kNow).value(), SettleKind::kNack)}, "");
  }
  const Delivery both = rig.take(queue, 2, kNow).value();
  rig.settle(queue, one(both, 1, SettleKind::kNack), kNow);
  for (int i = 0; i < 60; ++i) {
    const Delivery alone = rig.take(queue, 1, kNow).value();
    ASSERT_EQ(alone.first_index, 1U);
    rig.settle(queue, CoreRig::range(alone, SettleKind::kNack), kNow);
  }
  EXPECT_EQ(stored().size(), 5U + kLastAttemptsKept);
  EXPECT_EQ(rig.state.queue(queue)->touched(0)->attempts().all().size(), 2U);
  rig.settle(queue, one(both, 0, SettleKind::kAck), kNow);
  EXPECT_EQ(stored().size(), 1U + kLastAttemptsKept);
}

TEST_F(AttemptRows, ThatMayBeSharedAreDueTogetherAndOthersAreNot) {
  QueueSettings settings{1000, 100, ""};
  settings.redelivery_delay_ms = 60'000;
  settings.redelivery_max_delay_ms = 3'600'000;
  const proto::QueueId slow = rig.create_queue("slow", settings);
  rig.send(slow, values_of(320));
  proto::SettleRange all = CoreRig::range(rig.take(slow, 320, kNow).value(), SettleKind::kNack);
  std::vector<proto::TimeMs> due;
  for (all.first_index = 0, all.count = 64; all.first_index < 320; all.first_index += 64) {
    all.value = proto::kDelayByPolicy;
    auto decided = rig.state.decide(slow, all, "", 7, kNow, std::nullopt);
    const auto& records = std::get<ShardState::SettleDecision>(decided).records;
    ASSERT_EQ(records.size(), 1U);
    due.push_back(std::get<Returned>(records.front()).due);
    EXPECT_GE(due.back(), kNow + 60'000);
    EXPECT_LE(due.back(), kNow + 120'000);
  }
  std::ranges::sort(due);
  for (std::size_t i = 1; i < due.size(); ++i) {
    EXPECT_GT(due[i] - due[i - 1], 10) << "no neighbours in time";
  }
}

TEST_F(AttemptRows, AreNotSharedAcrossWhatIsNotDone) {
  rig.send(queue, values_of(4));
  const Delivery held = rig.take(queue, 4, kNow).value();
  settle_together({one(held, 0, SettleKind::kNack), one(held, 2, SettleKind::kNack)}, "");
  EXPECT_EQ(records_joined, 2U);
  EXPECT_EQ(stored(), (std::vector<Row>{{0, 1, 1, ""}, {2, 1, 1, ""}}));
}

TEST_F(AttemptRows, OfBeforeTheyWereSharedAreOneForEach) {
  storage::v1::TouchedBatchRow row;
  row.set_bytes(100);
  row.set_acked("\x02");
  storage::v1::RunRow& run = *row.add_runs();
  run.set_count(3);
  run.set_state(storage::v1::RUN_STATE_RETURNED);
  run.set_attempts(2);
  const auto read = rows::decode_touched(row.SerializeAsString(), 4).value().batch;
  EXPECT_EQ(read.attempts().all(), (std::vector<AttemptSpan>{{0, 1, 2, 1}, {2, 1, 2, 1}}));
}

TEST_F(AttemptRows, ThatCannotBeAreDamage) {
  const auto is_read = [](const std::vector<std::uint32_t>& numbers) {
    storage::v1::TouchedBatchRow row;
    row.set_bytes(100);
    storage::v1::RunRow& run = *row.add_runs();
    run.set_count(100);
    run.set_state(storage::v1::RUN_STATE_RETURNED);
    row.mutable_attempt_rows()->Add(numbers.begin(), numbers.end());
    return rows::decode_touched(row.SerializeAsString(), 99).has_value();
  };
  EXPECT_TRUE(is_read({0, 64, 1, 1, 0, 1, 2, 9, 64, 36, 1, 3}));
  EXPECT_FALSE(is_read({0, 64, 1})) << "half a one";
  EXPECT_FALSE(is_read({0, 0, 1, 1})) << "of no message";
  EXPECT_FALSE(is_read({0, 65, 1, 1})) << "of more than share one";
  EXPECT_FALSE(is_read({1, 64, 1, 1})) << "over the border of a word";
  EXPECT_FALSE(is_read({64, 37, 1, 1})) << "behind the batch";
  EXPECT_FALSE(is_read({100, 1, 1, 1})) << "outside of it";
  EXPECT_FALSE(is_read({0, 1, 0, 1})) << "no attempt";
  EXPECT_FALSE(is_read({0, 1, 2, 1})) << "ends before it begins";
  EXPECT_FALSE(is_read({0, 1, 1, 65'536})) << "more than are counted";
  EXPECT_FALSE(is_read({0, 1, 2, 2, 0, 1, 1, 1})) << "out of order";
  EXPECT_FALSE(is_read({64, 1, 1, 1, 0, 1, 1, 1})) << "out of order";
  EXPECT_FALSE(is_read({0, 1, 1, 1, 0, 1, 1, 1})) << "twice";
  EXPECT_FALSE(is_read({0, 4, 1, 3, 2, 1, 3, 4})) << "the same attempt at a message twice";
}

}  // namespace
}  // namespace weir::core
