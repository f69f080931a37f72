#include "broker/core/rebuilt_batch.hpp"
#include "proto/handle.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::core {
namespace {

using proto::Errc;
using proto::QueueId;
using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::Rng;
using test::values_of;

using Texts = std::vector<std::string>;

std::string_view header(const proto::RecordView& record, std::string_view name) {
  const auto it = std::ranges::find(record.headers, name, &proto::Header::key);
  return it != record.headers.end() ? it->value.value_or("") : std::string_view();
}

/// A queue, its dead-letter queue, and another one.
struct RedriveTest : testing::Test {
  RedriveTest() {
    dead = rig.create_queue("dead", {1000, 1, ""});
    work = rig.create_queue("work", {1000, 1, "dead"});
    other = rig.create_queue("other");
    rig.commit(store);
  }
  /// Every message of the queue fails, and is moved to where its queue says.
  void let_die(QueueId queue) {
    while (const auto held = rig.take(queue, 100, kNow)) {
      rig.settle(queue, CoreRig::range(*held, SettleKind::kNack), kNow);
    }
    while (const auto step = rig.dead_letters(queue, kNow)) {
      rig.apply(*step);
    }
    rig.commit(store);
  }
  void crash() {
    rig.state = ShardState(100);
    ASSERT_TRUE(rig.state.restore(*store.snapshot()));
  }
  /// Messages that are in the queue, in the order of their offsets.
  [[nodiscard]] std::vector<proto::RecordView> messages(QueueId id) const {
    std::vector<proto::RecordView> found;
    const Queue& queue = *rig.state.queue(id);
    for (proto::Offset at = 0; at < queue.counters().next_offset; ++at) {
      const CachedBatch* batch = rig.batches.find(proto::LogId{id.value}, at);
      const TouchedBatch* touched = queue.touched(batch->base_offset);
      const auto index = static_cast<std::uint32_t>(at - batch->base_offset);
      if (touched != nullptr ? !touched->acked(index) : at >= queue.counters().cursor) {
        found.push_back(record_at(*batch, index));
      }
    }
    return found;
  }
  [[nodiscard]] Texts values(QueueId id) const {
    Texts texts;
    for (const proto::RecordView& record : messages(id)) {
      texts.emplace_back(*record.value);
    }
    return texts;
  }
  proto::Result<RedriveChanged> start(StartRedrive command) {
    command.name_space = "default";
    auto record = rig.state.decide(command, kNow);
    if (record) {
      rig.apply(Record{*record});
      rig.commit(store);
    }
    return record;
  }
  /// One step as one unit; false when there is none.
  bool step(QueueId queue, proto::TimeMs now = kNow) {
    const auto decided = rig.state.decide_redrive(queue, 0, rig.batches, now);
    const auto* records = std::get_if<ShardState::Records>(&decided);
    if (records == nullptr) {
      return false;
    }
    rig.apply(*records);
    rig.commit(store);
    expect_same_after_restore(rig, store, now);
    return true;
  }
  const Redrive& run(QueueId queue) {
    for (int i = 0; i < 1000 && step(queue); ++i) {
    }
    return *rig.state.redrives().find(queue);
  }

