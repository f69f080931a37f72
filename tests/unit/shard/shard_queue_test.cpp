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

class ShardQueue : public ::testing::Test {
 protected:
  ShardQueue() { begin(std::size_t{1} << 20); }
  void begin(std::size_t cache, core::QueueSettings settings = {}) {
    rig = std::make_unique<ShardRig>(cache);
    client = {};
    rig->open(client);
    rig->create_queue(client, "dead");
    queue = rig->create_queue(client, "work", std::move(settings));
    log = LogId{queue.value};
  }
  void subscribe(std::uint32_t messages, std::uint32_t bytes = 1 << 20) {
    rig->ask(client, 1, core::Subscribe{"default", "work", 1, 1000, messages, bytes});
    rig->settle_down();
  }
  void receive(std::uint64_t id, std::int64_t wait_ms, std::uint32_t messages = 10) {
    rig->ask(client, id, core::Receive{"default", "work", messages, 0, wait_ms, 1000});
  }
  std::unique_ptr<ShardRig> rig;
  Session client;
  proto::QueueId queue;
  LogId log;
};

TEST_F(ShardQueue, SaysNothingBeforeItsUnitIsCommitted) {
  rig->send(client, log, 1, values_of(2));
  rig->run();
  EXPECT_TRUE(client.sent.empty());
  rig->commit_all();
  ASSERT_EQ(client.sent.size(), 1U);
  EXPECT_EQ(client.sent[0].code, 0);
  EXPECT_EQ(client.sent[0].append_time, test::kNow);
}

TEST_F(ShardQueue, AnswersADuplicateOnlyWhenTheOriginalIsDurable) {
  rig->ask(client, 1, core::InitProducer{});
  rig->settle_down();
  const auto id = static_cast<std::int64_t>(client.reply<core::ProducerInfo>(1).id.value);
  rig->send(client, log, 1, values_of(2), {id, 0, 0});
  rig->run();
  rig->send(client, log, 2, values_of(2), {id, 0, 0});
  rig->ask(client, 2, core::DescribeQueue{"default", "none"});
  rig->run();
  EXPECT_TRUE(client.sent.empty());
  EXPECT_FALSE(client.replies.contains(2)) << "errors are promises, too";
  rig->commit_all();
  ASSERT_EQ(client.sent.size(), 2U);
  EXPECT_EQ(client.sent[1].flags, proto::SentEntry::kDuplicate);
  EXPECT_EQ(client.sent[1].base_offset, client.sent[0].base_offset);
}

TEST_F(ShardQueue, DeliversInTheCommitOfTheAppendWhenCreditWaits) {
  subscribe(10);
  rig->send(client, log, 1, values_of(3));
  rig->run();
  EXPECT_TRUE(client.deliveries.empty());
  EXPECT_EQ(rig->log.waiting.size(), 1U) << "one unit holds the append and the lease";
  rig->shard.on_committed(*rig->log.commit_one());
  EXPECT_EQ(client.delivered(), 3U);
}

TEST_F(ShardQueue, KeepsToTheWindowInMessages) {
  subscribe(5);
  rig->send(client, log, 1, values_of(12));
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 5U);
  rig->settle(client, client.deliveries[0], SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 10U);
  rig->shard.set_credit(client.id, {1, 0, 0, 0, 0});
  rig->settle(client, client.deliveries[1], SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 10U) << "zero pauses";
  rig->shard.set_credit(client.id, {1, 5, 1 << 20, 0, 0});
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 12U);
}

TEST_F(ShardQueue, KeepsToTheWindowInBytesButForOneMessageToWhoHoldsNothing) {
  subscribe(100, 1000);
  rig->send(client, log, 1, values_of(10, std::string(300, 'x')));
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 3U);
  rig->settle(client, client.deliveries[0], SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 6U);
  begin(1 << 20);
  subscribe(100, 100);
  rig->send(client, log, 1, values_of(2, std::string(300, 'x')));
  rig->settle_down();
  EXPECT_EQ(client.delivered(), 1U) << "it would never come otherwise";
}

TEST_F(ShardQueue, WakesForADelayedMessageWhileAConsumerHoldsAnother) {
  subscribe(10);
  rig->send(client, log, 1, values_of(1));
  rig->send(client, log, 2, values_of(1));
  rig->settle_down();
  ASSERT_EQ(client.deliveries.size(), 2U);
  rig->settle(client, client.deliveries[0], SettleKind::kNack, 300);
  rig->settle_down();
  EXPECT_EQ(rig->timer, rig->now + 300);
  rig->pass(300);
  EXPECT_EQ(client.deliveries.size(), 3U);
}

