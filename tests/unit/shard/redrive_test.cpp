#include "proto/limits.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

struct RedriveShardTest : testing::Test {
  RedriveShardTest() { begin(std::size_t{1} << 20, std::size_t{1} << 20); }
  void begin(std::size_t cache_bytes, std::size_t idle_bytes) {
    rig = std::make_unique<ShardRig>(cache_bytes, idle_bytes);
    client = {};
    rig->open(client);
    core::QueueSettings settings{1000, 1, ""};
    settings.redelivery_budget_percent = proto::kMaxRedeliveryBudgetPercent;
    rig->create_queue(client, "dead", settings);
    log = LogId{rig->create_queue(client, "work", {1000, 1, "dead"}).value};
  }
  /// So many batches of so many messages, all of which fail.
  void let_die(std::uint32_t batches, std::uint32_t messages) {
    for (std::uint32_t i = 0; i < batches; ++i) {
      rig->send(client, log, ++sends, values_of(messages, std::to_string(i) + "-"));
    }
    fail_all("work", batches * messages);
  }
  void fail_all(const std::string& queue, std::uint32_t messages) {
    while (messages > 0) {
      rig->ask(client, 10, core::Receive{"default", queue, messages, 1 << 20, 20'000, 60'000});
      rig->settle_down();
      const auto received = client.reply<core::Received>(10);
      ASSERT_FALSE(received.deliveries.empty());
      for (const core::Delivery& held : received.deliveries) {
        rig->settle(client, held, SettleKind::kNack);
        messages -= held.count;
      }
      rig->settle_down();
    }
  }
  proto::Result<core::Reply> start(core::StartRedrive command) {
    command.name_space = "default";
    rig->ask(client, 20, std::move(command));
    rig->run();
    rig->commit_all();
    return client.replies.at(20);
  }
  [[nodiscard]] core::Redrive state_of(const std::string& queue) {
    Session session;
    rig->open(session);
    rig->ask(session, 30, core::ListRedrives{"default", {}});
    rig->run();
    rig->commit_all();
    const auto list = session.reply<core::RedriveList>(30);
    rig->shard.close_session(session.id);
    for (const core::RedriveInfo& info : list.redrives) {
      if (info.name == queue) {
        return info.redrive;
      }
    }
    return {};
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
  LogId log;
  std::uint64_t sends = 0;
};

TEST_F(RedriveShardTest, MovesAndSaysSo) {
  let_die(3, 4);
  ASSERT_EQ(rig->info("dead").ready, 12U);
  const auto reply = start({.name = "dead"});
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::get<core::RedriveInfo>(*reply).name, "dead");
  EXPECT_EQ(std::get<core::RedriveInfo>(*reply).redrive.state, core::RedriveState::kRunning);
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 12U);
  EXPECT_EQ(rig->info("dead").messages(), 0U);
  EXPECT_EQ(state_of("dead").moved, 12U);
  EXPECT_EQ(state_of("dead").state, core::RedriveState::kDone);
  EXPECT_EQ(rig->shard.metrics().redriven_messages, 12U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(RedriveShardTest, WakesWhoWaitsForTheMessages) {
  let_die(1, 2);
  rig->ask(client, 11, core::Receive{"default", "work", 10, 1 << 20, 20'000, 60'000});
  rig->settle_down();
  ASSERT_FALSE(client.replies.contains(11));
  ASSERT_TRUE(start({.name = "dead"}));
  rig->settle_down();
  EXPECT_EQ(client.reply<core::Received>(11).deliveries.at(0).count, 2U);
}

// Nothing of the messages is in memory, neither bytes nor what is known of them.
TEST_F(RedriveShardTest, ReadsWhatLiesInTheStoreAlone) {
  begin(1, 0);
  let_die(300, 1);
  fail_all("dead", 300);
  ASSERT_EQ(rig->info("dead").parked, 300U);
  ASSERT_GE(rig->shard.metrics().paged_out_batches, 300U);
  ASSERT_EQ(rig->shard.metrics().idle_bytes, 0U);
  ASSERT_TRUE(start({.name = "dead"}));
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 300U);
  EXPECT_EQ(rig->info("dead").messages(), 0U);
  EXPECT_EQ(state_of("dead").moved, 300U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
  EXPECT_TRUE(rig->failures.empty());
}

TEST_F(RedriveShardTest, MakesParkedMessagesReadyThatLieInTheStoreAlone) {
  begin(1, 0);
  let_die(300, 1);
  fail_all("dead", 300);
  ASSERT_TRUE(start({.name = "dead", .parked = true}));
  rig->settle_down();
  EXPECT_EQ(rig->info("dead").parked, 0U);
  EXPECT_EQ(rig->info("dead").ready, 300U);
  EXPECT_LT(rig->shard.metrics().idle_bytes, 64'000U) << "and go out again";
  EXPECT_TRUE(core::test::check_rows(rig->store));
  fail_all("dead", 300);
  EXPECT_EQ(rig->info("dead").parked, 300U);
}

TEST_F(RedriveShardTest, GoesOnWhereverTheBrokerDies) {
  for (int units = 0; units < 30; ++units) {
    SCOPED_TRACE(units);
    begin(units % 2 == 0 ? 1 : 1 << 20, units % 3 == 0 ? 0 : 1 << 20);
    let_die(40, 2);
    ASSERT_TRUE(start({.name = "dead"}));
    for (int i = 0; i < units; ++i) {
      rig->run();
      if (const auto index = rig->log.commit_one(); index && i + 1 < units) {
        rig->shard.on_committed(*index);
      }
      (void)rig->load_one();
    }
    restart();
    rig->settle_down();
    EXPECT_EQ(rig->info("work").ready, 80U);
    EXPECT_EQ(rig->info("dead").messages(), 0U);
    EXPECT_EQ(state_of("dead").moved, 80U);
    EXPECT_TRUE(core::test::check_rows(rig->store));
  }
}

TEST_F(RedriveShardTest, KeepsToItsRateByTheClock) {
  let_die(10, 1);
  ASSERT_TRUE(start({.name = "dead", .rate = 4}));
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 4U);
  EXPECT_EQ(rig->timer, rig->now + 1000);
  rig->pass(999);
  EXPECT_EQ(rig->info("work").ready, 4U);
  rig->pass(1);
  EXPECT_EQ(rig->info("work").ready, 8U);
  rig->ask(client, 21, core::CancelRedrive{"default", "dead"});
  rig->pass(5000);
  EXPECT_EQ(client.reply<core::RedriveInfo>(21).redrive.state, core::RedriveState::kCancelled);
  EXPECT_EQ(rig->info("work").ready, 8U);
  EXPECT_EQ(rig->info("dead").ready, 2U);
}

TEST_F(RedriveShardTest, WaitsForTheDiskAsSendsDo) {
  let_die(100, 1);
  rig->log.extra_backlog = std::size_t{1} << 30;
  ASSERT_TRUE(start({.name = "dead"}));
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 0U);
  rig->log.extra_backlog = 0;
  rig->shard.on_timer();
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 100U);
}