  CoreRig rig;
  storage::MemoryStore store;
  QueueId dead;
  QueueId work;
  QueueId other;
};

TEST_F(RedriveTest, BringsMessagesBackToWhereTheyDied) {
  rig.send(work, values_of(3, "a"));
  rig.send(work, values_of(2, "b"));
  let_die(work);
  ASSERT_EQ(values(dead), (Texts{"a0", "a1", "a2", "b0", "b1"}));
  const std::string id(header(messages(dead)[3], kHeaderId));
  ASSERT_TRUE(start({.name = "dead"}));
  const Redrive& done = run(dead);
  EXPECT_EQ(done.state, RedriveState::kDone);
  EXPECT_EQ(done.moved, 5U);
  EXPECT_EQ(done.skipped, 0U);
  EXPECT_EQ(values(work), (Texts{"a0", "a1", "a2", "b0", "b1"})) << "in their order";
  EXPECT_EQ(rig.info(dead, kNow).messages(), 0U);
  EXPECT_EQ(rig.info(dead, kNow).bytes, 0U);
  const proto::RecordView message = messages(work)[3];
  EXPECT_EQ(header(message, kHeaderId), id) << "it is the same message";
  EXPECT_EQ(message.headers.size(), 1U) << "nothing tells any more how it died";
  const Delivery again = *rig.take(work, 10, kNow);
  EXPECT_EQ(again.attempts, 0U);
  rig.settle(work, CoreRig::range(again, SettleKind::kNack), kNow);
  while (const auto step = rig.dead_letters(work, kNow)) {
    rig.apply(*step);
  }
  EXPECT_EQ(header(messages(dead)[0], kHeaderDeadAttempts), "1");
}

TEST_F(RedriveTest, GoesToTheQueueThatIsNamed) {
  rig.send(dead, {"sent here", "and here"});
  ASSERT_TRUE(start({.name = "dead", .target = "other"}));
  EXPECT_EQ(run(dead).moved, 2U);
  EXPECT_EQ(values(other), (Texts{"sent here", "and here"}));
  EXPECT_EQ(header(messages(other)[1], kHeaderId),
            proto::message_id(rig.state.identity().incarnation, dead.value, 1));
}

TEST_F(RedriveTest, LeavesWhatHasNowhereToGoOrIsInSomebodysHands) {
  rig.send(dead, {"nobody's"});
  rig.send(work, values_of(2));
  let_die(work);
  rig.send(dead, {"held"});
  (void)*rig.take(dead, 1, kNow);
  const Delivery held = *rig.take(dead, 1, kNow);
  ASSERT_TRUE(start({.name = "dead"}));
  const Redrive& done = run(dead);
  EXPECT_EQ(done.moved, 1U);
  EXPECT_EQ(done.skipped, 3U);
  EXPECT_EQ(values(work), (Texts{"v1"}));
  EXPECT_EQ(values(dead), (Texts{"nobody's", "v0", "held"}));
  EXPECT_FALSE(rig.outcome(dead, CoreRig::range(held, SettleKind::kAck), kNow));
  EXPECT_EQ(rig.take(dead, 10, kNow)->base_offset, 3) << "passed by, and ready as before";
}

TEST_F(RedriveTest, DoesNotTakeWhatDiesLater) {
  rig.send(work, {"early"});
  let_die(work);
  ASSERT_TRUE(start({.name = "dead"}));
  rig.send(work, {"late"});
  let_die(work);
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(dead), (Texts{"late"}));
}

TEST_F(RedriveTest, TakesWhatItsFilterSays) {
  for (const char* value : {"a", "b", "c"}) {
    rig.send(work, {value});
    const Delivery held = *rig.take(work, 1, kNow);
    rig.settle(work, CoreRig::range(held, *value == 'b' ? SettleKind::kPoison : SettleKind::kNack),
               kNow);
    rig.apply(*rig.dead_letters(work, kNow + *value));
  }
  rig.commit(store);
  StartRedrive asked{.name = "dead", .dry_run = true, .filter = {.reason = "poison"}};
  ASSERT_TRUE(start(asked));
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(dead), (Texts{"a", "b", "c"})) << "only counted";
  EXPECT_EQ(rig.info(dead, kNow).ready, 3U);
  EXPECT_EQ(rig.state.queue(dead)->counters().cursor, 0);
  asked.dry_run = false;
  ASSERT_TRUE(start(asked));
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(work), (Texts{"b"}));
  EXPECT_EQ(values(dead), (Texts{"a", "c"}));
  ASSERT_TRUE(start({.name = "dead", .filter = {.died_before = kNow + 'a'}}));
  EXPECT_EQ(run(dead).moved, 0U) << "before is not at";
  ASSERT_TRUE(start({.name = "dead", .filter = {.died_after = kNow + 'c'}}));
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(work), (Texts{"b", "c"}));
  ASSERT_TRUE(
      start({.name = "dead", .filter = {.header = "weir.dead-from", .header_value = "elsewhere"}}));
  EXPECT_EQ(run(dead).moved, 0U);
  ASSERT_TRUE(start({.name = "dead", .filter = {.key = "none has it"}}));
  EXPECT_EQ(run(dead).moved, 0U);
  ASSERT_TRUE(
      start({.name = "dead", .filter = {.header = "weir.dead-from", .header_value = "work"}}));
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(dead), Texts());
}