TEST_F(ShardQueue, TellsHowLongMessagesWaitedForTheirFirstHandOut) {
  rig->send(client, log, 1, values_of(3));
  rig->settle_down();
  rig->now += 250;
  subscribe(10);
  rig->pass(1000);  // hands out again
  EXPECT_EQ(rig->waited, (std::vector<std::pair<std::int64_t, std::uint32_t>>{{250, 3}}));
}

TEST_F(ShardQueue, HandsOutAgainWhenALeaseRunsOut) {
  subscribe(10);
  rig->send(client, log, 1, values_of(3));
  rig->settle_down();
  EXPECT_EQ(rig->timer, rig->now + 1000);
  rig->pass(1000);
  EXPECT_EQ(client.delivered(), 6U);
  EXPECT_EQ(client.deliveries.back().attempts, 0) << "no handler had begun";
}

TEST_F(ShardQueue, AnswersOthersBetweenThePartsOfALargeSettlement) {
  const std::size_t ranges = 3 * ShardOptions().settles_per_turn;
  Session other;
  rig->open(other);
  proto::Settle settle{.settle_number = 1, .alias = 1, .ranges = {}};
  settle.ranges.resize(ranges, {.grant = proto::GrantId(1), .nonce = 1, .count = 1});  // none such
  rig->shard.settle(client.id, queue, std::move(settle));
  rig->ask(client, 1, core::DescribeQueue{"default", "work"});
  rig->ask(other, 1, core::DescribeQueue{"default", "work"});
  const auto turn = std::move(rig->posted.front());
  rig->posted.pop_front();
  turn();
  EXPECT_TRUE(other.replies.contains(1));
  EXPECT_EQ(client.settled, 0U);
  EXPECT_FALSE(client.replies.contains(1)) << "what a session says is taken in its order";
  rig->settle_down();
  EXPECT_EQ(client.settled, 1U);
  EXPECT_EQ(client.failures.size(), ranges);
  EXPECT_TRUE(client.replies.contains(1));
}

TEST_F(ShardQueue, GivesEachSettlementAShareOfATurn) {
  Session other;
  rig->open(other);
  const proto::SettleRange none{.grant = proto::GrantId(1), .nonce = 1, .count = 1};
  rig->shard.settle(client.id, queue,
                    {1, 1, std::vector(2 * ShardOptions().settles_per_turn, none)});
  rig->shard.settle(other.id, queue, {1, 1, std::vector(20, none)});
  const auto turn = std::move(rig->posted.front());
  rig->posted.pop_front();
  turn();
  EXPECT_EQ(other.settled, 1U);
  EXPECT_EQ(client.settled, 0U);
}

TEST_F(ShardQueue, TakesALeaseOfNothingFromWhoReceivesAlone) {
  rig->send(client, log, 1, values_of(1));
  rig->settle_down();
  rig->ask(client, 7, core::Receive{"default", "work", 1, 0, 0, 0});
  rig->run();
  rig->now += 50;  // the disk takes its time
  rig->settle_down();
  ASSERT_EQ(client.reply<core::Received>(7).deliveries.size(), 1U);
  EXPECT_EQ(client.reply<core::Received>(7).lease_ms, 0);
  const core::Delivery held = client.reply<core::Received>(7).deliveries.at(0);
  rig->now += 1;
  rig->settle_down();
  EXPECT_EQ(rig->info("work").ready, 1U) << "it is there again at once";
  rig->ask(client, 8, core::Receive{"default", "work", 1, 0, 0, 1000});
  rig->settle_down();
  EXPECT_EQ(client.reply<core::Received>(8).deliveries.at(0).failures, 1U) << "it counts";
  rig->ask(client, 9, core::Subscribe{"default", "work", 9, 0, 10, 1 << 20});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(9).error().code, Errc::kInvalidArgument);
}

TEST_F(ShardQueue, ReleasesWhatAClosedSessionHeldAndHadNotBegun) {
  subscribe(10);
  rig->send(client, log, 1, values_of(2));
  rig->send(client, log, 2, values_of(2));
  rig->settle_down();
  ASSERT_EQ(client.deliveries.size(), 2U);
  rig->settle(client, client.deliveries[0], SettleKind::kStarted);
  rig->shard.close_session(client.id);
  rig->settle_down();
  EXPECT_EQ(rig->info("work").in_flight, 2U);
  EXPECT_EQ(rig->info("work").ready, 2U);
}

