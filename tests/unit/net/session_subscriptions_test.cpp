#include "proto/limits.hpp"
#include "tests/unit/net/session_fixture.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// Subscriptions of one session: how they begin and end, and how many there may be.
namespace weir::net {
namespace {

using proto::Errc;
using proto::FrameType;

TEST(SessionMachine, SettlesForASubscriptionThatHasEnded) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_unsubscribe()->set_alias(alias);
  ASSERT_TRUE(session.ask(request));
  session.machine.on_reply(1, core::Reply(core::Done()));
  EXPECT_TRUE(session.response().has_done());
  EXPECT_TRUE(session.settle(1, alias));

  request.set_id(2);
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kInvalidArgument));
}

TEST(SessionMachine, TakesTheEndOfASubscriptionThatIsRefusedMeanwhile) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe() + 1;  // of the next one
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_subscribe()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  request.set_id(2);
  request.mutable_unsubscribe()->set_alias(alias);
  ASSERT_TRUE(session.ask(request));
  session.machine.on_reply(1, proto::fail(Errc::kQueueNotFound, "no"));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kQueueNotFound));
  session.machine.on_reply(2, core::Reply(core::Done()));
  EXPECT_TRUE(session.response().has_done());
}

/// Each subscription ends once, whoever says so: else the count of those that stand would be wrong.
TEST(SessionMachine, CountsASubscriptionThatEndsInTwoWaysOnce) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_subscribe()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  request.set_id(2);
  request.mutable_unsubscribe()->set_alias(alias + 1);
  ASSERT_TRUE(session.ask(request));
  session.machine.on_reply(2, core::Reply(core::Done()));
  static_cast<void>(session.response());
  session.machine.on_reply(1, proto::fail(Errc::kQueueNotFound, "no"));
  static_cast<void>(session.response());
  request.set_id(3);
  request.mutable_unsubscribe()->set_alias(alias);
  ASSERT_TRUE(session.ask(request));
  session.machine.on_reply(3, core::Reply(core::Done()));
  static_cast<void>(session.response());
  session.machine.on_subscription_ended(alias, proto::fail(Errc::kCorruptBatch, "at offset 7"));
  static_cast<void>(session.written());

  for (std::uint64_t id = 1; id <= proto::kMaxSubscriptionsPerConnection; ++id) {
    ASSERT_NE(session.subscribe(100 + id), 0U) << id;
  }
  request.set_id(5'000);
  request.mutable_subscribe()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kLimitExceeded));
}

TEST(SessionMachine, TellsThatASubscriptionHasEndedBehindWhatItGot) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  core::Delivery delivery;
  delivery.count = 1;
  delivery.records = proto::SharedBytes(std::string("records"));
  session.machine.on_delivery(alias, delivery);
  session.machine.on_subscription_ended(alias, proto::fail(Errc::kCorruptBatch, "at offset 7"));
  ASSERT_TRUE(session.give(FrameType::kPing, {}));
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].type, FrameType::kPong) << "answers overtake it";
  EXPECT_EQ(frames[1].type, FrameType::kDeliver);
  ASSERT_EQ(frames[2].type, FrameType::kSubscriptionEnded);
  const auto ended = proto::parse_subscription_ended(frames[2].body).value();
  EXPECT_EQ(ended.alias(), alias);
  EXPECT_EQ(proto::from_wire(ended.error()), proto::fail(Errc::kCorruptBatch, "at offset 7"));

  EXPECT_TRUE(session.settle(1, alias)) << "it still stands for its queue";
  std::string credit;
  proto::encode(proto::Credit{.alias = alias}, credit);
  ASSERT_TRUE(session.give_encoded(credit)) << "crossed with the end";
  EXPECT_TRUE(session.outlet.credits.empty());
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_unsubscribe()->set_alias(alias);
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kInvalidArgument));
}

TEST(SessionMachine, BoundsSubscriptions) {
  Session session;
  session.open();
  for (std::uint64_t id = 1; id <= proto::kMaxSubscriptionsPerConnection; ++id) {
    session.subscribe(id);
  }
  weir::v1::Request request;
  request.set_id(5'000);
  request.mutable_subscribe()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kLimitExceeded));
}

TEST(SessionMachine, BeginsAPartitionThatNamesNoPlaceWhereTheRequestSays) {
  using At = core::StartPosition::At;
  Session session;
  session.open();
  weir::v1::Request request;
  request.set_id(1);
  weir::v1::SubscribeTopic& subscribe = *request.mutable_subscribe_topic();
  subscribe.set_topic("events");
  subscribe.add_partitions()->set_partition(3);
  subscribe.add_partitions()->mutable_from()->set_offset(7);
  const auto starts = [&] {
    EXPECT_TRUE(session.ask(request));
    return std::get<core::SubscribeTopic>(session.outlet.requests.back().request).partitions;
  };
  EXPECT_EQ(starts().at(0).from.at, At::kStart);
  subscribe.mutable_from()->set_end(true);
  request.set_id(2);
  const std::vector<core::PartitionStart> behind = starts();
  EXPECT_EQ(behind.at(0).from.at, At::kEnd);
  EXPECT_EQ(behind.at(1).from.at, At::kOffset);
}

TEST(SessionMachine, FreesTheSlotOfARefusedSubscription) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.mutable_subscribe()->set_queue("work");
  for (std::uint64_t id = 1; id <= 2 * proto::kMaxSubscriptionsPerConnection; ++id) {
    request.set_id(id);
    ASSERT_TRUE(session.ask(request));
    session.machine.on_reply(id, proto::fail(Errc::kQueueNotFound, "no"));
    ASSERT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kQueueNotFound));
  }
}

}  // namespace
}  // namespace weir::net