TEST_F(RedriveTest, TakesTheMessagesOfAKey) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (const auto& [key, value] : {std::pair("k", "a"), std::pair("l", "b"), std::pair("k", "c")}) {
    proto::RecordInput record;
    record.key = key;
    record.value = value;
    builder.add(record);
  }
  SendBatch batch = test::send_of(proto::LogId{work.value}, builder);
  rig.apply(Record{*rig.decide(batch, kNow).value().record});
  let_die(work);
  ASSERT_TRUE(start({.name = "dead", .filter = {.key = "k"}}));
  EXPECT_EQ(run(dead).moved, 2U);
  EXPECT_EQ(values(work), (Texts{"a", "c"}));
  EXPECT_EQ(values(dead), Texts{"b"});
}

TEST_F(RedriveTest, TakesTheMessageOfAnId) {
  rig.send(work, values_of(3), kNow);
  let_die(work);
  const std::string id(header(messages(dead).at(1), kHeaderId));
  EXPECT_EQ(id, proto::message_id(1, work.value, 1)) << "its first home";
  ASSERT_TRUE(start({.name = "dead", .filter = {.message_id = id}}));
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(work), Texts{"v1"});
  // And where it has no other home yet.
  rig.send(other, values_of(2), kNow);
  ASSERT_TRUE(start({.name = "other",
                     .target = "work",
                     .filter = {.message_id = proto::message_id(1, other.value, 1)}}));
  EXPECT_EQ(run(other).moved, 1U);
  EXPECT_EQ(values(other), Texts{"v0"});
}

TEST_F(RedriveTest, DropsForGood) {
  rig.send(work, values_of(4), kNow);
  let_die(work);
  const auto held = *rig.take(dead, 1, kNow);
  StartRedrive asked{.name = "dead", .dry_run = true, .drop = true};
  ASSERT_TRUE(start(asked));
  EXPECT_EQ(run(dead).moved, 3U);
  EXPECT_EQ(values(dead).size(), 4U) << "it only counts";
  asked.dry_run = false;
  asked.filter.message_id = proto::message_id(1, work.value, 2);
  ASSERT_TRUE(start(asked));
  EXPECT_EQ(run(dead).moved, 1U);
  EXPECT_EQ(values(dead), (Texts{"v0", "v1", "v3"}));
  asked.filter = {};
  ASSERT_TRUE(start(asked));
  EXPECT_EQ(run(dead).moved, 2U);
  EXPECT_EQ(run(dead).skipped, 1U) << "somebody has it";
  EXPECT_EQ(values(dead), Texts{"v0"});
  rig.settle(dead, CoreRig::range(held, SettleKind::kAck), kNow);
  rig.commit(store);
  EXPECT_EQ(rig.state.queue(dead)->counters().bytes, 0U);
  EXPECT_TRUE(values(work).empty()) << "it went nowhere";
}

TEST_F(RedriveTest, DropsParkedMessages) {
  rig.send(dead, values_of(3), kNow);
  const auto failed = *rig.take(dead, 2, kNow);
  rig.settle(dead, CoreRig::range(failed, SettleKind::kNack), kNow);
  rig.commit(store);
  ASSERT_TRUE(start({.name = "dead", .parked = true, .drop = true}));
  EXPECT_EQ(run(dead).moved, 2U);
  EXPECT_EQ(values(dead), Texts{"v2"}) << "what is not parked stays";
}

TEST_F(RedriveTest, TakesAttemptsAlongWhereThatIsAsked) {
  rig.send(work, values_of(1), kNow);
  let_die(work);
  ASSERT_TRUE(start({.name = "dead", .keep_attempts = true}));
  run(dead);
  const proto::RecordView back = messages(work).at(0);
  EXPECT_EQ(header(back, kHeaderPastAttempts), "1");
  EXPECT_EQ(header(back, kHeaderPastFailures), "1");
  EXPECT_EQ(header(back, kHeaderDeadFrom), "") << "it lives";
  let_die(work);
  const proto::RecordView again = messages(dead).at(0);
  EXPECT_EQ(header(again, kHeaderDeadAttempts), "2");
  EXPECT_EQ(header(again, kHeaderDeadFailures), "2");
  EXPECT_EQ(header(again, kHeaderPastAttempts), "");
  ASSERT_TRUE(start({.name = "dead"}));
  run(dead);
  EXPECT_EQ(header(messages(work).at(0), kHeaderPastAttempts), "") << "it begins anew";
}