// A receive counts an attempt when it is decided: that must not stand for nobody.
TEST_F(ShardQueue, TakesBackWhatWasReceivedByASessionThatIsGone) {
  rig->send(client, log, 1, values_of(2));
  rig->settle_down();
  Session gone;
  rig->open(gone);
  rig->ask(gone, 1, core::Receive{"default", "work", 2, 0, 0, 1000});
  rig->run();
  rig->shard.close_session(gone.id);
  rig->run();
  rig->settle_down();
  EXPECT_TRUE(gone.replies.empty());
  EXPECT_EQ(rig->info("work").ready, 2U);
  receive(1, 0);
  rig->settle_down();
  EXPECT_EQ(client.reply<core::Received>(1).deliveries.at(0).attempts, 0);
}

TEST_F(ShardQueue, HandsNothingOutWithLessThanHalfOfItsLease) {
  subscribe(10);
  rig->send(client, log, 1, values_of(2));
  rig->run();
  rig->now += 501;  // a slow commit
  rig->settle_down();
  ASSERT_EQ(client.deliveries.size(), 1U);
  EXPECT_EQ(client.deliveries[0].attempts, 0);
  EXPECT_EQ(rig->timer, rig->now + 1000) << "a second lease, which is whole";
}

TEST_F(ShardQueue, CountsNoAttemptForALeaseThatEndsBeforeItsHandOutIsDurable) {
  rig->send(client, log, 1, values_of(1));
  rig->settle_down();
  receive(1, 0);
  rig->run();
  rig->now += 1000;
  rig->shard.on_timer();
  rig->run();
  rig->commit_all();
  rig->settle_down();
  EXPECT_TRUE(client.reply<core::Received>(1).deliveries.empty());
  receive(2, 0);
  rig->settle_down();
  EXPECT_EQ(client.reply<core::Received>(2).deliveries.at(0).attempts, 0);
}

TEST_F(ShardQueue, AnswersAReceiveAtOnceWhenAMessageComes) {
  receive(1, 5000);
  rig->settle_down();
  EXPECT_FALSE(client.replies.contains(1));
  rig->send(client, log, 1, values_of(2));
  rig->settle_down();
  EXPECT_EQ(client.reply<core::Received>(1).deliveries.at(0).count, 2U);
}

TEST_F(ShardQueue, AnswersAReceiveWithNothingWhenItsTimeIsUp) {
  receive(1, 5000);
  rig->settle_down();
  EXPECT_EQ(rig->timer, rig->now + 5000);
  rig->pass(5000);
  EXPECT_TRUE(client.reply<core::Received>(1).deliveries.empty());
  receive(2, 0);
  rig->settle_down();
  EXPECT_TRUE(client.reply<core::Received>(2).deliveries.empty());
}

TEST_F(ShardQueue, AnswersASettlementOfManyPiecesInProportion) {
  constexpr std::uint32_t kMessages = proto::kMaxBatchRecords;
  constexpr std::uint32_t kRanges = 60;
  subscribe(kMessages);
  rig->send(client, log, 1, values_of(kMessages, ""));
  rig->settle_down();
  ASSERT_EQ(client.deliveries.size(), 1U);
  proto::SettleRange range = core::test::CoreRig::range(client.deliveries[0], SettleKind::kAck);
  proto::Settle every_other{1, 1, {}};
  range.count = 1;
  for (range.first_index = 0; range.first_index < kMessages; range.first_index += 2) {
    every_other.ranges.push_back(range);
  }
  rig->shard.settle(client.id, queue, every_other);
  rig->settle_down();
  EXPECT_TRUE(client.failures.empty());

  range.first_index = 0;
  range.count = kMessages;
  ++range.nonce;
  rig->shard.settle(client.id, queue, {2, 1, std::vector(kRanges, range)});
  rig->settle_down();
  EXPECT_EQ(client.settled, 2U);
  constexpr std::size_t kSeparate = Shard::kMaxSeparateFailures / (kMessages / 2);
  static_assert(kSeparate < kRanges);
  EXPECT_EQ(client.failures.size(), Shard::kMaxSeparateFailures + kRanges - kSeparate);
  EXPECT_EQ(client.failures.front().count, 1U);
  EXPECT_EQ(client.failures.back().first_index, 1U);
  EXPECT_EQ(client.failures.back().count, kMessages - 1);
  EXPECT_EQ(client.failures.back().code, static_cast<std::uint16_t>(Errc::kReceiptInvalid));
}

