#include "broker/shard/peek.hpp"

#include "broker/core/rebuilt_batch.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace weir::shard {
namespace {

using core::MessageState;
using proto::Errc;
using proto::SettleKind;
using test::kNow;
using test::Session;
using test::ShardRig;
using test::values_of;

/// A queue with messages in every state, in three batches of four, looked at where it lies.
struct PeekTest : testing::Test {
  PeekTest() {
    dead = rig.create_queue("dead");
    queue = rig.create_queue("work", {1000, 2, ""});
    rig.send(queue, values_of(4, "a"), kNow);
    rig.send(queue, values_of(4, "b"), kNow + 1);
    rig.send(queue, values_of(4, "c"), kNow + 2);
    const auto acked = *rig.take(queue, 1, kNow + 3);
    rig.settle(queue, Rig::range(acked, SettleKind::kAck), kNow + 3);
    const auto parked = *rig.take(queue, 1, kNow + 3);
    rig.settle(queue, Rig::range(parked, SettleKind::kNack), kNow + 3);
    const auto again = *rig.take(queue, 1, kNow + 3);
    rig.settle(queue, Rig::range(again, SettleKind::kNack), kNow + 3);
    const auto delayed = *rig.take(queue, 1, kNow + 3);
    rig.settle(queue, Rig::range(delayed, SettleKind::kNack, 5'000), kNow + 3);
    const auto returned = *rig.take(queue, 1, kNow + 3);
    (void)rig.take(queue, 2, kNow + 3);
    rig.settle(queue, Rig::range(returned, SettleKind::kRelease), kNow + 3);
    rig.commit(store);
  }
  core::Peeked look(MessageState state, proto::Offset from = 0, std::uint32_t count = 100) {
    return peek(*store.snapshot(), {{queue}, state, from, count, kNow + 10}).value();
  }
  static std::vector<proto::Offset> offsets(const core::Peeked& peeked) {
    std::vector<proto::Offset> found;
    for (const core::PeekedMessage& message : peeked.messages) {
      found.push_back(message.base_offset + message.index);
    }
    return found;
  }
  using Rig = core::test::CoreRig;
  using Offsets = std::vector<proto::Offset>;
  Rig rig;
  storage::MemoryStore store;
  proto::QueueId queue;
  proto::QueueId dead;
};

TEST_F(PeekTest, TellsEachStateFromTheOthers) {
  EXPECT_EQ(offsets(look(MessageState::kParked)), (Offsets{1}));
  EXPECT_EQ(offsets(look(MessageState::kDelayed)), (Offsets{2}));
  EXPECT_EQ(offsets(look(MessageState::kInFlight)), (Offsets{4, 5}));
  EXPECT_EQ(offsets(look(MessageState::kReady)), (Offsets{3, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(offsets(look(MessageState::kDying)), Offsets{});
  const core::Peeked all = look(MessageState::kAny);
  EXPECT_EQ(all.messages.size(), 11U) << "all but what is acked";
  EXPECT_TRUE(all.is_end);
  EXPECT_EQ(all.next_offset, 12);
}

TEST_F(PeekTest, ShowsTheMessageAndWhatBecameOfIt) {
  const core::PeekedMessage delayed = look(MessageState::kDelayed).messages.at(0);
  EXPECT_EQ(delayed.attempts, 1U);
  EXPECT_EQ(delayed.due_time, kNow + 3 + 5'000);
  EXPECT_EQ(delayed.append_time, kNow);
  const auto decoded = proto::decode_record(delayed.record.view()).value();
  EXPECT_EQ(decoded.record.value, "a2");
  EXPECT_EQ(decoded.bytes, delayed.record.size());
  EXPECT_EQ(look(MessageState::kInFlight).messages.at(0).due_time, kNow + 3 + 1'000);
  const core::PeekedMessage fresh = look(MessageState::kAny, 11).messages.at(0);
  EXPECT_EQ(fresh.state, MessageState::kReady);
  EXPECT_EQ(proto::decode_record(fresh.record.view())->record.value, "c3");
  EXPECT_EQ(fresh.due_time, 0);
}

TEST_F(PeekTest, GoesOnWhereItEnded) {
  Offsets all;
  proto::Offset from = 0;
  for (int i = 0; i < 20; ++i) {
    const core::Peeked page = look(MessageState::kAny, from, 2);
    EXPECT_LE(page.messages.size(), 2U);
    const Offsets found = offsets(page);
    all.insert(all.end(), found.begin(), found.end());
    from = page.next_offset;
    if (page.is_end) {
      break;
    }
  }
  EXPECT_EQ(all, (Offsets{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(look(MessageState::kAny, 500).is_end);
}

TEST_F(PeekTest, ShowsNothingOfAPurgedLife) {
  rig.apply(core::Record{core::QueuePurged{queue}});
  rig.commit(store);
  EXPECT_TRUE(look(MessageState::kAny).messages.empty());
  rig.send(queue, values_of(1, "d"));
  rig.commit(store);
  EXPECT_EQ(offsets(look(MessageState::kAny)), (Offsets{12}));
}

TEST_F(PeekTest, EndsAPageByItsBytes) {
  const std::string large(400'000, 'x');
  rig.send(queue, {large, large, large, large});
  rig.commit(store);
  const core::Peeked page = look(MessageState::kReady, 12);
  EXPECT_EQ(offsets(page), (Offsets{12, 13, 14}));
  EXPECT_FALSE(page.is_end);
  EXPECT_EQ(offsets(look(MessageState::kReady, page.next_offset)), (Offsets{15}));
}

TEST_F(PeekTest, NamesABatchThatIsMissing) {
  storage::WriteBatch rows;
  rows.remove(storage::Family::kLog,
              storage::batch_key(storage::KeyKind::kBatch, queue.value, 1, 3));
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  ASSERT_TRUE(store.commit(all));
  const auto looked = peek(*store.snapshot(), {{queue}, MessageState::kParked, 0, 10, kNow + 10});
  ASSERT_FALSE(looked);
  EXPECT_EQ(looked.error().code, Errc::kCorruptBatch);
  EXPECT_NE(looked.error().message.find("offset 0"), std::string::npos);
  EXPECT_EQ(offsets(look(MessageState::kInFlight)), (Offsets{4, 5})) << "others can be seen";
}

TEST_F(PeekTest, SaysWhenTheStoreCannotBeRead) {
  store.fail_reads(true);
  EXPECT_FALSE(peek(*store.snapshot(), {{queue}, MessageState::kAny, 0, 10, kNow}));
}

TEST_F(PeekTest, FindsAMessageByItsIdAlone) {
  PeekWish wish{{queue}, MessageState::kAny, 0, 100, kNow + 10};
  wish.incarnation = 1;
  wish.delays.queue = queue;
  const auto found = [&](proto::Offset offset) {
    wish.filter.message_id = proto::message_id(1, queue.value, offset);
    return peek(*store.snapshot(), wish).value();
  };
  EXPECT_EQ(offsets(found(6)), Offsets{6});
  EXPECT_TRUE(found(6).is_end);
  EXPECT_EQ(found(6).messages.at(0).id, wish.filter.message_id);
  EXPECT_EQ(offsets(found(10)), Offsets{10}) << "behind the cursor";
  EXPECT_EQ(offsets(found(0)), Offsets{}) << "acked";
  EXPECT_TRUE(found(0).is_end);
  wish.from_offset = 5;
  EXPECT_EQ(offsets(found(6)), Offsets{6}) << "from there on";
  wish.from_offset = 7;
  EXPECT_EQ(offsets(found(6)), Offsets{});
  wish.from_offset = 0;
  wish.filter.key = "another";
  EXPECT_EQ(offsets(found(6)), Offsets{}) << "all of the filter holds";
  wish.filter.key = "";
  wish.state = MessageState::kParked;
  EXPECT_EQ(offsets(found(6)), Offsets{});
  wish.state = MessageState::kAny;
  EXPECT_FALSE(found(0).is_older_id);
  wish.incarnation = 2;
  EXPECT_TRUE(found(6).is_older_id) << "nothing tells where it is";
}

TEST_F(PeekTest, ShowsWhatAFilterTakes) {
  PeekWish wish{{queue}, MessageState::kAny, 0, 100, kNow + 10};
  wish.filter.key = "none";
  const auto nothing = peek(*store.snapshot(), wish).value();
  EXPECT_TRUE(nothing.messages.empty());
  EXPECT_TRUE(nothing.is_end);
  EXPECT_EQ(nothing.next_offset, 12) << "everything was looked at";
}

TEST_F(PeekTest, TellsWhatIsRememberedOfAttempts) {
  PeekWish wish{{queue}, MessageState::kParked, 0, 100, kNow + 10};
  EXPECT_TRUE(peek(*store.snapshot(), wish).value().messages.at(0).history.empty());
  wish.with_attempts = true;
  const auto parked = peek(*store.snapshot(), wish).value();
  const std::vector<core::Attempt>& history = parked.messages.at(0).history;
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history.at(1).number, 2U);
  EXPECT_EQ(history.at(1).outcome, core::ReturnCause::kFailed);
}

/// A page is bounded by all that it says.
TEST_F(PeekTest, CountsWhatItTellsOfAttempts) {
  rig.create_queue("storm", {1000, 1000, ""});
  const proto::QueueId storm = *rig.state.catalog().queue("default", "storm");
  rig.send(storm, values_of(200), kNow);
  for (int round = 0; round < 12; ++round) {
    const proto::TimeMs now = kNow + 4 + 2 * round;
    while (const auto held = rig.take(storm, 200, now)) {
      rig.settle(storm, Rig::range(*held, SettleKind::kNack, 1), now, std::string(1000, 'x'));
    }
    rig.commit(store);
  }
  PeekWish wish{{storm}, MessageState::kAny, 0, 1000, kNow + 10};
  wish.with_attempts = true;
  const auto page = peek(*store.snapshot(), wish).value();
  EXPECT_LT(page.messages.size(), 150U);
  EXPECT_FALSE(page.is_end);
  // From the middle of what shares rows.
  wish.from_offset = page.next_offset;
  const auto next = peek(*store.snapshot(), wish).value();
  for (const core::PeekedMessage& message : next.messages) {
    ASSERT_EQ(message.history.size(), 12U);
    for (std::uint16_t i = 0; i < 12; ++i) {
      EXPECT_EQ(message.history[i].number, i + 1);
    }
  }
}

/// What came from elsewhere is found among much that did not, page by page.
TEST_F(PeekTest, FindsWhatCameFromElsewhere) {
  const std::string id = proto::message_id(1, queue.value, 1);
  rig.send(dead, values_of(4), kNow);
  const auto parked = rig.state.queue(queue)->touched(0)->run_at(1);
  ASSERT_NE(parked, nullptr);
  core::RebuiltBatch copies(queue, 1, kNow);
  ASSERT_TRUE(copies.add(*rig.batches.find(proto::LogId{queue.value}, 1), 1, {}));
  rig.apply(core::Record{append_of(copies, core::end_of(*rig.state.queue(dead)), 1, kNow)});
  rig.send(dead, values_of(4), kNow);
  rig.commit(store);
  PeekWish wish{{dead}, MessageState::kAny, 0, 1, kNow + 10};
  wish.filter.message_id = id;
  wish.incarnation = 1;
  wish.delays.queue = dead;
  const auto found = peek(*store.snapshot(), wish).value();
  ASSERT_EQ(offsets(found), Offsets{4});
  EXPECT_EQ(found.messages.at(0).id, id);
  wish.from_offset = found.next_offset;
  const auto rest = peek(*store.snapshot(), wish).value();
  EXPECT_TRUE(rest.messages.empty());
  EXPECT_TRUE(rest.is_end);
}

TEST(PeekShard, TellsAMessageThatWasNeverSentFromOneThatIsGone) {
  ShardRig rig;
  Session client;
  rig.open(client);
  const proto::QueueId queue = rig.create_queue(client, "work");
  rig.send(client, proto::LogId{queue.value}, 1, values_of(3));
  rig.settle_down();
  core::PeekQueue look{.name_space = "default", .queue = "work"};
  const auto ask = [&](std::uint64_t request, const std::string& id) {
    look.filter.message_id = id;
    rig.ask(client, request, look);
    rig.settle_down();
    return client.replies.at(request);
  };
  EXPECT_EQ(
      std::get<core::Peeked>(ask(1, proto::message_id(1, queue.value, 2)).value()).messages.size(),
      1U);
  EXPECT_EQ(ask(2, proto::message_id(1, queue.value, 3)).error().code, Errc::kMessageNotFound);
  EXPECT_EQ(
      ask(3, proto::message_id(1, queue.value, core::Queue::DelayLane::kFirstOffset)).error().code,
      Errc::kMessageNotFound);
  EXPECT_TRUE(ask(4, proto::message_id(1, queue.value + 1, 3))) << "it may have come from there";
  EXPECT_EQ(ask(5, "x").error().code, Errc::kInvalidArgument);
}

TEST(PeekShard, LooksOffTheShardAndChangesNothing) {
  ShardRig rig;
  Session client;
  rig.open(client);
  const proto::QueueId queue = rig.create_queue(client, "work");
  rig.send(client, proto::LogId{queue.value}, 1, values_of(3));
  rig.settle_down();
  core::PeekQueue look{"default", "work", MessageState::kReady, 1, 0};
  rig.ask(client, 1, look);
  rig.run();
  EXPECT_FALSE(client.replies.contains(1));
  rig.settle_down();
  const auto peeked = client.reply<core::Peeked>(1);
  EXPECT_EQ(peeked.messages.size(), 2U);
  EXPECT_EQ(rig.info("work").ready, 3U);
  look.max_messages = proto::kMaxPageResults + 1;
  rig.ask(client, 2, look);
  look.max_messages = 1;
  look.from_offset = -1;
  rig.ask(client, 3, look);
  look.queue = "none";
  rig.ask(client, 4, look);
  rig.settle_down();
  EXPECT_EQ(client.replies.at(2).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.replies.at(3).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.replies.at(4).error().code, Errc::kQueueNotFound);
}

}  // namespace
}  // namespace weir::shard
