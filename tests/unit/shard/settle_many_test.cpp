#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

constexpr std::optional<Errc> kAccepted = std::nullopt;

class ShardSettlesMany : public ::testing::Test {
 protected:
  ShardSettlesMany() {
    rig.open(client);
    queue = rig.create_queue(client, "work");
  }
  /// Messages of one batch, received one by one.
  std::vector<core::Delivery> received(std::uint32_t count, std::int64_t lease_ms = 60'000) {
    rig.send(client, LogId{queue.value}, ++sends, values_of(count));
    std::vector<core::Delivery> deliveries;
    for (std::uint32_t i = 0; i < count; ++i) {
      rig.ask(client, 100, core::Receive{"default", "work", 1, 0, 0, lease_ms});
      rig.settle_down();
      deliveries.push_back(client.reply<core::Received>(100).deliveries.at(0));
    }
    return deliveries;
  }
  core::SettleByHandle entry(const core::Delivery& held, SettleKind kind, std::uint32_t value = 0) {
    return {test::handle_of(held, rig.shard.incarnation()), kind, value, "default", ""};
  }
  void ask(std::vector<proto::Result<core::SettleByHandle>> entries, std::uint32_t deadline = 0) {
    client.replies.erase(7);
    rig.ask(client, 7, core::SettleManyByHandle{std::move(entries)}, deadline);
  }
  std::vector<std::optional<Errc>> outcomes() {
    std::vector<std::optional<Errc>> codes;
    for (const proto::Result<>& outcome : client.reply<core::SettledMany>(7).outcomes) {
      codes.push_back(outcome ? kAccepted : outcome.error().code);
    }
    return codes;
  }

  ShardRig rig{std::size_t{1} << 20, 1200};  // memory for about two idle batches of one message
  Session client;
  proto::QueueId queue;
  std::uint64_t sends = 0;
};