TEST_F(ShardQueue, TakesWhatIsOnDiskWithoutWaiting) {
  begin(1);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    rig->send(client, log, i, values_of(1, std::string(200, 'x')));
    rig->settle_down();
  }
  receive(1, 0, 20);
  rig->settle_down();
  EXPECT_FALSE(client.reply<core::Received>(1).deliveries.empty());
  EXPECT_GT(rig->shard.metrics().storage_reads, 0U);
  subscribe(100);
  EXPECT_EQ(rig->info("work").in_flight, 20U) << "a cache for one batch still makes progress";
}

TEST_F(ShardQueue, TakesABatchThatWasFinishedDuringItsLoadForNoDamage) {
  begin(1);
  rig->send(client, log, 1, values_of(1));
  rig->settle_down();
  receive(1, 0);
  rig->settle_down();
  const core::Delivery held = client.reply<core::Received>(1).deliveries.at(0);
  rig->send(client, log, 2, values_of(1));  // pushes the first out of the cache
  rig->settle_down();
  rig->now += 1000;
  receive(2, 100, 1);
  rig->run();
  ASSERT_EQ(rig->loader.waiting.size(), 1U);
  rig->settle(client, held, SettleKind::kAck);
  rig->run();
  rig->commit_all();
  rig->settle_down();
  EXPECT_TRUE(rig->failures.empty());
  EXPECT_EQ(client.reply<core::Received>(2).deliveries.at(0).base_offset, 1);
}

TEST_F(ShardQueue, MovesDeadLettersInOneUnit) {
  begin(1 << 20, {1000, 1, "dead"});
  subscribe(10);
  rig->send(client, log, 1, values_of(2));
  rig->settle_down();
  rig->settle(client, client.deliveries[0], SettleKind::kNack);
  // Whatever unit is the last that is durable, each message is in one of the two.
  const proto::QueueId dead = rig->info("dead").id;
  for (bool goes_on = true; goes_on;) {
    rig->run();
    const auto index = rig->log.commit_one();
    if (index) {
      rig->shard.on_committed(*index);
    }
    goes_on = index || rig->load_one();
    core::ShardState again(100);
    ASSERT_TRUE(again.restore(*rig->store.snapshot()));
    const auto in = [&](proto::QueueId id) {
      return again.info(*again.queue(id), rig->now).messages();
    };
    EXPECT_EQ(in(queue) + in(dead), 2U);
  }
  EXPECT_EQ(rig->info("dead").ready, 2U);
  EXPECT_EQ(rig->info("work").ready + rig->info("work").dying, 0U);
  EXPECT_EQ(rig->shard.metrics().dead_lettered_messages, 2U);
}

