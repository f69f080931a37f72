#include "broker/core/rebuilt_batch.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace weir::core {
namespace {

using proto::Errc;
using proto::QueueId;
using proto::SettleKind;
using test::CoreRig;
using test::kNow;
using test::values_of;

/// What a message says of itself.
struct Said {
  std::string value;
  std::optional<std::int64_t> ttl_ms = {};
  std::optional<proto::TimeMs> deadline = {};
};

SendBatch a_batch_of(QueueId queue, const std::vector<Said>& messages) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (const Said& said : messages) {
    test::TextHeaders headers;
    if (said.ttl_ms) {
      headers.emplace_back(proto::kHeaderTtl, std::to_string(*said.ttl_ms));
    }
    if (said.deadline) {
      headers.emplace_back(proto::kHeaderDeadline, std::to_string(*said.deadline));
    }
    test::add_message(builder, said.value, headers);
  }
  return test::send_of(proto::LogId{queue.value}, builder);
}

struct Rig : CoreRig {
  QueueId create(QueueSettings settings = {}) { return create_queue("work", std::move(settings)); }
  void send(QueueId queue, const std::vector<Said>& messages, proto::TimeMs now = kNow) {
    SendBatch batch = a_batch_of(queue, messages);
    apply(*decide(batch, now).value().record);
  }
  /// The values that are handed out; what has expired goes by the way.
  std::vector<std::string> take_all(QueueId queue, proto::TimeMs now) {
    std::vector<std::string> values;
    for (;;) {
      auto step = state.decide(wish(queue, 100), batches, now);
      if (const auto* over = std::get_if<Expired>(&step)) {
        apply(Record{*over});
        continue;
      }
      const auto* given = std::get_if<ShardState::DispatchStep>(&step);
      if (given == nullptr) {
        return values;
      }
      apply(Record{given->record});
      std::string_view bytes = given->delivery.records.view();
      for (std::uint32_t i = 0; i < given->delivery.count; ++i) {
        const auto decoded = proto::decode_record(bytes).value();
        values.emplace_back(decoded.record.value.value());
        bytes.remove_prefix(decoded.bytes);
      }
      last = given->delivery;
    }
  }
  void retain(QueueId queue, proto::TimeMs now) {
    proto::Offset from = 0;
    for (;;) {
      const auto step = state.decide_retention(queue, from, batches, now);
      if (const auto* further = std::get_if<ShardState::LookOn>(&step)) {
        from = further->from;
      } else if (const auto* over = std::get_if<Expired>(&step)) {
        apply(Record{*over});
      } else {
        return;
      }
    }
  }
  /// What is stored is what the rows say.
  void expect_sound() {
    storage::MemoryStore store;
    commit(store);
    const auto checked = test::check_rows(store);
    EXPECT_TRUE(checked) << checked.error().message;
  }
  Delivery last;
};

using Values = std::vector<std::string>;

TEST(Expiry, IsByTheMessagesOwnTime) {
  Rig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", 100}, {"b"}, {"c", {}, kNow + 50}, {"d", 100, kNow + 200}, {"e", 500}});
  EXPECT_EQ(rig.take_all(queue, kNow + 100), (Values{"b", "e"})) << "at its end it has passed";
  EXPECT_EQ(rig.info(queue, kNow + 100).messages(), 2U);
  EXPECT_EQ(rig.info(queue, kNow + 100).in_flight, 2U);
  rig.expect_sound();
}

TEST(Expiry, TakesNothingBeforeItsTime) {
  Rig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", 100}, {"c", {}, kNow + 50}});
  EXPECT_EQ(rig.take_all(queue, kNow + 49), (Values{"a", "c"}));
}

TEST(Expiry, HoldsForWhatComesBack) {
  Rig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", 100}, {"b", 100}});
  ASSERT_EQ(rig.take_all(queue, kNow), (Values{"a", "b"}));
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kNack), kNow + 60));
  EXPECT_EQ(rig.take_all(queue, kNow + 100), Values());
  EXPECT_EQ(rig.info(queue, kNow + 100).messages(), 0U);
  EXPECT_EQ(rig.info(queue, kNow + 100).bytes, 0U);
  rig.expect_sound();
}

TEST(Expiry, DoesNotTakeFromWhoHoldsIt) {
  Rig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a", 100}});
  ASSERT_EQ(rig.take_all(queue, kNow), Values{"a"});
  EXPECT_EQ(rig.take_all(queue, kNow + 500), Values()) << "its life is over, and its lease is not";
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kAck), kNow + 500));
}

TEST(Expiry, OfAllMessagesIsRefusedAtTheDoor) {
  Rig rig;
  const QueueId queue = rig.create();
  SendBatch late = a_batch_of(queue, {{"a", {}, kNow}, {"b", {}, kNow - 1}});
  EXPECT_EQ(rig.decide(late, kNow).error().code, Errc::kMessageExpired);
  rig.send(queue, {{"a", {}, kNow}, {"b"}});
  EXPECT_EQ(rig.take_all(queue, kNow), Values{"b"});
}

