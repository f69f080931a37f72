#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

struct DeleteShardTest : testing::Test {
  DeleteShardTest() {
    rig->open(client);
    rig->open(operator_);
    log = LogId{rig->create_queue(client, "work").value};
  }
  /// After a restart nothing is in the cache.
  void begin_anew() {
    rig->settle_down();
    ASSERT_TRUE(rig->shard.reset());
    rig->settle_down();
    rig->open(client);
    rig->open(operator_);
  }
  void remove(std::uint64_t id) { rig->ask(operator_, id, core::DeleteQueue{"default", "work"}); }
  void remove_topic(std::uint64_t id) {
    rig->ask(operator_, id, core::DeleteTopic{"default", "news"});
  }
  std::unique_ptr<ShardRig> rig = std::make_unique<ShardRig>();
  Session client;
  Session operator_;
  LogId log;
};

TEST_F(DeleteShardTest, TellsConsumersWaitersAndSenders) {
  rig->ask(client, 1, core::Subscribe{"default", "work", 1, 60'000, 2, 1 << 20});
  rig->send(client, log, 1, values_of(3));
  rig->settle_down();
  ASSERT_EQ(client.delivered(), 2U);
  rig->ask(client, 2, core::Receive{"default", "work", 10, 0, 0, 60'000});
  rig->settle_down();
  rig->ask(client, 3, core::Receive{"default", "work", 10, 0, 20'000, 60'000});
  rig->settle_down();
  remove(1);
  rig->run();
  EXPECT_TRUE(client.ended.empty()) << "not durable, so not said";
  rig->settle_down();
  EXPECT_EQ(operator_.reply<core::QueueInfo>(1).in_flight, 3U);
  ASSERT_EQ(client.ended.size(), 1U);
  EXPECT_EQ(client.ended[0].first, 1U);
  EXPECT_EQ(client.ended[0].second.code, Errc::kQueueNotFound);
  EXPECT_EQ(client.replies.at(3).error().code, Errc::kQueueNotFound);
  rig->settle(client, client.deliveries[0], SettleKind::kAck);
  rig->send(client, log, 2, values_of(1));
  rig->settle_down();
  EXPECT_EQ(client.failures.at(0).code, static_cast<std::uint16_t>(Errc::kQueueNotFound));
  EXPECT_EQ(client.sent.back().code, static_cast<std::uint16_t>(Errc::kQueueNotFound));
  rig->ask(client, 4, core::Unsubscribe{1});
  rig->pass(100'000);
  EXPECT_FALSE(client.replies.at(4)) << "it has ended already";
  EXPECT_TRUE(rig->failures.empty());
  EXPECT_EQ(rig->shard.metrics().queues, 0U);
  EXPECT_EQ(rig->shard.metrics().purged_messages, 3U);
}

TEST_F(DeleteShardTest, KeepsBackWhatHadNotLeftYet) {
  rig->ask(client, 1, core::Subscribe{"default", "work", 1, 60'000, 10, 1 << 20});
  rig->settle_down();
  rig->send(client, log, 1, values_of(3));
  rig->run();
  remove(1);
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 0U);
  EXPECT_EQ(client.ended.size(), 1U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(DeleteShardTest, BeginsAnewUnderTheSameName) {
  rig->send(client, log, 1, values_of(3));
  rig->settle_down();
  remove(1);
  const LogId second{rig->create_queue(client, "work").value};
  EXPECT_NE(second, log);
  rig->ask(client, 1, core::Subscribe{"default", "work", 1, 60'000, 10, 1 << 20});
  rig->send(client, second, 2, values_of(1));
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 1U);
}

TEST_F(DeleteShardTest, IsDoneOrNotWhenTheBrokerDies) {
  rig->send(client, log, 1, values_of(3));
  rig->settle_down();
  remove(1);
  rig->run();
  rig->log.forget();
  rig->posted.clear();
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 3U);
  rig->open(operator_);
  remove(2);
  rig->settle_down();
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(rig->shard.metrics().queues, 0U);
  EXPECT_EQ(core::test::check_rows(rig->store)->queues, 0U);
}

// A batch of the queue is being read when the queue goes: that it is missing is no damage.
TEST_F(DeleteShardTest, TakesNoLoadThatComesTooLateForDamage) {
  rig->send(client, log, 1, values_of(3));
  begin_anew();
  rig->ask(client, 1, core::Receive{"default", "work", 10, 0, 20'000, 60'000});
  rig->run();
  ASSERT_FALSE(rig->loader.waiting.empty());
  remove(1);
  rig->run();
  rig->commit_all();
  rig->settle_down();
  EXPECT_TRUE(rig->damages.empty());
  EXPECT_TRUE(rig->failures.empty());
  EXPECT_EQ(client.replies.at(1).error().code, Errc::kQueueNotFound);
}

TEST_F(DeleteShardTest, EndsReadersOfATopic) {
  const LogId news = rig->create_topic(client, "news");
  rig->ask(client, 1, core::SubscribeTopic{"default", "news", 7, {}, {}, 100, 1 << 20});
  rig->send(client, news, 1, values_of(3), {}, true);
  rig->settle_down();
  ASSERT_EQ(client.topic_batches.size(), 1U);
  // One append is not committed when the topic goes.
  rig->send(client, news, 2, values_of(1), {}, true);
  rig->run();
  remove_topic(1);
  rig->run();
  EXPECT_TRUE(client.ended.empty());
  rig->settle_down();
  EXPECT_EQ(operator_.reply<core::TopicInfo>(1).partitions.size(), 1U);
  ASSERT_EQ(client.ended.size(), 1U);
  EXPECT_EQ(client.ended[0].first, 7U);
  EXPECT_EQ(client.ended[0].second.code, Errc::kTopicNotFound);
  rig->send(client, news, 3, values_of(1), {}, true);
  rig->settle_down();
  EXPECT_EQ(client.sent.back().code, static_cast<std::uint16_t>(Errc::kTopicNotFound));
  EXPECT_TRUE(rig->failures.empty());
}

TEST_F(DeleteShardTest, TellsAReaderThatWasAboutToBegin) {
  const LogId news = rig->create_topic(client, "news");
  rig->send(client, news, 1, values_of(3), {}, true);
  rig->settle_down();
  core::SubscribeTopic subscribe{"default", "news", 7, {}, {}, 100, 1 << 20};
  subscribe.from = {core::StartPosition::At::kTime, test::kNow};
  rig->ask(client, 1, subscribe);
  rig->run();
  ASSERT_FALSE(rig->loader.waiting.empty()) << "the place of a time is looked up";
  remove_topic(1);
  rig->run();
  rig->settle_down();
  EXPECT_EQ(client.replies.at(1).error().code, Errc::kTopicNotFound);
  EXPECT_TRUE(client.topic_batches.empty());
}

TEST_F(DeleteShardTest, TakesALoadOfATopicThatComesTooLateForNoDamage) {
  const LogId news = rig->create_topic(client, "news");
  rig->send(client, news, 1, values_of(3), {}, true);
  begin_anew();
  rig->ask(client, 1, core::SubscribeTopic{"default", "news", 7, {}, {}, 100, 1 << 20});
  rig->run();
  rig->commit_all();
  ASSERT_FALSE(rig->loader.waiting.empty());
  remove_topic(1);
  rig->run();
  rig->commit_all();
  rig->settle_down();
  EXPECT_TRUE(rig->damages.empty());
  EXPECT_TRUE(rig->failures.empty());
  EXPECT_EQ(client.ended.size(), 1U);
}

}  // namespace
}  // namespace weir::shard