TEST_F(ShardQueue, RefusesToHandOutForLongerThanTwelveHoursOrMoreThanAThousand) {
  constexpr std::int64_t kTooLong = 12 * 3600 * 1000 + 1;
  rig->ask(client, 1, core::Receive{"default", "work", 1, 0, 0, kTooLong});
  rig->ask(client, 2, core::Subscribe{"default", "work", 1, kTooLong, 10, 1 << 20});
  rig->ask(client, 3, core::Receive{"default", "work", 1001, 0, 0, 1000});
  rig->ask(client, 4, core::Receive{"default", "work", 1, 0, 20'001, 1000});
  rig->ask(client, 5, core::Receive{"default", "work", 1000, 0, 0, kTooLong - 1});
  rig->settle_down();
  for (std::uint64_t id = 1; id <= 4; ++id) {
    EXPECT_FALSE(client.replies.at(id)) << id;
  }
  EXPECT_TRUE(client.replies.at(5));
}

TEST_F(ShardQueue, KeepsNoBatchInMemoryWhoseMessagesAreGone) {
  subscribe(5);
  rig->send(client, log, 1, values_of(6));
  rig->settle_down();
  rig->settle(client, client.deliveries[0], SettleKind::kAck);
  rig->settle_down();
  ASSERT_EQ(client.delivered(), 6U);
  EXPECT_GT(rig->shard.metrics().tail_cache_bytes, 0U) << "one is still to be done";
  rig->settle(client, client.deliveries[1], SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(rig->shard.metrics().tail_cache_bytes, 0U);
}

TEST_F(ShardQueue, RefusesSendsButTakesAcks) {
  subscribe(10);
  rig->send(client, log, 1, values_of(1));
  rig->settle_down();
  rig->shard.refuse_sends(proto::make_error(Errc::kDiskFull));
  rig->send(client, log, 2, values_of(1));
  rig->settle(client, client.deliveries[0], SettleKind::kAck);
  rig->settle_down();
  EXPECT_EQ(client.sent.back().code, static_cast<std::uint16_t>(Errc::kDiskFull));
  EXPECT_EQ(rig->info("work").in_flight, 0U);
}

// Said to be refused, it would be sent again under a new sequence, and stored twice.
TEST_F(ShardQueue, TellsThatABatchIsStoredEvenWhenSendsAreRefusedOrLate) {
  rig->ask(client, 1, core::InitProducer{});
  rig->settle_down();
  const auto id = static_cast<std::int64_t>(client.reply<core::ProducerInfo>(1).id.value);
  rig->send(client, log, 1, values_of(2), {id, 0, 0});
  rig->settle_down();
  rig->send(client, log, 2, values_of(2), {id, 0, 0}, false, 50);
  rig->now += 50;
  rig->settle_down();
  rig->shard.refuse_sends(proto::make_error(Errc::kDiskFull));
  rig->send(client, log, 3, values_of(2), {id, 0, 0});
  rig->send(client, log, 4, values_of(2), {id, 0, 2});
  rig->settle_down();
  ASSERT_EQ(client.sent.size(), 4U);
  for (const std::size_t again : {1U, 2U}) {
    EXPECT_EQ(client.sent[again].code, 0);
    EXPECT_EQ(client.sent[again].flags, proto::SentEntry::kDuplicate);
    EXPECT_EQ(client.sent[again].base_offset, client.sent[0].base_offset);
  }
  EXPECT_EQ(client.sent[3].code, static_cast<std::uint16_t>(Errc::kDiskFull));
}

TEST_F(ShardQueue, DropsWorkWhoseDeadlineHasPassed) {
  rig->send(client, log, 1, values_of(1), {}, false, 50);
  rig->ask(client, 1, core::DescribeQueue{"default", "work"}, 50);
  rig->now += 50;
  rig->settle_down();
  EXPECT_EQ(client.sent.back().code, static_cast<std::uint16_t>(Errc::kDeadlineExceeded));
  EXPECT_EQ(client.replies.at(1).error().code, Errc::kDeadlineExceeded);
  EXPECT_EQ(rig->info("work").ready, 0U);
}

TEST_F(ShardQueue, TakesNoSendsWhileTheDiskIsBehind) {
  rig->log.extra_backlog = std::size_t{33} << 20;
  rig->send(client, log, 1, values_of(1));
  rig->ask(client, 1, core::DescribeQueue{"default", "work"});
  rig->settle_down();
  EXPECT_TRUE(client.sent.empty());
  EXPECT_TRUE(client.replies.contains(1)) << "control traffic never waits";
  rig->log.extra_backlog = 0;
  rig->shard.on_timer();
  rig->settle_down();
  EXPECT_EQ(client.sent.size(), 1U);
}

TEST_F(ShardQueue, StopsForGoodWhenTheLogFails) {
  rig->send(client, log, 1, values_of(1));
  rig->run();
  rig->shard.on_log_failed(proto::make_error(Errc::kStorageFailed));
  rig->shard.on_committed(rig->log.waiting.back().index);
  rig->send(client, log, 2, values_of(1));
  rig->run();
  EXPECT_TRUE(client.sent.empty());
  EXPECT_EQ(rig->failures.size(), 1U);
}

TEST_F(ShardQueue, KeepsLeasesAndAttemptsThroughAReset) {
  subscribe(10);
  rig->send(client, log, 1, values_of(2));
  rig->send(client, log, 2, values_of(2));
  rig->settle_down();
  rig->settle(client, client.deliveries[0], SettleKind::kStarted);
  rig->settle_down();
  rig->send(client, log, 3, values_of(5));
  rig->run();
  rig->log.forget();
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  EXPECT_EQ(client.sent.size(), 2U) << "what was not committed is never answered";
  EXPECT_EQ(rig->info("work").in_flight, 2U);
  EXPECT_EQ(rig->info("work").ready, 2U);
  rig->open(client);
  client.deliveries.clear();
  subscribe(10);
  ASSERT_EQ(client.deliveries.size(), 1U);
  EXPECT_EQ(client.deliveries[0].attempts, 0) << "prefetched, never begun: uncounted";
  rig->pass(1000);
  EXPECT_EQ(client.deliveries.at(1).attempts, 1) << "begun: counted";
}

class ShardTopic : public ShardQueue {
 protected:
  void subscribe_topic(std::uint64_t id, core::StartPosition from, std::uint32_t messages = 1000) {
    rig->ask(client, id, core::SubscribeTopic{"default", "news", 7, {}, from, messages, 1 << 20});
  }
  void publish(int batches) {
    for (int i = 0; i < batches; ++i) {
      rig->send(client, topic, 1, values_of(2), {}, true);
      rig->settle_down();
    }
  }
  [[nodiscard]] std::vector<proto::Offset> ends() const {
    std::vector<proto::Offset> offsets;
    for (const TopicBatch& batch : client.topic_batches) {
      offsets.push_back(batch.next_offset);
    }
    return offsets;
  }
  void begin_topic(std::size_t cache = 1 << 20) {
    begin(cache);
    topic = rig->create_topic(client, "news");
  }
  LogId topic;
};

using At = core::StartPosition::At;

TEST_F(ShardTopic, ServesAReaderThatKeepsUpWithoutTheDisk) {
  begin_topic();
  subscribe_topic(1, {At::kEnd, 0});
  rig->settle_down();
  publish(20);
  EXPECT_EQ(client.topic_batches.size(), 20U);
  EXPECT_EQ(rig->shard.metrics().storage_reads, 0U);
}

TEST_F(ShardTopic, ShowsNothingThatIsNotCommitted) {
  begin_topic();
  subscribe_topic(1, {At::kStart, 0});
  rig->settle_down();
  rig->send(client, topic, 1, values_of(2), {}, true);
  rig->run();
  EXPECT_TRUE(client.topic_batches.empty());
  rig->settle_down();
  EXPECT_EQ(client.topic_batches.size(), 1U);
}

TEST_F(ShardTopic, BeginsWhereItIsAsked) {
  begin_topic();
  publish(2);
  rig->now += 500;
  publish(1);
  const auto begins = [&](std::uint64_t id, core::StartPosition from) {
    subscribe_topic(id, from);
    rig->settle_down();
    return client.reply<core::SubscribedTopic>(id).positions.at(0).offset;
  };
  EXPECT_EQ(begins(1, {At::kStart, 0}), 0);
  EXPECT_EQ(begins(2, {At::kEnd, 0}), 6);
  EXPECT_EQ(begins(3, {At::kOffset, 3}), 3);
  EXPECT_EQ(begins(4, {At::kTime, test::kNow + 1}), 4);
  EXPECT_EQ(begins(5, {At::kTime, test::kNow + 501}), 6);
  subscribe_topic(6, {At::kOffset, 7});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(6).error().code, Errc::kOffsetOutOfRange);
}

TEST_F(ShardTopic, RefusesAPartitionNamedTwice) {
  begin_topic();
  rig->ask(client, 1, core::SubscribeTopic{"default", "news", 7, {{0, {}}, {0, {}}}, {}, 10, 1000});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(1).error().code, Errc::kInvalidArgument);
}

TEST_F(ShardTopic, ReplaysFromTheStoreWhatTheCacheLost) {
  begin_topic(1);
  publish(10);
  subscribe_topic(1, {At::kStart, 0});
  rig->settle_down();
  EXPECT_EQ(ends(), (std::vector<proto::Offset>{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}));
  EXPECT_GT(rig->shard.metrics().storage_reads, 0U);
}

TEST_F(ShardTopic, WaitsForCredit) {
  begin_topic();
  publish(5);
  subscribe_topic(1, {At::kStart, 0}, 4);
  rig->settle_down();
  EXPECT_EQ(client.topic_batches.size(), 2U);
  rig->shard.set_credit(client.id, {7, 4, 1 << 20, 2, 0});
  rig->settle_down();
  EXPECT_EQ(client.topic_batches.size(), 3U);
}

}  // namespace
}  // namespace weir::shard