TEST_F(ShardSettlesMany, EachForItself) {
  const auto held = received(6);
  core::SettleByHandle altered = entry(held[4], SettleKind::kAck);
  altered.handle[30] = altered.handle[30] == 'A' ? 'B' : 'A';
  core::SettleByHandle of_another = entry(held[4], SettleKind::kAck);
  of_another.queue = "elsewhere";
  ask({entry(held[0], SettleKind::kAck), altered, entry(held[1], SettleKind::kNack, 5000),
       entry(held[2], SettleKind::kRelease), of_another,
       entry(held[3], SettleKind::kExtend, 120'000)});
  rig.run();
  EXPECT_FALSE(client.replies.contains(7)) << "what is said is durable";
  rig.settle_down();
  EXPECT_EQ(outcomes(), (std::vector{kAccepted, std::optional(Errc::kReceiptInvalid), kAccepted,
                                     kAccepted, std::optional(Errc::kQueueNotFound), kAccepted}));
  const core::QueueInfo info = rig.info("work");
  EXPECT_EQ(info.messages(), 5U);
  EXPECT_EQ(info.delayed, 1U);
  EXPECT_EQ(info.ready, 1U);
  EXPECT_EQ(info.in_flight, 3U);
  rig.pass(60'000);
  EXPECT_EQ(rig.info("work").in_flight, 1U) << "one is extended";
}

TEST_F(ShardSettlesMany, TheSameMessageTwice) {
  const auto held = received(2);
  ask({entry(held[0], SettleKind::kAck), entry(held[0], SettleKind::kAck),
       entry(held[0], SettleKind::kNack), entry(held[1], SettleKind::kNack),
       entry(held[1], SettleKind::kAck)});
  rig.settle_down();
  EXPECT_EQ(outcomes(), (std::vector{kAccepted, kAccepted, std::optional(Errc::kReceiptExpired),
                                     kAccepted, kAccepted}))
      << "a late ack is accepted, as long as nobody else has the message";
}

TEST_F(ShardSettlesMany, TellsWhyAnEntryWasNotUnderstood) {
  const auto held = received(1);
  ask({proto::fail(Errc::kUnsupported, "no such action"), entry(held[0], SettleKind::kAck)});
  rig.settle_down();
  EXPECT_EQ(outcomes(), (std::vector{std::optional(Errc::kUnsupported), kAccepted}));
  EXPECT_EQ(client.reply<core::SettledMany>(7).outcomes[0].error().message, "no such action");
  std::uint64_t refused = 0;
  rig.shard.metrics().refused_settlements.visit(
      [&](Errc code, std::uint64_t count) { refused += code == Errc::kUnsupported ? count : 0; });
  EXPECT_EQ(refused, 1U);
}

TEST_F(ShardSettlesMany, RefusesALeaseBeyondTheLimitForItsEntryAlone) {
  const auto held = received(2);
  ask({entry(held[0], SettleKind::kExtend, 13 * 3600 * 1000), entry(held[1], SettleKind::kAck)});
  rig.settle_down();
  EXPECT_EQ(outcomes(), (std::vector{std::optional(Errc::kInvalidArgument), kAccepted}));
}

TEST_F(ShardSettlesMany, AnswersOthersBetweenTheParts) {
  Session other;
  rig.open(other);
  const auto held = received(1);
  const std::size_t count = 2 * ShardOptions().settles_per_turn;
  ask(std::vector<proto::Result<core::SettleByHandle>>(count, entry(held[0], SettleKind::kAck)));
  rig.ask(other, 1, core::DescribeQueue{"default", "work"});
  const auto turn = std::move(rig.posted.front());
  rig.posted.pop_front();
  turn();
  rig.shard.on_committed(*rig.log.commit_one());
  EXPECT_TRUE(other.replies.contains(1));
  EXPECT_FALSE(client.replies.contains(7));
  rig.settle_down();
  EXPECT_EQ(outcomes(), std::vector(count, kAccepted));
}

/// Messages that were given back for a while and lie in the store alone.
class ShardSettlesManyFromTheStore : public ShardSettlesMany {
 protected:
  std::vector<core::Delivery> returned(proto::QueueId where, const std::string& name,
                                       std::uint32_t batches) {
    std::vector<core::Delivery> held;
    for (std::uint32_t i = 0; i < batches; ++i) {
      rig.send(client, LogId{where.value}, ++sends, values_of(1));
      rig.ask(client, 100, core::Receive{"default", name, 1, 0, 0, 60'000});
      rig.settle_down();
      held.push_back(client.reply<core::Received>(100).deliveries.at(0));
      rig.settle(client, held.back(), SettleKind::kNack, 600'000 + i * 1000);
      rig.settle_down();
    }
    return held;
  }
};

TEST_F(ShardSettlesManyFromTheStore, GoesOnBehindEachRowThatItWaitedFor) {
  const auto held = returned(queue, "work", 20);
  std::vector<proto::Result<core::SettleByHandle>> entries;
  for (std::size_t i = 10; i < 20; ++i) {
    entries.push_back(entry(held[i], SettleKind::kAck));
    entries.push_back(entry(held[i], SettleKind::kNack));  // it is done by then
  }
  ask(std::move(entries));
  rig.run();
  EXPECT_FALSE(rig.loader.waiting.empty());
  rig.settle_down();
  const auto said = outcomes();
  ASSERT_EQ(said.size(), 20U);
  for (std::size_t i = 0; i < said.size(); i += 2) {
    EXPECT_EQ(said[i], kAccepted) << i;
    EXPECT_EQ(said[i + 1], Errc::kReceiptExpired) << i;
  }
  EXPECT_EQ(rig.info("work").messages(), 10U);
}

/// What is known to be done in one queue says nothing of the same place in another.
TEST_F(ShardSettlesManyFromTheStore, TellsEqualOffsetsOfTwoQueuesApart) {
  const proto::QueueId second = rig.create_queue(client, "second");
  const auto of_first = returned(queue, "work", 20);
  const auto of_second = returned(second, "second", 20);
  rig.settle(client, of_first[15], SettleKind::kAck);
  rig.settle_down();
  ASSERT_EQ(of_first[15].base_offset, of_second[15].base_offset);
  ask({entry(of_first[15], SettleKind::kAck), entry(of_second[15], SettleKind::kAck)});
  rig.settle_down();
  EXPECT_EQ(outcomes(), (std::vector{kAccepted, kAccepted}));
  EXPECT_EQ(rig.info("second").messages(), 19U) << "it is gone, not only said to be";
}

TEST_F(ShardSettlesManyFromTheStore, FinishesInSpiteOfItsDeadlineWhatItHasBegun) {
  const auto held = returned(queue, "work", 20);
  const std::uint64_t waited = rig.shard.metrics().waited_inputs;
  const core::SettleByHandle none{"none", SettleKind::kAck, 0, "default", ""};
  ask({none, entry(held[15], SettleKind::kAck)}, 100);
  rig.run();
  EXPECT_EQ(rig.shard.metrics().waited_inputs, waited + 1);
  rig.now += 1000;
  rig.settle_down();
  EXPECT_EQ(outcomes(), (std::vector{std::optional(Errc::kReceiptInvalid), kAccepted}));

  ask({entry(held[14], SettleKind::kAck)}, 100);
  rig.now += 1000;
  rig.settle_down();
  EXPECT_EQ(client.replies.at(7).error().code, Errc::kDeadlineExceeded) << "nothing of it was done";
}

}  // namespace
}  // namespace weir::shard
