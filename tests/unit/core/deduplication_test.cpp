#include "broker/core/deduplication.hpp"

#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace weir::core {
namespace {

using proto::Errc;
using proto::QueueId;
using proto::SettleKind;
using test::a_batch_with_ids;
using test::CoreRig;
using test::kNow;
using test::Sending;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Known = proto::SentEntry::Place;
using Values = std::vector<std::string>;
constexpr std::int64_t kFiveMinutes = 5 * 60 * 1000;

struct DeduplicationRig : CoreRig {
  explicit DeduplicationRig(QueueSettings settings = {})
      : queue(create_queue("work.fifo", std::move(settings))) {}
  ShardState::SendDecision send(const std::vector<Sending>& messages, proto::TimeMs now = kNow,
                                proto::BatchBuilder::Producer producer = {}) {
    SendBatch batch = a_batch_with_ids(proto::LogId{queue.value}, messages, producer);
    auto decision = decide(batch, now).value();
    if (decision.record) {
      apply(Record{*decision.record});
    }
    apply(decision.more);
    return decision;
  }
  Values take_all(proto::TimeMs now = kNow) {
    Values values;
    while (const auto delivery = take(queue, 100, now)) {
      const Values more = test::values_in(*delivery);
      values.insert(values.end(), more.begin(), more.end());
      settle(queue, range(*delivery, SettleKind::kAck), now);
    }
    return values;
  }
  void expect_sound(proto::TimeMs now = kNow) {
    commit(store);
    test::expect_same_after_restore(*this, store, now);
  }
  [[nodiscard]] std::size_t rows() const {
    const std::string prefix = storage::kind_prefix(storage::KeyKind::kDeduplication);
    const auto reader = store.snapshot();
    const auto found =
        reader->scan(storage::Family::kState, prefix, storage::prefix_end(prefix), {});
    std::size_t count = 0;
    for (; found->valid(); found->next()) {
      ++count;
    }
    return count;
  }

