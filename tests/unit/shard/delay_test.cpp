#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using test::kNow;
using test::Session;
using test::ShardRig;
using test::values_of;

constexpr proto::Offset kFirst = core::Queue::DelayLane::kFirstOffset;

struct DelayShardTest : testing::Test {
  DelayShardTest() { begin(); }
  void begin() {
    rig = std::make_unique<ShardRig>();
    client = {};
    rig->open(client);
    queue = rig->create_queue(client, "work");
  }
  void send(const std::vector<std::string>& values,
            const std::vector<std::optional<std::int64_t>>& delays_ms) {
    core::SendBatch batch = test::a_batch(LogId{queue.value}, values, {}, false, delays_ms);
    batch.send_number = ++sends;
    rig->shard.send(client.id, std::move(batch), 0);
  }
  void subscribe() {
    rig->ask(client, 5, core::Subscribe{"default", "work", 1, 60'000, 10'000, 1 << 20});
    rig->settle_down();
  }
  proto::Result<core::Reply> change(std::vector<std::string> ids,
                                    std::optional<std::int64_t> delay_ms) {
    rig->ask(client, 6, core::ChangeDelayed{"default", "work", std::move(ids), delay_ms});
    rig->settle_down();
    return client.replies.at(6);
  }
  [[nodiscard]] std::string id(proto::Offset place) const {
    return proto::message_id(1, queue.value, kFirst + place);
  }
  core::DelayedList list(const std::string& after, std::uint32_t max_messages) {
    rig->ask(client, 7, core::ListDelayed{"default", "work", after, max_messages});
    rig->settle_down();
    return client.reply<core::DelayedList>(7);
  }
  void restart() {
    rig->log.forget();
    rig->loader.waiting.clear();
    rig->posted.clear();
    ASSERT_TRUE(rig->shard.reset());
    client = {};
    rig->open(client);
  }

  std::unique_ptr<ShardRig> rig;
  Session client;
  proto::QueueId queue;
  std::uint64_t sends = 0;
};