TEST_F(RedriveShardTest, StopsAtWhatCannotBeRead) {
  begin(1, 1 << 20);
  let_die(3, 1);
  const proto::QueueId dead = rig->info("dead").id;
  storage::WriteBatch damage;
  damage.put(storage::Family::kLog, storage::batch_key(storage::KeyKind::kBatch, dead.value, 1, 1),
             "no batch");
  const std::array<const storage::WriteBatch*, 1> all = {&damage};
  ASSERT_TRUE(rig->store.commit(all));
  ASSERT_TRUE(start({.name = "dead"}));
  rig->settle_down();
  const core::Redrive redrive = state_of("dead");
  EXPECT_EQ(redrive.state, core::RedriveState::kFailed);
  EXPECT_NE(redrive.why.find("at offset 1 cannot be read"), std::string::npos) << redrive.why;
  EXPECT_EQ(rig->info("work").ready, 1U);
  EXPECT_EQ(rig->info("dead").messages(), 2U) << "what is behind it is kept";
}

TEST_F(RedriveShardTest, ListsAndRefusesAsOtherRequestsDo) {
  EXPECT_EQ(start({.name = "none"}).error().code, Errc::kQueueNotFound);
  rig->ask(client, 1, core::CancelRedrive{"default", "dead"});
  rig->ask(client, 2, core::ListRedrives{"nowhere", {}});
  rig->ask(client, 3, core::ListRedrives{"default", {"w*", "", 0}});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(1).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.replies.at(2).error().code, Errc::kNamespaceNotFound);
  EXPECT_TRUE(client.reply<core::RedriveList>(3).redrives.empty());
  ASSERT_TRUE(start({.name = "work", .target = "dead"}));
  rig->ask(client, 3, core::ListRedrives{"default", {"w*", "", 0}});
  rig->settle_down();
  EXPECT_EQ(client.reply<core::RedriveList>(3).redrives.at(0).target, "dead");
}

}  // namespace
}  // namespace weir::shard