TEST_F(RedriveTest, ChangesHeadersOnTheWay) {
  rig.send(work, {"a"}, kNow);
  let_die(work);
  StartRedrive asked{.name = "dead", .headers = {{{"colour", "red"}, {"size", "1"}}, {"none"}}};
  ASSERT_TRUE(start(asked));
  run(dead);
  EXPECT_EQ(header(messages(work).at(0), "colour"), "red");
  let_die(work);
  asked.headers = {{{"colour", "blue"}}, {"size"}};
  ASSERT_TRUE(start(asked));
  run(dead);
  const proto::RecordView back = messages(work).at(0);
  EXPECT_EQ(header(back, "colour"), "blue");
  EXPECT_EQ(std::ranges::count(back.headers, "colour", &proto::Header::key), 1);
  EXPECT_EQ(header(back, "size"), "");
  EXPECT_EQ(header(back, kHeaderId), proto::message_id(1, work.value, 0));
}

TEST_F(RedriveTest, MovesNoMoreThanItsRateAndItsMost) {
  rig.send(work, values_of(10));
  let_die(work);
  ASSERT_TRUE(start({.name = "dead", .max_messages = 7, .rate = 3}));
  EXPECT_TRUE(step(dead, kNow));
  EXPECT_EQ(values(work).size(), 3U);
  EXPECT_FALSE(step(dead, kNow + 999));
  EXPECT_EQ(rig.state.redrives().find(dead)->next_time(), kNow + 1000);
  crash();
  EXPECT_FALSE(step(dead, kNow + 999)) << "a crash earns nothing";
  EXPECT_TRUE(step(dead, kNow + 1000));
  EXPECT_EQ(values(work).size(), 6U);
  EXPECT_TRUE(step(dead, kNow + 9000));
  EXPECT_EQ(values(work), values_of(7)) << "what was not used up is gone";
  EXPECT_EQ(rig.state.redrives().find(dead)->state, RedriveState::kDone);
  EXPECT_EQ(values(dead), (Texts{"v7", "v8", "v9"}));
}

TEST_F(RedriveTest, MakesParkedMessagesReadyWithACleanSlate) {
  rig.send(dead, values_of(4));
  const Delivery first = *rig.take(dead, 3, kNow);
  rig.settle(dead, CoreRig::range(first, SettleKind::kPoison), kNow);
  ASSERT_EQ(rig.info(dead, kNow).parked, 3U);
  ASSERT_TRUE(start({.name = "dead", .parked = true}));
  EXPECT_EQ(run(dead).moved, 3U);
  EXPECT_EQ(rig.info(dead, kNow).parked, 0U);
  EXPECT_EQ(rig.info(dead, kNow).ready, 4U);
  const Delivery again = *rig.take(dead, 10, kNow);
  EXPECT_EQ(again.count, 3U);
  EXPECT_EQ(again.attempts, 1U) << "its history stays";
  EXPECT_EQ(again.failures, 0U);
  rig.settle(dead, CoreRig::range(again, SettleKind::kTransient), kNow);
  EXPECT_EQ(rig.info(dead, kNow).ready, 4U) << "nobody's poison any more";
}

TEST_F(RedriveTest, MovesParkedMessagesOfADeadLetterQueueAsWell) {
  rig.send(work, values_of(2));
  let_die(work);
  let_die(dead);
  ASSERT_EQ(rig.info(dead, kNow).parked, 2U);
  ASSERT_TRUE(start({.name = "dead"}));
  EXPECT_EQ(run(dead).moved, 2U);
  EXPECT_EQ(values(work), values_of(2));
  EXPECT_EQ(rig.info(dead, kNow).messages(), 0U);
  const std::string prefix = storage::object_prefix(storage::KeyKind::kAttempt, dead.value);
  EXPECT_FALSE(store.snapshot()
                   ->scan(storage::Family::kState, prefix, storage::prefix_end(prefix), {})
                   ->valid())
      << "the history went with them";
}