TEST_F(DelayShardTest, HandsOutWhatIsDueAndNothingEarlier) {
  subscribe();
  send({"b", "a"}, {700, 300});
  rig->settle_down();
  ASSERT_EQ(client.sent.size(), 1U);
  EXPECT_EQ(client.sent[0].base_offset, kFirst);
  EXPECT_EQ(rig->timer, kNow + 300);
  rig->pass(299);
  EXPECT_EQ(client.delivered(), 0U);
  rig->pass(1);
  EXPECT_EQ(client.delivered(), 1U);
  EXPECT_EQ(rig->timer, kNow + 700);
  rig->pass(399);
  EXPECT_EQ(client.delivered(), 1U);
  rig->pass(1);
  EXPECT_EQ(client.delivered(), 2U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
  EXPECT_EQ(rig->info("work").in_flight, 2U);
}

TEST_F(DelayShardTest, HoldsNoCreditMeanwhile) {
  rig->ask(client, 5, core::Subscribe{"default", "work", 1, 60'000, 1, 1 << 20});
  send({"later"}, {1000});
  rig->settle_down();
  rig->send(client, LogId{queue.value}, ++sends, {"now"});
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 1U);
}

TEST_F(DelayShardTest, FindsWhatIsDueBehindARestart) {
  send({"a"}, {500});
  send({"b"}, {60'000});
  rig->settle_down();
  restart();
  rig->settle_down();
  EXPECT_EQ(rig->timer, kNow + 500);
  rig->now += 20'000;
  restart();
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 1U);
  EXPECT_EQ(rig->info("work").delayed, 1U);
  EXPECT_EQ(rig->timer, kNow + 60'000);
}

TEST_F(DelayShardTest, MovesEachMessageOnceWhereverTheBrokerDies) {
  for (int units = 0; units < 14; ++units) {
    SCOPED_TRACE(units);
    begin();
    for (int i = 0; i < 20; ++i) {
      send({"a", "b", "c"}, {100, 100 + i, 300});
    }
    rig->settle_down();
    rig->now += 200;
    rig->shard.on_timer();
    for (int i = 0; i < units; ++i) {
      rig->run();
      if (i % 3 == 0) {
        (void)rig->load_one();
      } else if (const auto index = rig->log.commit_one(); index && i + 1 < units) {
        rig->shard.on_committed(*index);
      }
    }
    restart();
    rig->settle_down();
    EXPECT_EQ(rig->info("work").ready, 40U);
    EXPECT_EQ(rig->info("work").delayed, 20U);
    EXPECT_TRUE(core::test::check_rows(rig->store));
  }
}

// Nothing that was put off while others were read is forgotten, and nothing is read twice while the
// store does not know that it is gone.
TEST_F(DelayShardTest, SeesWhatIsPutOffWhileItReads) {
  send({"a"}, {100});
  rig->settle_down();
  rig->now += 100;
  rig->shard.on_timer();
  rig->run();
  ASSERT_EQ(rig->loader.waiting.size(), 1U);
  send({"b"}, {5});
  rig->run();
  ASSERT_TRUE(rig->load_one());
  rig->now += 5;
  rig->shard.on_timer();
  rig->run();
  EXPECT_TRUE(rig->loader.waiting.empty()) << "a is gone, but the store does not know it";
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 2U);
  EXPECT_EQ(rig->info("work").delayed, 0U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(DelayShardTest, MovesManyInBoundedSteps) {
  for (int i = 0; i < 5'000; ++i) {
    send({"v" + std::to_string(i)}, {1'000});
  }
  rig->settle_down();
  subscribe();
  rig->pass(999);
  EXPECT_EQ(client.delivered(), 0U);
  rig->now += 1;
  rig->shard.on_timer();
  rig->run();
  (void)rig->load_one();
  EXPECT_LE(rig->info("work").messages() - rig->info("work").delayed, 1'000U);
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 5'000U);
}

TEST_F(DelayShardTest, KeepsTheTimeThatItWasTakenWith) {
  core::UpdateQueue update{"default", "work", {}};
  update.changes.delay_ms = 100;
  rig->ask(client, 8, update);
  rig->settle_down();
  rig->send(client, LogId{queue.value}, ++sends, {"a"});
  rig->settle_down();
  update.changes.delay_ms = 0;
  rig->ask(client, 8, update);
  rig->settle_down();
  rig->send(client, LogId{queue.value}, ++sends, {"b"});
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 1U);
  EXPECT_EQ(rig->info("work").delayed, 1U);
  rig->pass(100);
  EXPECT_EQ(rig->info("work").ready, 2U);
}

TEST_F(DelayShardTest, WaitsForTheDiskAsSendsDo) {
  send({"a"}, {100});
  rig->settle_down();
  rig->log.extra_backlog = std::size_t{1} << 30;
  rig->pass(100);
  EXPECT_EQ(rig->info("work").ready, 0U);
  rig->log.extra_backlog = 0;
  rig->pass(0);
  EXPECT_EQ(rig->info("work").ready, 1U);
}

TEST_F(DelayShardTest, ListsWhatIsPutOffByTheTimeWhenItIsDue) {
  send({"c", "a", "d", "b"}, {300, 100, 300, 200});
  rig->settle_down();
  core::DelayedList page = list("", 3);
  ASSERT_EQ(page.messages.size(), 3U);
  EXPECT_EQ(page.messages[0].id, id(1));
  EXPECT_EQ(page.messages[0].due_time, kNow + 100);
  EXPECT_EQ(page.messages[1].id, id(3));
  EXPECT_EQ(page.messages[2].id, id(0));
  EXPECT_EQ(page.messages[2].append_time, kNow);
  page = list(page.next, 3);
  ASSERT_EQ(page.messages.size(), 1U);
  EXPECT_EQ(page.messages[0].id, id(2));
  EXPECT_TRUE(page.next.empty());
  for (const char* token : {"x", "1", "-1", "1-", "1-2-", "-1-2", "1-9223372036854775807"}) {
    rig->ask(client, 8, core::ListDelayed{"default", "work", token, 0});
    rig->settle_down();
    EXPECT_EQ(client.replies.at(8).error().code, Errc::kInvalidArgument) << token;
  }
  rig->ask(client, 8, core::ListDelayed{"default", "none", "", 0});
  rig->ask(client, 9, core::ListDelayed{"default", "work", "", 1'001});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(8).error().code, Errc::kQueueNotFound);
  EXPECT_EQ(client.replies.at(9).error().code, Errc::kInvalidArgument);
}

TEST_F(DelayShardTest, PagesThroughRowsOfManyMessages) {
  for (int i = 0; i < 3; ++i) {
    send(values_of(7), std::vector<std::optional<std::int64_t>>(7, 500));
  }
  rig->settle_down();
  std::set<std::string> seen;
  std::string after;
  do {
    const core::DelayedList page = list(after, 2);
    ASSERT_FALSE(page.messages.empty());
    for (const core::DelayedMessage& message : page.messages) {
      EXPECT_TRUE(seen.insert(message.id).second);
    }
    after = page.next;
  } while (!after.empty());
  EXPECT_EQ(seen.size(), 21U);
}

TEST_F(DelayShardTest, CancelsAndReschedulesEachForItself) {
  send({"a", "b", "c"}, {100, 100, 200});
  rig->settle_down();
  auto changed =
      std::get<core::DelayedChanged>(*change({id(1), "no id", id(7), id(1), id(2)}, std::nullopt));
  ASSERT_EQ(changed.outcomes.size(), 5U);
  EXPECT_TRUE(changed.outcomes[0]);
  EXPECT_EQ(changed.outcomes[1].error().code, Errc::kInvalidArgument);
  EXPECT_EQ(changed.outcomes[2].error().code, Errc::kMessageNotFound);
  EXPECT_TRUE(changed.outcomes[3]) << "named twice";
  EXPECT_TRUE(changed.outcomes[4]);
  EXPECT_EQ(rig->info("work").delayed, 1U);
  changed = std::get<core::DelayedChanged>(*change({id(0), id(1)}, 5'000));
  EXPECT_TRUE(changed.outcomes[0]);
  EXPECT_EQ(changed.outcomes[1].error().code, Errc::kMessageNotFound) << "it was cancelled";
  rig->pass(4'999);
  EXPECT_EQ(rig->info("work").delayed, 1U);
  rig->pass(1);
  EXPECT_EQ(rig->info("work").ready, 1U);
  changed = std::get<core::DelayedChanged>(*change({id(0)}, std::nullopt));
  EXPECT_EQ(changed.outcomes[0].error().code, Errc::kMessageNotFound) << "it is ready by now";
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(DelayShardTest, TakesNothingAndTooMuchForMistakes) {
  EXPECT_EQ(change({}, std::nullopt).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(change(std::vector<std::string>(1'001, id(0)), std::nullopt).error().code,
            Errc::kInvalidArgument);
  EXPECT_EQ(change({id(0)}, -1).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(change({id(0)}, proto::kMaxDelayMs + 1).error().code, Errc::kInvalidArgument);
}

TEST_F(DelayShardTest, AnswersChangesInTheirOrderAlsoWhenTheQueueGoes) {
  send({"a"}, {10'000});
  rig->settle_down();
  rig->ask(client, 11, core::ChangeDelayed{"default", "work", {id(0)}, 20'000});
  rig->ask(client, 12, core::ChangeDelayed{"default", "work", {id(0)}, std::nullopt});
  rig->ask(client, 13, core::PurgeQueue{"default", "work"});
  rig->ask(client, 14, core::ChangeDelayed{"default", "work", {id(0)}, std::nullopt});
  rig->settle_down();
  for (const std::uint64_t request : {11U, 12U, 14U}) {
    const auto changed = client.reply<core::DelayedChanged>(request);
    EXPECT_EQ(changed.outcomes.at(0).error().code, Errc::kMessageNotFound) << request;
  }
  rig->ask(client, 15, core::ChangeDelayed{"default", "work", {id(0)}, std::nullopt});
  rig->ask(client, 16, core::DeleteQueue{"default", "work", false});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(15).error().code, Errc::kQueueNotFound);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

// Changes come in turns with what is due, so that neither keeps the other waiting for ever.
TEST_F(DelayShardTest, MovesWhatIsDueBetweenChanges) {
  send({"a", "b"}, {100, 60'000});
  rig->settle_down();
  rig->now += 100;
  for (std::uint64_t i = 0; i < 20; ++i) {
    rig->ask(client, 100 + i, core::ChangeDelayed{"default", "work", {id(1)}, 60'000});
  }
  rig->run();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(rig->load_one());
    rig->commit_all();
  }
  EXPECT_EQ(rig->info("work").ready, 1U);
  rig->settle_down();
  for (std::uint64_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(client.reply<core::DelayedChanged>(100 + i).outcomes.at(0));
  }
}

// What is due before its unit is committed cannot be read before.
TEST_F(DelayShardTest, WaitsForTheDiskWithoutReadingAgainAndAgain) {
  send({"a", "b"}, {0, 60'000});
  rig->run();
  const std::uint64_t before = rig->shard.metrics().storage_reads;
  for (int i = 0; i < 10; ++i) {
    (void)rig->load_one();
  }
  EXPECT_LE(rig->shard.metrics().storage_reads, before + 1);
  EXPECT_EQ(rig->info("work").ready, 0U);
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 1U);
}

TEST_F(DelayShardTest, ChangesLargeBatchesPieceByPiece) {
  std::vector<std::string> ids;
  for (proto::Offset i = 0; i < 6; ++i) {
    send({"small", std::string(600'000, 'x')}, {10'000, 10'000});
    ids.push_back(id(2 * i));
  }
  ids.push_back(id(2));
  ids.push_back(id(99));
  rig->settle_down();
  const std::uint64_t before = rig->shard.metrics().storage_reads;
  const auto changed = std::get<core::DelayedChanged>(*change(ids, std::nullopt));
  EXPECT_EQ(rig->shard.metrics().storage_reads - before, 3U) << "1 MiB and what begins in it";
  ASSERT_EQ(changed.outcomes.size(), 8U);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_TRUE(changed.outcomes[i]) << i;
  }
  EXPECT_EQ(changed.outcomes[7].error().code, Errc::kMessageNotFound);
  EXPECT_EQ(rig->info("work").delayed, 6U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(DelayShardTest, DoesNothingForWhoHasGone) {
  send({"a"}, {10'000});
  rig->settle_down();
  Session other;
  rig->open(other);
  for (std::uint64_t i = 0; i < 100; ++i) {
    rig->ask(other, i, core::ChangeDelayed{"default", "work", {id(0)}, 10'000});
  }
  rig->run();
  rig->shard.close_session(other.id);
  const std::uint64_t before = rig->shard.metrics().storage_reads;
  EXPECT_TRUE(std::get<core::DelayedChanged>(*change({id(0)}, std::nullopt)).outcomes.at(0));
  EXPECT_LE(rig->shard.metrics().storage_reads, before + 2);
}

TEST_F(DelayShardTest, DamageWithholdsOnlyWhatIsDueBehindIt) {
  send({"a"}, {100});
  send({"b"}, {200});
  send({"c"}, {300});
  rig->settle_down();
  storage::WriteBatch damage;
  damage.put(
      storage::Family::kLog,
      storage::timed_batch_key(storage::KeyKind::kDelayed, queue.value, 1, kNow + 200, kFirst + 1),
      "no batch");
  const std::array<const storage::WriteBatch*, 1> all = {&damage};
  ASSERT_TRUE(rig->store.commit(all));
  EXPECT_EQ(list("", 0).messages.size(), 1U) << "what stands in front of it";
  EXPECT_EQ(change({id(1)}, std::nullopt).error().code, Errc::kCorruptBatch);
  rig->pass(1'000);
  EXPECT_EQ(rig->info("work").ready, 1U) << "a change that met it has stopped nothing";
  EXPECT_EQ(rig->info("work").delayed, 2U);
  for (const std::int64_t delay_ms : {5'000, 6'000}) {
    EXPECT_TRUE(std::get<core::DelayedChanged>(*change({id(2)}, delay_ms)).outcomes.at(0));
  }
}

TEST_F(DelayShardTest, TellsOfDamageAndGoesOnWithTheRest) {
  send({"a"}, {100});
  rig->settle_down();
  const proto::QueueId other = rig->create_queue(client, "other");
  core::SendBatch batch = test::a_batch(LogId{other.value}, {"b"}, {}, false, {100});
  batch.send_number = ++sends;
  rig->shard.send(client.id, std::move(batch), 0);
  rig->settle_down();
  storage::WriteBatch damage;
  damage.put(
      storage::Family::kLog,
      storage::timed_batch_key(storage::KeyKind::kDelayed, queue.value, 1, kNow + 100, kFirst),
      "no batch");
  const std::array<const storage::WriteBatch*, 1> all = {&damage};
  ASSERT_TRUE(rig->store.commit(all));
  rig->pass(100);
  ASSERT_EQ(rig->damages.size(), 1U);
  EXPECT_NE(rig->damages[0].message.find("put off in queue 'work' cannot be read"),
            std::string::npos)
      << rig->damages[0].message;
  EXPECT_TRUE(rig->failures.empty());
  EXPECT_EQ(rig->info("work").delayed, 1U);
  EXPECT_EQ(rig->info("other").ready, 1U);
  EXPECT_EQ(change({id(0)}, std::nullopt).error().code, Errc::kCorruptBatch);
  rig->ask(client, 8, core::ListDelayed{"default", "work", "", 0});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(8).error().code, Errc::kCorruptBatch);
  EXPECT_FALSE(core::test::check_rows(rig->store));
}

}  // namespace
}  // namespace weir::shard