  QueueId queue;
  storage::MemoryStore store;
};

TEST(Deduplication, TakesAMessageOnceWithinItsTime) {
  DeduplicationRig rig;
  rig.send({{"first", "id"}});
  const auto again = rig.send({{"second", "id"}}, kNow + kFiveMinutes - 1);
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_THAT(again.known, ElementsAre(Known{0, 0}));
  EXPECT_FALSE(again.record);
  const auto later = rig.send({{"third", "id"}}, kNow + kFiveMinutes);
  EXPECT_FALSE(later.is_duplicate) << "it is over: the time counts from the first send";
  EXPECT_THAT(rig.take_all(), ElementsAre("first", "third"));
  rig.expect_sound();
}

TEST(Deduplication, OutlivesTheMessage) {
  DeduplicationRig rig;
  rig.send({{"first", "id"}});
  EXPECT_THAT(rig.take_all(), ElementsAre("first"));
  EXPECT_TRUE(rig.send({{"again", "id"}}, kNow + 1000).is_duplicate);
  EXPECT_THAT(rig.take_all(), IsEmpty());
}

TEST(Deduplication, EndsWithAPurge) {
  DeduplicationRig rig;
  rig.send({{"first", "id"}});
  rig.expect_sound();
  EXPECT_EQ(rig.rows(), 1U);
  rig.apply(Record{rig.state.decide(PurgeQueue{"default", "work.fifo"}).value()});
  rig.expect_sound();
  EXPECT_EQ(rig.rows(), 0U);
  EXPECT_FALSE(rig.send({{"again", "id"}}).is_duplicate);
  EXPECT_THAT(rig.take_all(), ElementsAre("again"));
}

TEST(Deduplication, StoresWhatIsNewOfABatch) {
  DeduplicationRig rig;
  rig.send({{"a", "1"}, {"b", "2"}});
  const auto mixed = rig.send({{"c", "3"}, {"b2", "2"}, {"d"}, {"a2", "1"}, {"e", "4"}});
  EXPECT_EQ(mixed.base_offset, 2);
  EXPECT_FALSE(mixed.is_duplicate);
  EXPECT_THAT(mixed.known, ElementsAre(Known{1, 1}, Known{3, 0}));
  EXPECT_EQ(rig.info(rig.queue, kNow).messages(), 5U);
  EXPECT_THAT(rig.take_all(), ElementsAre("a", "b", "c", "d", "e"));
  rig.expect_sound();
  EXPECT_THAT(rig.send({{"e2", "4"}}).known, ElementsAre(Known{0, 4}));
}

TEST(Deduplication, LooksAtTheOtherMessagesOfABatch) {
  DeduplicationRig rig;
  const auto sent = rig.send({{"a", "1"}, {"a2", "1"}, {"b", "2"}, {"a3", "1"}});
  EXPECT_THAT(sent.known, ElementsAre(Known{1, 0}, Known{3, 0}));
  EXPECT_THAT(rig.take_all(), ElementsAre("a", "b"));
}

TEST(Deduplication, TellsTheSameWhenABatchIsSentAgain) {
  DeduplicationRig rig;
  const ProducerStarted producer = rig.start_producer();
  const auto as = [&](std::int32_t sequence) {
    return proto::BatchBuilder::Producer{static_cast<std::int64_t>(producer.id.value),
                                         static_cast<std::int16_t>(producer.epoch), sequence};
  };
  rig.send({{"a", "1"}}, kNow, as(0));
  const std::vector<Sending> batch = {{"b"}, {"a2", "1"}, {"c", "3"}, {"c2", "3"}, {"d"}};
  const auto first = rig.send(batch, kNow, as(1));
  const auto again = rig.send(batch, kNow + 1000, as(1));
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_FALSE(again.record);
  EXPECT_TRUE(again.more.empty());
  EXPECT_EQ(again.base_offset, first.base_offset);
  EXPECT_EQ(again.known, first.known);
  EXPECT_THAT(first.known, ElementsAre(Known{1, 0}, Known{3, 2}));
  // All of it known: its sequence counts all the same.
  EXPECT_TRUE(rig.send({{"x", "1"}}, kNow, as(6)).is_duplicate);
  EXPECT_FALSE(rig.send({{"y"}}, kNow, as(7)).is_duplicate);
  EXPECT_THAT(rig.take_all(), ElementsAre("a", "b", "c", "d", "y"));
  rig.expect_sound();
}

TEST(Deduplication, KnowsWhatIsSentWhereThereIsNoRoom) {
  DeduplicationRig rig({.max_messages = 1});
  rig.send({{"a", "1"}});
  EXPECT_TRUE(rig.send({{"a2", "1"}}).is_duplicate);
  SendBatch more = a_batch_with_ids(proto::LogId{rig.queue.value}, {{"b", "2"}});
  EXPECT_EQ(rig.decide(more, kNow).error().code, Errc::kQueueFull);
}

TEST(Deduplication, KnowsWhatIsSentAgainBehindItsDeadline) {
  DeduplicationRig rig;
  rig.send({{"a", "1", kNow + 10}});
  EXPECT_TRUE(rig.send({{"a", "1", kNow + 10}}, kNow + 20).is_duplicate);
  const auto both = rig.send({{"a", "1", kNow + 10}, {"b", "2", kNow + 10}}, kNow + 20);
  EXPECT_THAT(both.known, ElementsAre(Known{0, 0})) << "an answer says of each that it is stored";
  SendBatch late = a_batch_with_ids(proto::LogId{rig.queue.value}, {{"c", "3", kNow + 10}});
  EXPECT_EQ(rig.decide(late, kNow + 20).error().code, Errc::kMessageExpired);
  EXPECT_THAT(rig.take_all(), ElementsAre("a", "b"));
  rig.expect_sound();
}

TEST(Deduplication, IsByContentWhereThatIsAskedFor) {
  DeduplicationRig rig({.content_deduplication = 1});
  rig.send({{"a"}, {"b", "own"}});
  EXPECT_THAT(rig.send({{"a"}}).known, ElementsAre(Known{0, 0}));
  EXPECT_FALSE(rig.send({{"b"}}).is_duplicate) << "that one went by its own id";
  EXPECT_THAT(rig.send({{"c", "own"}}).known, ElementsAre(Known{0, 1}));
  // As SQS: the content's id is the digest in hexadecimal digits (of "a": FIPS 180-4).
  EXPECT_THAT(
      rig.send({{"x", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}}).known,
      ElementsAre(Known{0, 0}));
}

TEST(Deduplication, IsNotForWhatTheBrokerMoves) {
  DeduplicationRig rig({.max_receive_count = 1});
  const QueueId dead = rig.create_queue("dead.fifo");
  const QueueId other = rig.create_queue("other.fifo");
  const UpdateQueue update{"default", "work.fifo", {.dead_letter_queue = "dead.fifo"}, false};
  rig.apply(Record{*rig.state.decide(update).value().record});
  const proto::TimeMs later = kNow + kFiveMinutes;
  rig.send({{"a", "id"}});
  rig.send({{"b", "id"}}, later);
  for (int i = 0; i < 2; ++i) {
    const Delivery held = *rig.take(rig.queue, 1, later);
    rig.settle(rig.queue, CoreRig::range(held, SettleKind::kNack), later);
    rig.apply(*rig.dead_letters(rig.queue, later));
  }
  EXPECT_EQ(rig.info(dead, later).ready, 2U) << "with the same id";
  const StartRedrive command{.name_space = "default", .name = "dead.fifo", .target = "other.fifo"};
  rig.apply(Record{rig.state.decide(command, later).value()});
  while (rig.state.redrives().find(dead)->is_running()) {
    const auto step = rig.state.decide_redrive(dead, 0, rig.batches, later);
    rig.apply(std::get<ShardState::Records>(step));
  }
  EXPECT_EQ(rig.info(other, later).ready, 2U);
  rig.expect_sound(later);
}

TEST(Deduplication, IsForFifoQueues) {
  DeduplicationRig rig;
  const auto refused =
      rig.state.decide(CreateQueue{"default", "plain", {.content_deduplication = 1}, Uuid{3}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("for FIFO queues"));
  const QueueId plain = rig.create_queue("plain");
  for (int i = 0; i < 2; ++i) {
    SendBatch batch = a_batch_with_ids(proto::LogId{plain.value}, {{"a", "1"}});
    EXPECT_FALSE(rig.decide(batch, kNow)->is_duplicate);
  }
}

TEST(Deduplication, ForgetsPartByPart) {
  DeduplicationRig rig({.deduplication_ms = 10'000});
  for (int second = 0; second < 60; ++second) {
    const proto::TimeMs now = kNow + second * 1000;
    EXPECT_FALSE(rig.send({{"x", std::to_string(second)}}, now).is_duplicate);
    for (int before = std::max(0, second - 30); before <= second; ++before) {
      SendBatch batch =
          a_batch_with_ids(proto::LogId{rig.queue.value}, {{"y", std::to_string(before)}});
      EXPECT_EQ(rig.decide(batch, now + 500)->is_duplicate, second - before < 10)
          << second << " " << before;
    }
    rig.expect_sound(now);
    EXPECT_LE(rig.rows(), 21U) << "two halves of its time, and what goes with the oldest";
    EXPECT_LE(rig.state.queue(rig.queue)->counters().deduplication_parts.size(), 4U);
  }
}

TEST(Deduplication, AsksForWhatIsNotInMemory) {
  struct Nothing final : KnownIds {
    [[nodiscard]] Found find(QueueId, std::uint32_t, const DeduplicationId&) const override {
      return Unknown{};
    }
  };
  DeduplicationRig rig;
  rig.send({{"a", "1"}});
  SendBatch batch =
      a_batch_with_ids(proto::LogId{rig.queue.value}, {{"a", "1"}, {"b"}, {"c", "2"}});
  batch.ids = deduplication_ids(*rig.state.queue(rig.queue), batch);
  const auto decided = rig.state.decide(batch, Nothing(), kNow).value();
  const auto& need = std::get<NeedIds>(decided);
  EXPECT_EQ(need.queue, rig.queue);
  EXPECT_EQ(need.ids.size(), 2U);
  EXPECT_THAT(need.parts, ElementsAre(kNow));
  EXPECT_FALSE(batch.stored.empty()) << "it is asked again";
}

}  // namespace
}  // namespace weir::core