TEST_F(RedriveTest, EndsWithThePurgeOrTheTarget) {
  rig.send(dead, values_of(2));
  ASSERT_TRUE(start({.name = "dead", .target = "other"}));
  rig.apply(Record{QueuePurged{dead}});
  rig.send(dead, {"later"});
  rig.commit(store);
  EXPECT_EQ(run(dead).state, RedriveState::kFailed);
  EXPECT_EQ(run(dead).why, "the queue was purged");
  EXPECT_EQ(values(dead), (Texts{"later"}));
  ASSERT_TRUE(start({.name = "dead", .target = "other"}));
  rig.apply(rig.state.decide(DeleteQueue{"default", "other"}).value());
  rig.commit(store);
  EXPECT_EQ(run(dead).why, "the queue it goes to was deleted");
  EXPECT_EQ(values(dead), (Texts{"later"}));
}

TEST_F(RedriveTest, GoesWithItsSource) {
  rig.send(dead, values_of(2));
  ASSERT_TRUE(start({.name = "dead", .target = "other"}));
  rig.apply(rig.state.decide(DeleteQueue{"default", "dead", true}).value());
  rig.commit(store);
  EXPECT_EQ(rig.state.redrives().find(dead), nullptr);
  EXPECT_TRUE(rig.state.redrives().running().empty());
  expect_same_after_restore(rig, store, kNow);
}

TEST_F(RedriveTest, KeepsWhatWasMovedWhenItIsCancelled) {
  rig.send(work, values_of(1, "a"));
  rig.send(work, values_of(1, "b"));
  let_die(work);
  ASSERT_TRUE(start({.name = "dead"}));
  ASSERT_TRUE(step(dead));
  rig.apply(Record{rig.state.decide(CancelRedrive{"default", "dead"}, kNow).value()});
  rig.commit(store);
  EXPECT_FALSE(step(dead));
  EXPECT_EQ(rig.state.redrives().find(dead)->state, RedriveState::kCancelled);
  EXPECT_EQ(values(work), (Texts{"a0"}));
  EXPECT_EQ(values(dead), (Texts{"b0"}));
  ASSERT_TRUE(start({.name = "dead"})) << "another one may begin";
  EXPECT_EQ(run(dead).moved, 1U);
}

TEST_F(RedriveTest, RefusesWhatMakesNoSense) {
  const auto code = [&](StartRedrive command) { return start(std::move(command)).error().code; };
  EXPECT_EQ(code({.name = "none"}), Errc::kQueueNotFound);
  EXPECT_EQ(code({.name = "dead", .target = "none"}), Errc::kQueueNotFound);
  EXPECT_EQ(code({.name = "dead", .target = "dead"}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .target = "work", .parked = true}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .filter = {.header_value = "v"}}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .filter = {.died_after = -1}}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .filter = {.message_id = "1"}}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .target = "work", .drop = true}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .drop = true, .keep_attempts = true}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .parked = true, .headers = {{}, {"a"}}}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .headers = {{{"weir.id", "x"}}, {}}}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .headers = {{}, {""}}}), Errc::kInvalidArgument);
  EXPECT_EQ(code({.name = "dead", .headers = {{{"a", std::string(4096, 'v')}}, {}}}),
            Errc::kLimitExceeded);
  EXPECT_EQ(code({.name = "dead", .filter = {.key = std::string(4097, 'k')}}),
            Errc::kLimitExceeded);
  EXPECT_EQ(rig.state.decide(CancelRedrive{"default", "dead"}, kNow).error().code,
            Errc::kInvalidArgument);
  rig.send(dead, values_of(1));
  ASSERT_TRUE(start({.name = "dead"}));
  EXPECT_EQ(code({.name = "dead"}), Errc::kInUse);
}

TEST_F(RedriveTest, SettlementsOfPassedMessagesAreOfNobody) {
  rig.send(dead, values_of(2));
  ASSERT_TRUE(start({.name = "dead"}));
  EXPECT_EQ(run(dead).skipped, 2U);
  proto::SettleRange invented;
  invented.kind = SettleKind::kAck;
  invented.count = 2;  // of grant 0, which nobody has
  EXPECT_EQ(rig.outcome(dead, invented, kNow), Errc::kReceiptInvalid);
}

