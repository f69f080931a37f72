#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gtest/gtest.h>

// What can be changed of a queue while it is in use, and what a pause stops.
namespace weir::core {
namespace {

using proto::Errc;
using proto::SettleKind;
using test::CoreRig;
using test::expect_same_after_restore;
using test::kNow;
using test::values_of;

UpdateQueue update_of(const std::string& name) {
  UpdateQueue update;
  update.name_space = "default";
  update.name = name;
  return update;
}

UpdateQueue pause_of(const std::string& name, std::optional<bool> receives,
                     std::optional<bool> sends) {
  UpdateQueue update = update_of(name);
  update.changes.receives_paused = receives;
  update.changes.sends_paused = sends;
  return update;
}

UpdateQueue target_of(const std::string& name, const std::string& target) {
  UpdateQueue update = update_of(name);
  update.changes.dead_letter_queue = target;
  return update;
}

std::vector<SettingChange> apply_update(CoreRig& rig, const UpdateQueue& update) {
  const auto decision = rig.state.decide(update).value();
  EXPECT_EQ(decision.record.has_value(), !decision.changes.empty());
  if (decision.record) {
    rig.apply(Record{*decision.record});
  }
  return decision.changes;
}

Errc refused_with(const CoreRig& rig, const UpdateQueue& update) {
  return rig.state.decide(update).error().code;
}

TEST(Update, ChangesWhatIsNamedAndTellsTheDifference) {
  CoreRig rig;
  rig.create_queue("dead");
  const proto::QueueId queue = rig.create_queue("work", {500, 3, ""});
  UpdateQueue update = target_of("work", "dead");
  update.changes.max_receive_count = 4;
  EXPECT_EQ(apply_update(rig, update),
            (std::vector<SettingChange>{{"max_receive_count", "3", "4"},
                                        {"dead_letter_queue", "", "dead"}}));
  const QueueInfo info = rig.info(queue, kNow);
  EXPECT_EQ(info.settings.lease_ms, 500) << "not named";
  EXPECT_EQ(info.settings.max_receive_count, 4U);
  EXPECT_EQ(info.settings.dead_letter_queue, "dead");
  EXPECT_TRUE(apply_update(rig, update).empty()) << "idempotent";
  storage::MemoryStore store;
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
}

TEST(Update, TakesZeroForTheDefault) {
  CoreRig rig;
  rig.create_queue("work", {500, 3, ""});
  UpdateQueue update = update_of("work");
  update.changes.lease_ms = 0;
  update.changes.max_receive_count = 0;
  EXPECT_EQ(apply_update(rig, update).size(), 2U);
  EXPECT_TRUE(rig.state.decide(CreateQueue{"default", "work", {}, {}}).value().empty());
}

TEST(Update, RefusesWhatNoQueueCanHave) {
  CoreRig rig;
  rig.create_queue("work");
  EXPECT_EQ(refused_with(rig, update_of("none")), Errc::kQueueNotFound);
  UpdateQueue update = update_of("work");
  update.changes.lease_ms = proto::kMaxLeaseMs + 1;
  EXPECT_EQ(refused_with(rig, update), Errc::kInvalidArgument);
  update = update_of("work");
  update.changes.max_receive_count = proto::kMaxReceiveCountLimit + 1;
  EXPECT_EQ(refused_with(rig, update), Errc::kInvalidArgument);
  EXPECT_EQ(refused_with(rig, target_of("work", "none")), Errc::kQueueNotFound);
  EXPECT_EQ(refused_with(rig, target_of("work", "work")), Errc::kInvalidArgument);
}

TEST(Update, FindsADeadLetterQueueInTheSameNamespaceAlone) {
  CoreRig rig;
  rig.create_queue("dead");
  rig.apply(rig.state.decide(CreateNamespace{"billing"}).value());
  const CreateQueue to_another{"billing", "work", {.dead_letter_queue = "dead"}, {}};
  EXPECT_EQ(rig.state.decide(to_another).error().code, Errc::kQueueNotFound);
}

TEST(Update, RefusesDeadLettersThatWouldComeBack) {
  CoreRig rig;
  rig.create_queue("c");
  rig.create_queue("b", {0, 0, "c"});
  rig.create_queue("a", {0, 0, "b"});
  const auto refused = rig.state.decide(target_of("c", "a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("'b' go to 'c'"), std::string::npos)
      << refused.error().message;
  apply_update(rig, target_of("b", ""));
  EXPECT_EQ(apply_update(rig, target_of("c", "a")).size(), 1U) << "the chain was opened";
}

TEST(Update, KeepsDeadLettersOfOthersOut) {
  CoreRig rig;
  rig.create_queue("failed");
  rig.create_queue("mail", {0, 0, "failed"});
  rig.create_queue("order-1");
  const auto allow = [](const std::string& patterns) {
    UpdateQueue update{"default", "failed", {}};
    update.changes.dead_letter_sources = patterns;
    return update;
  };
  apply_update(rig, allow("mail,order-?"));
  EXPECT_EQ(apply_update(rig, target_of("order-1", "failed")).size(), 1U);
  rig.create_queue("other");
  const auto refused = rig.state.decide(target_of("other", "failed"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("dead_letter_sources"), std::string::npos);
  const auto created = rig.state.decide(CreateQueue{"default", "new", {0, 0, "failed"}, {}});
  EXPECT_EQ(created.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(rig.state.decide(allow("mail")).error().code, Errc::kInUse) << "order-1 goes there";
  EXPECT_EQ(rig.state.decide(allow("!")).error().code, Errc::kInUse);
  apply_update(rig, target_of("order-1", ""));
  apply_update(rig, target_of("mail", ""));
  apply_update(rig, allow("!"));
  EXPECT_FALSE(rig.state.decide(target_of("mail", "failed"))) << "nobody's";
  for (const char* patterns : {",", "a,", "a b", "!,a", "ä"}) {
    EXPECT_EQ(rig.state.decide(allow(patterns)).error().code, Errc::kInvalidArgument) << patterns;
  }
  EXPECT_EQ(rig.state.decide(allow(std::string(4097, 'a'))).error().code, Errc::kInvalidArgument);
  storage::MemoryStore store;
  rig.commit(store);
  ShardState restored(100);
  ASSERT_TRUE(restored.restore(*store.snapshot()));
  const auto id = restored.catalog().queue("default", "failed");
  EXPECT_EQ(restored.queue(*id)->definition().settings.dead_letter_sources, "!");
}

TEST(Update, MovesWhatDiesToANewerQueue) {
  CoreRig rig;
  const proto::QueueId work = rig.create_queue("work", {1000, 1, ""});
  const proto::QueueId later = rig.create_queue("later");
  apply_update(rig, target_of("work", "later"));
  rig.send(work, values_of(2));
  const Delivery held = *rig.take(work, 2, kNow);
  rig.settle(work, CoreRig::range(held, SettleKind::kNack), kNow);
  rig.apply(*rig.dead_letters(work, kNow));
  EXPECT_EQ(rig.info(later, kNow).ready, 2U);
  storage::MemoryStore store;
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
}

TEST(Update, ParksWhatWasOnItsWayToAQueueThatIsNotMeantAnyMore) {
  CoreRig rig;
  rig.create_queue("dead");
  const proto::QueueId work = rig.create_queue("work", {1000, 1, "dead"});
  rig.send(work, values_of(3));
  const Delivery held = *rig.take(work, 3, kNow);
  rig.settle(work, CoreRig::range(held, SettleKind::kNack), kNow);
  EXPECT_EQ(rig.info(work, kNow).dying, 3U);
  apply_update(rig, target_of("work", ""));
  rig.apply(*rig.dead_letters(work, kNow));
  EXPECT_EQ(rig.info(work, kNow).dying, 0U);
  EXPECT_EQ(rig.info(work, kNow).parked, 3U);
  EXPECT_TRUE(rig.state.dying_queues().empty());
  storage::MemoryStore store;
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
}

TEST(Pause, HandsOutNothingWhileReceivesArePaused) {
  CoreRig rig;
  const proto::QueueId queue = rig.create_queue("work");
  rig.send(queue, values_of(4));
  const Delivery held = *rig.take(queue, 2, kNow);
  apply_update(rig, pause_of("work", true, std::nullopt));
  EXPECT_FALSE(rig.take(queue, 2, kNow));
  EXPECT_FALSE(rig.state.decide_page_in(queue, kNow));
  // Leases run on, and their messages can be settled.
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(held, SettleKind::kExtend, 5000), kNow));
  EXPECT_FALSE(rig.outcome(queue, CoreRig::range(held, SettleKind::kAck), kNow));
  EXPECT_EQ(rig.info(queue, kNow).ready, 2U);
  EXPECT_TRUE(rig.info(queue, kNow).pause.receives);
  rig.send(queue, values_of(1));
  apply_update(rig, pause_of("work", false, std::nullopt));
  EXPECT_EQ(rig.take(queue, 5, kNow)->count, 2U);
}

TEST(Pause, RefusesSendsButForThoseThatAreStored) {
  CoreRig rig;
  const proto::QueueId queue = rig.create_queue("work");
  const ProducerStarted producer = rig.start_producer();
  const proto::BatchBuilder::Producer idempotent{static_cast<std::int64_t>(producer.id.value), 0,
                                                 0};
  rig.send(queue, values_of(2), kNow, idempotent);
  apply_update(rig, pause_of("work", std::nullopt, true));
  SendBatch twice = test::a_batch(proto::LogId{queue.value}, values_of(2), idempotent);
  EXPECT_FALSE(rig.decide(twice, kNow)->record) << "a duplicate";
  SendBatch fresh = test::a_batch(proto::LogId{queue.value}, values_of(2));
  const auto refused = rig.decide(fresh, kNow);
  EXPECT_EQ(refused.error().code, Errc::kPaused);
  EXPECT_GT(refused.error().retry_after_ms, 0U);
  EXPECT_FALSE(fresh.stored.empty()) << "not taken, so not lost";
  EXPECT_TRUE(rig.take(queue, 2, kNow)) << "receives go on";
  apply_update(rig, pause_of("work", std::nullopt, false));
  EXPECT_TRUE(rig.decide(fresh, kNow)->record);
}

TEST(Pause, OutlastsARestart) {
  CoreRig rig;
  storage::MemoryStore store;
  const proto::QueueId queue = rig.create_queue("work");
  rig.send(queue, values_of(1));
  rig.commit(store);
  apply_update(rig, pause_of("work", true, true));
  rig.commit(store);
  expect_same_after_restore(rig, store, kNow);
  ShardState again(100);
  ASSERT_TRUE(again.restore(*store.snapshot()));
  EXPECT_EQ(again.info(*again.queue(queue), kNow).pause, (QueuePause{true, true}));
}

}  // namespace
}  // namespace weir::core
