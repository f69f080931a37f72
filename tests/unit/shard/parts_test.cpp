#include "broker/shard/batch_loader.hpp"
#include "broker/shard/consumers.hpp"
#include "broker/shard/shard_clock.hpp"
#include "broker/shard/tail_cache.hpp"
#include "storage/memory_store.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

namespace weir::shard {
namespace {

using core::test::CoreRig;
using core::test::kNow;
using core::test::values_of;
using proto::CommitIndex;
using proto::GrantId;
using proto::LogId;
using proto::QueueId;
using proto::SessionId;

TEST(ShardClock, BeginsAtTheLargerOfWallClockAndLastCommit) {
  EXPECT_EQ(ShardClock(500).now(400, 7), 500);
  EXPECT_EQ(ShardClock(500).now(600, 7), 600);
}

TEST(ShardClock, FollowsTheMonotonicClockAndNeverGoesBack) {
  ShardClock clock(0);
  EXPECT_EQ(clock.now(1000, 10), 1000);
  EXPECT_EQ(clock.now(1050, 60), 1050);
  EXPECT_EQ(clock.now(0, 60), 1050);
  EXPECT_EQ(clock.now(0, 50), 1050);
}

TEST(ShardClock, DoesNotCountAGap) {
  ShardClock clock(0);
  clock.now(1000, 0);
  EXPECT_EQ(clock.now(2000, 1000), 2000) << "a second is no gap";
  EXPECT_EQ(clock.now(10'000, 9000), 2000);
  EXPECT_EQ(clock.now(10'100, 9100, true), 2000) << "the disk hangs";
}

TEST(ShardClock, IsDrawnToTheWallClockByOnePercent) {
  for (const std::int64_t off : {5000, -5000}) {
    ShardClock clock(0);
    proto::TimeMs now = clock.now(100'000, 0);
    for (std::int64_t mono = 7; mono <= 7'000; mono += 7) {
      const proto::TimeMs next = clock.now(100'000 + mono + off, mono);
      ASSERT_GE(next, now);
      now = next;
    }
    EXPECT_NEAR(static_cast<double>(now - 107'000), off > 0 ? 70 : -70, 2);
  }
}

core::CachedBatch cached(proto::Offset base, proto::Offset last, std::size_t bytes) {
  core::CachedBatch batch;
  batch.base_offset = base;
  batch.last_offset = last;
  batch.batch = proto::SharedBytes(std::string(bytes, 'x'));
  return batch;
}

TEST(TailCache, FindsTheBatchThatHoldsAnOffset) {
  TailCache cache(1 << 20);
  cache.insert(LogId{1}, cached(0, 4, 10), CommitIndex{});
  cache.insert(LogId{1}, cached(8, 9, 10), CommitIndex{});
  EXPECT_EQ(cache.find(LogId{1}, 4)->base_offset, 0);
  EXPECT_EQ(cache.find(LogId{1}, 5), nullptr) << "a hole is not the batch behind it";
  EXPECT_EQ(cache.find(LogId{1}, 10), nullptr);
  EXPECT_EQ(cache.find(LogId{2}, 0), nullptr);
}

TEST(TailCache, DropsTheOldestBeyondItsBytes) {
  TailCache cache(3000);
  for (int i = 0; i < 10; ++i) {
    cache.insert(LogId{1}, cached(i, i, 1000), CommitIndex{});
    EXPECT_LE(cache.bytes(), 3000U);
  }
  EXPECT_EQ(cache.find(LogId{1}, 0), nullptr);
  EXPECT_NE(cache.find(LogId{1}, 9), nullptr);
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(TailCache, KeepsWhatIsNotCommittedWhateverTheLimit) {
  TailCache cache(1);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    cache.insert(LogId{1}, cached(static_cast<int>(i), static_cast<int>(i), 100), CommitIndex{i});
  }
  EXPECT_NE(cache.find(LogId{1}, 1), nullptr);
  cache.release(CommitIndex{2});
  EXPECT_EQ(cache.find(LogId{1}, 2), nullptr);
  EXPECT_NE(cache.find(LogId{1}, 3), nullptr);
}

TEST(TailCache, ForgetsWhatNobodyWantsAnyMore) {
  TailCache cache(1 << 20);
  cache.insert(LogId{1}, cached(0, 4, 10), CommitIndex{});
  cache.insert(LogId{1}, cached(5, 9, 10), CommitIndex{});
  cache.insert(LogId{1}, cached(10, 14, 10), CommitIndex{1});
  const std::size_t all = cache.bytes();
  cache.forget(LogId{1}, 9);
  EXPECT_EQ(cache.find(LogId{1}, 5), nullptr);
  EXPECT_NE(cache.find(LogId{1}, 4), nullptr);
  EXPECT_LT(cache.bytes(), all);
  const std::size_t two = cache.bytes();
  cache.forget(LogId{1}, 9);
  cache.forget(LogId{2}, 4);
  cache.forget(LogId{1}, 3);
  EXPECT_EQ(cache.bytes(), two) << "what is not here, or is the middle of another";
  cache.forget(LogId{1}, 14);
  EXPECT_NE(cache.find(LogId{1}, 10), nullptr) << "it cannot be read from the store yet";
}

TEST(TailCache, MakesRoomBehindWhatWasForgotten) {
  TailCache cache(3000);
  for (int i = 0; i < 10; ++i) {
    cache.insert(LogId{1}, cached(i, i, 1000), CommitIndex{});
    if (i % 2 == 0) {
      cache.forget(LogId{1}, i);
    }
  }
  EXPECT_NE(cache.find(LogId{1}, 7), nullptr) << "two fit, and those in between are gone";
  EXPECT_NE(cache.find(LogId{1}, 9), nullptr);
  EXPECT_EQ(cache.find(LogId{1}, 5), nullptr);
}

Consumer consumer(std::uint64_t session, std::uint32_t window) {
  Consumer made;
  made.session = SessionId{session};
  made.alias = 1;
  made.queue = QueueId{5};
  made.window_messages = window;
  made.window_bytes = 1000;
  return made;
}

TEST(Consumers, TakeTurns) {
  Consumers all;
  all.add(consumer(1, 10));
  all.add(consumer(2, 0));
  all.add(consumer(3, 10));
  Consumer* const first = all.next_ready(QueueId{5});
  EXPECT_EQ(first->session, SessionId{1});
  EXPECT_EQ(all.next_ready(QueueId{5}, 1)->session, SessionId{3}) << "the second has no room";
  EXPECT_EQ(all.next_ready(QueueId{5}, 2), nullptr);
  all.hold(*first, GrantId{1}, {0, 5, 5});
  Consumer* const third = all.next_ready(QueueId{5});
  EXPECT_EQ(third->session, SessionId{3});
  all.hold(*third, GrantId{2}, {1, 3, 3});
  EXPECT_EQ(all.next_ready(QueueId{5})->session, SessionId{3}) << "it has got less";
  all.hold(*third, GrantId{3}, {2, 3, 3});
  EXPECT_EQ(all.next_ready(QueueId{5})->session, SessionId{1});
  EXPECT_EQ(all.next_ready(QueueId{6}), nullptr);
  EXPECT_EQ(all.count(QueueId{5}), 3U);
}

TEST(Consumers, HaveNoClaimToWhatOthersGotWhileTheyHadNoRoom) {
  Consumers all;
  all.add(consumer(1, 10'000));
  all.add(consumer(2, 1));
  all.hold(*all.find({SessionId{2}, 1}), GrantId{1}, {0, 1, 1});
  for (std::uint64_t grant = 10; grant < 20; ++grant) {
    all.hold(*all.next_ready(QueueId{5}), GrantId{grant}, {9, 10, 10});
  }
  Consumer& second = *all.find({SessionId{2}, 1});
  second.window_messages = 10'000;
  all.hold(second, GrantId{30}, {9, 20, 20});
  EXPECT_EQ(all.next_ready(QueueId{5})->session, SessionId{1});
}

TEST(Consumers, ShareWithReceivesThatWait) {
  Consumers all;
  EXPECT_FALSE(all.is_turn_of_waiters(QueueId{5}, nullptr));
  all.add(consumer(1, 100));
  Consumer& one = *all.find({SessionId{1}, 1});
  EXPECT_FALSE(all.is_turn_of_waiters(QueueId{5}, &one));
  all.add(Waiter{SessionId{2}, 1, QueueId{5}, 1, 1, 1, 50});
  EXPECT_TRUE(all.is_turn_of_waiters(QueueId{5}, nullptr));
  EXPECT_TRUE(all.is_turn_of_waiters(QueueId{5}, &one));
  all.note_received(QueueId{5}, 10);
  EXPECT_FALSE(all.is_turn_of_waiters(QueueId{5}, &one));
  all.hold(one, GrantId{1}, {9, 9, 9});
  EXPECT_FALSE(all.is_turn_of_waiters(QueueId{5}, &one));
  all.hold(one, GrantId{2}, {9, 2, 2});
  EXPECT_TRUE(all.is_turn_of_waiters(QueueId{5}, &one));
  all.add(Waiter{SessionId{3}, 1, QueueId{5}, 1, 1, 1, 50});
  all.note_received(QueueId{5}, 1);
  EXPECT_TRUE(all.is_turn_of_waiters(QueueId{5}, &one)) << "two that wait count as two";
}

TEST(Consumers, GetBackExactlyWhatTheyHeld) {
  Consumers all;
  all.add(consumer(1, 10));
  Consumer& one = *all.find({SessionId{1}, 1});
  all.hold(one, GrantId{7}, {9, 10, 995});
  EXPECT_FALSE(one.has_room());
  EXPECT_EQ(all.free(GrantId{7}, 3), QueueId{5});
  EXPECT_EQ(one.held_messages, 7U);
  EXPECT_EQ(all.free(GrantId{7}, 70), QueueId{5});
  EXPECT_EQ(one.held_messages, 0U);
  EXPECT_EQ(one.held_bytes, 0U);
  EXPECT_FALSE(all.free(GrantId{7}, 1));
}

TEST(Consumers, ForgetASessionWithItsWaitersAndGrants) {
  Consumers all;
  all.add(consumer(1, 10));
  all.add(consumer(2, 10));
  all.hold(*all.find({SessionId{1}, 1}), GrantId{7}, {9, 1, 10});
  all.add(Waiter{SessionId{1}, 1, QueueId{5}, 1, 1, 1, 50});
  all.add(Waiter{SessionId{2}, 2, QueueId{5}, 1, 1, 1, 60});
  const auto removed = all.remove_session(SessionId{1});
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_EQ(removed[0].grants.size(), 1U);
  EXPECT_FALSE(all.free(GrantId{7}, 1));
  EXPECT_EQ(all.first_waiter(QueueId{5})->session, SessionId{2});
  EXPECT_EQ(all.next_deadline(), 60);
  EXPECT_TRUE(all.take_expired(60, [](QueueId) { return true; }).empty())
      << "its batch is being loaded";
  EXPECT_EQ(all.take_expired(60, [](QueueId) { return false; }).size(), 1U);
  EXPECT_EQ(all.first_waiter(QueueId{5}), nullptr);
}

TEST(BatchLoader, ReadsTheWantedBatchAndSomeBehindIt) {
  CoreRig rig;
  storage::MemoryStore store;
  const QueueId queue = rig.create_queue("work");
  for (int i = 0; i < 3; ++i) {
    rig.send(queue, values_of(2));
  }
  rig.commit(store);
  const auto reader = store.snapshot();
  const auto batches = load_batches(*reader, {LogId{queue.value}, 1, 3}).value();
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[0].base_offset, 2);
  EXPECT_EQ(batches[0].records.size(), 2U);
  EXPECT_EQ(batches[0].append_time, kNow);
  EXPECT_EQ(load_batches(*reader, {LogId{queue.value}, 1, 6}).error().code,
            proto::Errc::kCorruptBatch);
  EXPECT_FALSE(load_batches(*reader, {LogId{queue.value}, 2, 0})) << "another generation";
}

}  // namespace
}  // namespace weir::shard