TEST_F(RedriveTest, RefusesRowsThatCannotBe) {
  rig.send(dead, values_of(2));
  ASSERT_TRUE(start({.name = "dead"}));
  const Redrive good = *rig.state.redrives().find(dead);
  const auto put = [&](std::uint64_t key, const std::string& value) {
    storage::WriteBatch rows;
    rows.put(storage::Family::kState, storage::object_key(storage::KeyKind::kRedrive, key), value);
    const std::array<const storage::WriteBatch*, 1> all = {&rows};
    store.commit(all).value();
    ShardState again(100);
    return std::pair(again.restore(*store.snapshot()).has_value(),
                     test::check_rows(store).has_value());
  };
  const std::pair<bool, bool> refused(false, false);
  EXPECT_EQ(put(dead.value, "damaged"), refused);
  Redrive of_another = good;
  of_another.source = other;
  EXPECT_EQ(put(dead.value, rows::encode(of_another)), refused);
  Redrive at_the_end_of_time = good;  // there is no second behind it
  at_the_end_of_time.rate = at_the_end_of_time.moved_in_second = 1;
  at_the_end_of_time.second_time = INT64_MAX;
  EXPECT_EQ(put(dead.value, rows::encode(at_the_end_of_time)), refused);
  Redrive too_far = good;
  too_far.end = 3;
  EXPECT_EQ(put(dead.value, rows::encode(too_far)), std::pair(true, false))
      << "that end is behind the queue's";
  EXPECT_EQ(put(dead.value, rows::encode(good)), std::pair(true, true));
  Redrive of_nobody = good;
  of_nobody.source = proto::QueueId{77};
  EXPECT_EQ(put(77, rows::encode(of_nobody)), refused);
}

// Whatever becomes of the queues meanwhile, and however often the broker dies: every message is in
// one place.
TEST_F(RedriveTest, LosesAndDoublesNothing) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Texts all = values(work);
    for (const QueueId queue : {dead, other}) {
      const Texts more = values(queue);
      all.insert(all.end(), more.begin(), more.end());
    }
    for (std::uint32_t i = 0; i < 4; ++i) {
      const Texts sent =
          values_of(1 + rng.below(5), std::to_string(seed) + "-" + std::to_string(i));
      rig.send(rng.one_in(4) ? dead : work, sent);
      all.insert(all.end(), sent.begin(), sent.end());
    }
    std::sort(all.begin(), all.end());
    if (rng.one_in(2)) {
      let_die(work);
    }
    StartRedrive asked{.name = rng.one_in(4) ? "work" : "dead"};
    asked.parked = rng.one_in(5);
    asked.target = asked.name == "work" || rng.one_in(3) ? "other" : "";
    asked.target = asked.parked ? "" : asked.target;
    asked.max_messages = rng.below(8);
    const QueueId source = asked.name == "work" ? work : dead;
    ASSERT_TRUE(start(asked));
    for (int i = 0; i < 200 && rig.state.redrives().find(source)->is_running(); ++i) {
      switch (rng.below(4)) {
        case 0:
          if (const auto held = rig.take(source, 1 + rng.below(3), kNow)) {
            rig.settle(
                source,
                CoreRig::range(*held, rng.one_in(2) ? SettleKind::kNack : SettleKind::kRelease),
                kNow);
          }
          break;
        case 1:
          rig.commit(store);
          crash();
          break;
        default:
          // A unit that was decided and never committed has not happened.
          if (rng.one_in(4)) {
            rig.commit(store);
            const auto lost = rig.state.decide_redrive(source, 0, rig.batches, kNow);
            Queue::Effects effects;
            if (const auto* records = std::get_if<ShardState::Records>(&lost)) {
              for (const Record& record : *records) {
                rig.state.apply(record, effects);
              }
            }
            crash();
          }
          rig.commit(store);
          step(source);
      }
      Texts now = values(work);
      for (const QueueId queue : {dead, other}) {
        const Texts more = values(queue);
        now.insert(now.end(), more.begin(), more.end());
      }
      std::sort(now.begin(), now.end());
      ASSERT_EQ(now, all);
    }
    EXPECT_FALSE(rig.state.redrives().find(source)->is_running());
  }
}

}  // namespace
}  // namespace weir::core