TEST(Expiry, GoesToTheDeadLetterQueueWhereThatIsAskedFor) {
  Rig rig;
  const QueueId dead = rig.create_queue("dead");
  QueueSettings settings;
  settings.dead_letter_queue = "dead";
  settings.dead_letter_expired = 1;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a", 100, kNow + 100}, {"b"}, {"c", 100}});
  EXPECT_EQ(rig.take_all(queue, kNow + 100), Values{"b"});
  EXPECT_EQ(rig.info(queue, kNow + 100).dying, 2U);
  rig.expect_sound();
  while (const auto records = rig.dead_letters(queue, kNow + 200)) {
    rig.apply(*records);
  }
  EXPECT_EQ(rig.info(queue, kNow + 200).dying, 0U);
  EXPECT_EQ(rig.info(dead, kNow + 200).ready, 2U);
  const CachedBatch* batch = rig.batches.find(proto::LogId{dead.value}, 0);
  ASSERT_NE(batch, nullptr);
  const proto::RecordView record = record_at(*batch, 0);
  const auto header = [&](std::string_view name) {
    const auto it = std::ranges::find(record.headers, name, &proto::Header::key);
    return it != record.headers.end() ? std::string(it->value.value()) : "none";
  };
  EXPECT_EQ(header(kHeaderDeadReason), "expired");
  EXPECT_EQ(header(proto::kHeaderTtl), "none") << "it would be gone from there at once";
  EXPECT_EQ(header(proto::kHeaderDeadline), "none");
  EXPECT_EQ(rig.take_all(dead, kNow + 1000).size(), 2U);
}

// Whoever asks for them wants them, though they lay there for long.
TEST(Retention, LeavesWhatWasUnparked) {
  Rig rig;
  QueueSettings settings;
  settings.retention_ms = 60'000;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a"}, {"b", 200'000}});
  ASSERT_EQ(rig.take_all(queue, kNow).size(), 2U);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kPoison), kNow));
  rig.retain(queue, kNow + 100'000);
  ASSERT_EQ(rig.info(queue, kNow + 100'000).parked, 2U);
  rig.apply(Record{Unparked{{queue, 0, 1, 0, 2}, kNow + 100'000}});
  rig.retain(queue, kNow + 100'000);
  rig.expect_sound();
  ASSERT_EQ(rig.take_all(queue, kNow + 100'000), (Values{"a", "b"}));
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kRelease), kNow + 100'000));
  rig.retain(queue, kNow + 300'000);
  EXPECT_EQ(rig.take_all(queue, kNow + 300'000), Values{"a"}) << "its own words hold all the same";
}

TEST(Retention, FindsWhatLiesBehindMuchThatIsKept) {
  Rig rig;
  QueueSettings settings;
  settings.retention_ms = 60'000;
  const QueueId queue = rig.create(settings);
  for (int i = 0; i < 200; ++i) {
    rig.send(queue, {{"kept"}});
    ASSERT_EQ(rig.take_all(queue, kNow).size(), 1U);
    EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kPoison), kNow));
  }
  rig.send(queue, {{"goes"}});
  ASSERT_EQ(rig.take_all(queue, kNow).size(), 1U);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kRelease), kNow));
  rig.retain(queue, kNow + 60'000);
  EXPECT_EQ(rig.info(queue, kNow + 60'000).messages(), 200U);
  EXPECT_EQ(rig.info(queue, kNow + 60'000).parked, 200U);
}

TEST(Expiry, LetsNoMoreDieThanIsGoodForMemory) {
  Rig rig;
  rig.create_queue("dead");
  QueueSettings settings;
  settings.dead_letter_queue = "dead";
  settings.dead_letter_expired = 1;
  const QueueId queue = rig.create(settings);
  for (int i = 0; i < 100; ++i) {
    rig.send(queue, {{"a", 100}});
  }
  EXPECT_EQ(rig.take_all(queue, kNow + 100), Values());
  EXPECT_EQ(rig.info(queue, kNow + 100).dying, 16U);
}

// Who had it once has a receipt that is over, not one that never was.
TEST(Expiry, KnowsTheReceiptsOfWhatIsOnItsWay) {
  Rig rig;
  rig.create_queue("dead");
  QueueSettings settings;
  settings.dead_letter_queue = "dead";
  settings.dead_letter_expired = 1;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a", 100}});
  ASSERT_EQ(rig.take_all(queue, kNow), Values{"a"});
  const Delivery held = rig.last;
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(held, SettleKind::kRelease), kNow + 10));
  ASSERT_EQ(rig.take_all(queue, kNow + 100), Values());
  ASSERT_EQ(rig.info(queue, kNow + 100).dying, 1U);
  EXPECT_EQ(rig.outcome(queue, CoreRig::range(held, SettleKind::kNack), kNow + 110),
            Errc::kReceiptExpired);
}

TEST(Expiry, OutlivesARestart) {
  Rig rig;
  rig.create_queue("dead");
  QueueSettings settings;
  settings.dead_letter_queue = "dead";
  settings.dead_letter_expired = 1;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a", 100}, {"b"}});
  rig.take_all(queue, kNow + 100);
  storage::MemoryStore store;
  rig.commit(store);
  ShardState again(100);
  ASSERT_TRUE(again.restore(*store.snapshot()));
  const auto& batches = again.queue(queue)->touched_batches();
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_TRUE(batches.begin()->second.run_at(0)->is_expired);
  EXPECT_EQ(batches.begin()->second.run_at(0)->state, RunState::kDying);
}

TEST(Retention, TakesWhatIsTooOldThoughNobodyAsks) {
  Rig rig;
  QueueSettings settings;
  settings.retention_ms = 60'000;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a"}, {"b"}}, kNow);
  rig.send(queue, {{"c"}}, kNow + 1'000);
  ASSERT_EQ(rig.state.by_retention().begin()->first, kNow + 60'000);
  rig.retain(queue, kNow + 59'999);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 3U);
  rig.retain(queue, kNow + 60'000);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 1U);
  ASSERT_EQ(rig.state.by_retention().begin()->first, kNow + 61'000);
  rig.retain(queue, kNow + 61'000);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 0U);
  EXPECT_EQ(rig.info(queue, kNow).bytes, 0U);
  EXPECT_TRUE(rig.state.by_retention().empty());
  rig.expect_sound();
}

TEST(Retention, LeavesWhatIsHeldAndTakesItWhenItComesBack) {
  Rig rig;
  QueueSettings settings;
  settings.retention_ms = 60'000;
  settings.lease_ms = 100'000;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a"}, {"b"}, {"c"}});
  const auto held = rig.take(queue, 2, kNow);
  rig.retain(queue, kNow + 60'000);
  EXPECT_EQ(rig.info(queue, kNow + 60'000).messages(), 2U);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(*held, SettleKind::kNack), kNow + 500));
  rig.retain(queue, kNow + 60'001);
  EXPECT_EQ(rig.info(queue, kNow + 60'001).messages(), 0U);
  rig.expect_sound();
}

TEST(Retention, OfADeadLetterCountsFromWhenItDied) {
  Rig rig;
  QueueSettings of_dead;
  of_dead.retention_ms = 60'000;
  const QueueId dead = rig.create_queue("dead", of_dead);
  const QueueId queue = rig.create({.max_receive_count = 1, .dead_letter_queue = "dead"});
  rig.send(queue, {{"a"}});
  ASSERT_EQ(rig.take_all(queue, kNow), Values{"a"});
  rig.settle(queue, CoreRig::range(rig.last, SettleKind::kNack), kNow);
  rig.apply(*rig.dead_letters(queue, kNow + 50'000));
  rig.retain(dead, kNow + 109'999);
  EXPECT_EQ(rig.info(dead, kNow).messages(), 1U);
  rig.retain(dead, kNow + 110'000);
  EXPECT_EQ(rig.info(dead, kNow).messages(), 0U);
}

TEST(Retention, KeepsWhatIsParked) {
  Rig rig;
  QueueSettings settings;
  settings.retention_ms = 60'000;
  settings.max_receive_count = 1;
  const QueueId queue = rig.create(settings);
  rig.send(queue, {{"a"}});
  rig.take_all(queue, kNow);
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(rig.last, SettleKind::kNack), kNow + 10));
  ASSERT_EQ(rig.info(queue, kNow).parked, 1U);
  rig.retain(queue, kNow + 100'000);
  EXPECT_EQ(rig.info(queue, kNow).parked, 1U);
}

TEST(Retention, CountsFromWhenAMessageIsReady) {
  Rig rig;
  QueueSettings settings;
  settings.retention_ms = 60'000;
  const QueueId queue = rig.create(settings);
  rig.send_delayed(queue, {"a"}, {50'000});
  rig.move_due(queue, kNow + 50'000);
  rig.retain(queue, kNow + 109'999);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 1U);
  rig.retain(queue, kNow + 110'000);
  EXPECT_EQ(rig.info(queue, kNow).messages(), 0U);
}

TEST(Retention, CanBeChangedForWhatIsThere) {
  Rig rig;
  const QueueId queue = rig.create();
  rig.send(queue, {{"a"}});
  EXPECT_TRUE(rig.state.by_retention().empty());
  UpdateQueue update{"default", "work", {}};
  update.changes.retention_ms = 60'000;
  rig.apply(Record{*rig.state.decide(update).value().record});
  ASSERT_EQ(rig.state.by_retention().begin()->first, kNow + 60'000);
  update.changes.retention_ms = 0;
  rig.apply(Record{*rig.state.decide(update).value().record});
  EXPECT_TRUE(rig.state.by_retention().empty());
  update.changes.retention_ms = 59'999;
  EXPECT_EQ(rig.state.decide(update).error().code, Errc::kInvalidArgument);
}

}  // namespace
}  // namespace weir::core
