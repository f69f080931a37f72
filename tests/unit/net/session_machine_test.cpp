#include "proto/batch/stored_batch.hpp"
#include "proto/limits.hpp"
#include "tests/unit/net/session_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace weir::net {
namespace {

using proto::Errc;
using proto::FrameType;

TEST(SessionMachine, GreetsWithWhatTheBrokerIs) {
  Session session;
  EXPECT_EQ(session.machine.max_frame_bytes(), proto::kMaxFrameBytesBeforeHello);
  ASSERT_TRUE(session.hello());
  EXPECT_EQ(session.machine.max_frame_bytes(), proto::kMaxFrameBytes);
  EXPECT_THAT(session.outlet.opened, testing::ElementsAre("test/1|billing"));

  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  ASSERT_EQ(frames[0].type, FrameType::kWelcome);
  const weir::v1::Welcome welcome = proto::parse_welcome(frames[0].body).value();
  EXPECT_EQ(welcome.protocol(), 1U);
  EXPECT_EQ(welcome.session(), 7U);
  EXPECT_EQ(welcome.incarnation(), 3U);
  EXPECT_EQ(welcome.epoch(), 2U);
  EXPECT_EQ(welcome.shard(), 1U);
  EXPECT_EQ(welcome.heartbeat_ms(), 10'000U);
  EXPECT_EQ(welcome.dead_after_ms(), 30'000U);
  EXPECT_EQ(welcome.send_window_bytes(), SendBudget::kFirstWindow);
}

TEST(SessionMachine, GivesItsSendCreditBackWhenItEnds) {
  RecordingOutlet outlet;
  Outbox outbox;
  SendBudget budget(std::size_t{64} << 20);
  {
    SessionMachine machine(outlet, outbox, budget, [] { return core::Uuid{}; }, Session::kStart);
    weir::v1::Hello hello;
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    const std::string body = hello.SerializeAsString();
    ASSERT_TRUE(machine.on_frame({.type = FrameType::kHello, .body = body}, Session::kStart));
    EXPECT_EQ(budget.used_bytes(), SendBudget::kFirstWindow);
  }
  EXPECT_EQ(budget.used_bytes(), 0U);
}

TEST(SessionMachine, WantsHelloFirstAndOnce) {
  Session session;
  EXPECT_EQ(session.give(FrameType::kPing, {}).error().code, Errc::kMalformed);
  session.open();
  EXPECT_EQ(session.hello().error().code, Errc::kMalformed);
}

TEST(SessionMachine, RefusesProtocolsThatItDoesNotSpeak) {
  EXPECT_EQ(Session().hello(3, 9).error().code, Errc::kUnsupported);
  EXPECT_EQ(Session().hello(0, 0).error().code, Errc::kUnsupported);
  EXPECT_TRUE(Session().hello(0, 9));
}

TEST(SessionMachine, RefusesANamespaceWithABadName) {
  EXPECT_EQ(Session().hello(1, 1, "../etc").error().code, Errc::kInvalidName);
}

TEST(SessionMachine, GivesUpOnAClientThatDoesNotSayHello) {
  Session session;
  EXPECT_TRUE(session.machine.on_tick(Session::kStart + proto::kHelloTimeoutMs - 1));
  EXPECT_EQ(session.machine.on_tick(Session::kStart + proto::kHelloTimeoutMs).error().code,
            Errc::kDeadlineExceeded);
}

TEST(SessionMachine, PingsASilentClientAndGivesUpAfterThirtySeconds) {
  Session session;
  session.open();
  const auto tick = [&](MonoMs after) { return session.machine.on_tick(Session::kStart + after); };
  EXPECT_TRUE(tick(9'999));
  EXPECT_THAT(session.written(), testing::IsEmpty());
  EXPECT_TRUE(tick(10'000));
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, FrameType::kPing);
  EXPECT_TRUE(tick(19'000));
  EXPECT_THAT(session.written(), testing::IsEmpty());
  EXPECT_TRUE(tick(29'999));
  EXPECT_EQ(tick(30'000).error().code, Errc::kDeadlineExceeded);
}

TEST(SessionMachine, DoesNotHoldItsOwnStallAgainstTheClient) {
  Session session;
  session.open();
  session.machine.on_stall(60'000);
  EXPECT_TRUE(session.machine.on_tick(Session::kStart + 60'000));
  EXPECT_EQ(session.machine.on_tick(Session::kStart + 90'000).error().code,
            Errc::kDeadlineExceeded);
}

TEST(SessionMachine, AnswersAPing) {
  Session session;
  session.open();
  ASSERT_TRUE(session.give(FrameType::kPing, {}));
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, FrameType::kPong);
}

TEST(SessionMachine, AnswersAnUnknownRequestWithUnsupported) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.set_id(9);
  ASSERT_TRUE(session.ask(request));
  const weir::v1::Response response = session.response();
  EXPECT_EQ(response.id(), 9U);
  EXPECT_EQ(response.error().code(), static_cast<std::uint32_t>(Errc::kUnsupported));
}

TEST(SessionMachine, DrawsAUuidForWhatIsCreated) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.set_id(1);
  request.set_deadline_ms(77);
  request.mutable_create_queue()->set_name("work");
  ASSERT_TRUE(session.ask(request));
  ASSERT_EQ(session.outlet.requests.size(), 1U);
  EXPECT_EQ(session.outlet.requests[0].deadline_ms, 77U);
  const auto& create = std::get<core::CreateQueue>(session.outlet.requests[0].request);
  EXPECT_EQ(create.name_space, "default");
  EXPECT_EQ(create.name, "work");
  EXPECT_EQ(create.uuid[0], 1);
}

TEST(SessionMachine, EndsWhenARequestIdIsUsedTwice) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_describe_queue()->set_name("work");
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.ask(request).error().code, Errc::kMalformed);
}

TEST(SessionMachine, BoundsOpenRequests) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.mutable_describe_queue()->set_name("work");
  for (std::uint64_t id = 1; id <= SessionMachine::kMaxOpenRequests; ++id) {
    request.set_id(id);
    ASSERT_TRUE(session.ask(request));
  }
  request.set_id(1'000'000);
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kLimitExceeded));
}

TEST(SessionMachine, HandsOnAGoodBatchWithRoomForItsStoredHeader) {
  Session session;
  session.open();
  ASSERT_EQ(session.attach_queue(), 1U);
  const std::string batch = Session::batch();
  ASSERT_TRUE(session.send(1, batch));
  ASSERT_EQ(session.outlet.sends.size(), 1U);
  const RecordingOutlet::SentBatch& sent = session.outlet.sends[0];
  EXPECT_EQ(sent.deadline_ms, 250U);
  EXPECT_EQ(sent.batch.log, proto::LogId(42));
  EXPECT_FALSE(sent.batch.topic);
  EXPECT_EQ(sent.batch.stored.substr(proto::kStoredHeaderBytes), batch);
  EXPECT_EQ(sent.batch.columns.records.size(), 1U);
}

TEST(SessionMachine, RefusesADamagedBatchAndGoesOn) {
  Session session;
  session.open();
  session.attach_queue();
  std::string damaged = Session::batch();
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  ASSERT_TRUE(session.send(1, damaged));
  ASSERT_TRUE(session.send(2, Session::batch()));
  session.machine.flush();
  EXPECT_EQ(session.outlet.sends.size(), 1U);
  EXPECT_THAT(session.outlet.bad_batches, testing::ElementsAre(Errc::kCorruptBatch));
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  const proto::Sent sent = proto::decode_sent(frames[0].body).value();
  ASSERT_EQ(sent.entries.size(), 1U);
  EXPECT_EQ(sent.entries[0].send_number, 1U);
  EXPECT_EQ(sent.entries[0].code, static_cast<std::uint16_t>(Errc::kCorruptBatch));
}

TEST(SessionMachine, RefusesAPartitionThatIsNotThere) {
  Session session;
  session.open();
  session.attach_queue();
  ASSERT_TRUE(session.send(1, Session::batch(), 1, 3));
  session.machine.flush();
  const proto::Sent sent = proto::decode_sent(session.written().at(0).body).value();
  EXPECT_EQ(sent.entries.at(0).code, static_cast<std::uint16_t>(Errc::kPartitionNotFound));
}

TEST(SessionMachine, WantsSendNumbersWithoutGapsAndKnownAliases) {
  Session session;
  session.open();
  session.attach_queue();
  EXPECT_EQ(session.send(2, Session::batch()).error().code, Errc::kMalformed);
  EXPECT_EQ(session.send(1, Session::batch(), 99).error().code, Errc::kMalformed);
}

TEST(SessionMachine, PutsAllOutcomesOfOneFlushIntoOneFrame) {
  Session session;
  session.open();
  session.attach_queue();
  for (std::uint64_t number = 1; number <= 3; ++number) {
    ASSERT_TRUE(session.send(number, Session::batch()));
    proto::SentEntry entry;
    entry.send_number = number;
    session.machine.on_sent(entry);
  }
  session.machine.flush();
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(proto::decode_sent(frames[0].body).value().entries.size(), 3U);
}

TEST(SessionMachine, EndsWhenMoreIsSentThanTheCredit) {
  Session session(0);  // no budget: the small window
  session.open();
  session.attach_queue();
  const std::string large = Session::batch(std::string(100'000, 'x'));
  ASSERT_TRUE(session.send(1, large)) << "a single one may exceed the window";
  EXPECT_EQ(session.send(2, Session::batch()).error().code, Errc::kMalformed);
}

TEST(SessionMachine, ReturnsCreditWithTheAnswer) {
  Session session(0);
  session.open();
  session.attach_queue();
  const std::string large = Session::batch(std::string(100'000, 'x'));
  ASSERT_TRUE(session.send(1, large));
  proto::SentEntry entry;
  entry.send_number = 1;
  session.machine.on_sent(entry);
  EXPECT_TRUE(session.send(2, large));
}

TEST(SessionMachine, GrowsTheWindowOfAProducerThatUsesIt) {
  Session session;
  session.open();
  session.attach_queue();
  const std::string batch = Session::batch(std::string(600'000, 'x'));
  ASSERT_TRUE(session.send(1, batch));
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  ASSERT_EQ(frames[0].type, FrameType::kSendCredit);
  EXPECT_EQ(proto::decode_send_credit(frames[0].body).value().window_bytes,
            2 * SendBudget::kFirstWindow);
}

TEST(SessionMachine, AttachesOneNameUnderOneAlias) {
  Session session;
  session.open();
  EXPECT_EQ(session.attach_queue(1), session.attach_queue(2));
  EXPECT_NE(session.attach_queue(3, "other"), 1U);
}

TEST(SessionMachine, SettlesBySubscriptionAndByAttachedQueue) {
  Session session;
  session.open();
  const std::uint32_t attached = session.attach_queue();
  const std::uint32_t subscribed = session.subscribe();
  ASSERT_NE(attached, subscribed);
  EXPECT_TRUE(session.settle(1, attached));
  EXPECT_TRUE(session.settle(2, subscribed));
  ASSERT_EQ(session.outlet.settles.size(), 2U);
  EXPECT_EQ(session.outlet.settles[0].queue, proto::QueueId(42));
  EXPECT_EQ(session.outlet.settles[1].queue, proto::QueueId(42));
  EXPECT_EQ(session.settle(3, 99).error().code, Errc::kMalformed);
  EXPECT_EQ(session.settle(5, attached).error().code, Errc::kMalformed);
}

TEST(SessionMachine, FreesTheSlotOfASubscriptionThatTheBrokerHasEnded) {
  Session session;
  session.open();
  for (std::uint64_t id = 1; id <= 2 * proto::kMaxSubscriptionsPerConnection; ++id) {
    const std::uint32_t alias = session.subscribe(id);
    ASSERT_NE(alias, 0U);
    session.machine.on_subscription_ended(alias, proto::make_error(Errc::kCorruptBatch));
    session.written();
  }
}

TEST(SessionMachine, EndsASubscriptionOnceWhenTheClientLeavesItAtTheSameTime) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_unsubscribe()->set_alias(alias);
  ASSERT_TRUE(session.ask(request));
  session.machine.on_subscription_ended(alias, proto::make_error(Errc::kCorruptBatch));
  session.machine.on_reply(1, proto::fail(Errc::kInvalidArgument, "no such subscription"));
  session.written();
  for (std::uint64_t id = 2; id <= proto::kMaxSubscriptionsPerConnection + 1; ++id) {
    session.subscribe(id);
  }
  request.set_id(5'000);
  request.mutable_subscribe()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kLimitExceeded));
}

TEST(SessionMachine, PassesCreditOnForSubscriptionsAlone) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  std::string frame;
  proto::encode(proto::Credit{.alias = alias,
                              .window_messages = 5,
                              .window_bytes = 6,
                              .consumed_messages = 0,
                              .consumed_bytes = 0},
                frame);
  ASSERT_TRUE(session.give_encoded(frame));
  ASSERT_EQ(session.outlet.credits.size(), 1U);
  EXPECT_EQ(session.outlet.credits[0].window_messages, 5U);
  frame.clear();
  proto::encode(proto::Credit{.alias = alias + 1}, frame);
  EXPECT_EQ(session.give_encoded(frame).error().code, Errc::kMalformed);
}

TEST(SessionMachine, AcknowledgesSettlementsTogether) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  ASSERT_TRUE(session.settle(1, alias));
  ASSERT_TRUE(session.settle(2, alias));
  const proto::SettleFailure failure{.settle_number = 2,
                                     .grant = proto::GrantId(5),
                                     .first_index = 0,
                                     .count = 1,
                                     .code = static_cast<std::uint16_t>(Errc::kNotInFlight)};
  session.machine.on_settled(1, {});
  session.machine.on_settled(2, std::span(&failure, 1));
  session.machine.flush();
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  const proto::Settled settled = proto::decode_settled(frames[0].body).value();
  EXPECT_EQ(settled.up_to, 2U);
  EXPECT_THAT(settled.failed, testing::ElementsAre(failure));
}

TEST(SessionMachine, TellsOfMoreFailuresThanAFrameHoldsInSeveralFrames) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  for (std::uint64_t number = 1; number <= 3; ++number) {
    ASSERT_TRUE(session.settle(number, alias));
  }
  const std::vector<proto::SettleFailure> most(proto::Settled::kMaxFailures);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    session.machine.on_settled(number, most);
  }
  session.machine.flush();
  std::vector<std::uint64_t> up_to;
  std::size_t failures = 0;
  for (const WrittenFrame& frame : session.written()) {
    const proto::Settled settled = proto::decode_settled(frame.body).value();
    up_to.push_back(settled.up_to);
    failures += settled.failed.size();
  }
  EXPECT_THAT(up_to, testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(failures, 3 * most.size());
}

TEST(SessionMachine, BoundsMessagesWhoseSettlementIsNotAnswered) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  std::uint64_t number = 0;
  std::uint64_t messages = 0;
  while (session.settle(number + 1, alias, proto::kMaxBatchRecords)) {
    ++number;
    messages += proto::kMaxBatchRecords;
    ASSERT_LE(messages, SessionMachine::kMaxOpenSettledMessages);
  }
  EXPECT_EQ(messages, SessionMachine::kMaxOpenSettledMessages);
}

TEST(SessionMachine, TakesSettlementsAgainOnceTheyAreAnswered) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  const std::uint64_t frames =
      2 * SessionMachine::kMaxOpenSettledMessages / proto::kMaxBatchRecords;
  for (std::uint64_t number = 1; number <= frames; ++number) {
    ASSERT_TRUE(session.settle(number, alias, proto::kMaxBatchRecords)) << number;
    session.machine.on_settled(number, {});
  }
}

TEST(SessionMachine, IsQuietWhenNothingIsOwedAndNothingHeld) {
  Session session;
  session.open();
  EXPECT_TRUE(session.machine.is_quiet());
  const std::uint32_t alias = session.subscribe();
  core::Delivery delivery;
  delivery.count = 2;
  session.machine.on_delivery(alias, delivery);
  EXPECT_FALSE(session.machine.is_quiet());
  ASSERT_TRUE(session.settle(1, alias, 2));
  EXPECT_FALSE(session.machine.is_quiet());
  session.machine.on_settled(1, {});
  EXPECT_TRUE(session.machine.is_quiet());
}

// Settled by handle, several at once: those that were refused are the client's still.
TEST(SessionMachine, IsQuietWhenAllThatItHeldIsSettledByHandles) {
  Session session;
  session.open();
  core::Delivery delivery;
  delivery.count = 2;
  session.machine.on_delivery(session.subscribe(), delivery);
  const auto settle = [&](std::uint64_t id, core::SettledMany outcomes) {
    weir::v1::Request request;
    request.set_id(id);
    for (const auto action : {weir::v1::SETTLE_ACTION_EXTEND, weir::v1::SETTLE_ACTION_ACK,
                              weir::v1::SETTLE_ACTION_NACK}) {
      request.mutable_settle_many_by_handle()->add_entries()->set_action(action);
    }
    session.ask(request).value();
    session.machine.on_reply(id, core::Reply(std::move(outcomes)));
  };
  const proto::Error expired = proto::make_error(proto::Errc::kReceiptExpired);
  settle(1, {.outcomes = {proto::Result<>(), expired, proto::Result<>()}});
  EXPECT_FALSE(session.machine.is_quiet());
  settle(2, {.outcomes = {expired, proto::Result<>(), expired}});
  EXPECT_TRUE(session.machine.is_quiet());
}

TEST(SessionMachine, TellsOfEachEntryThatIsSettledByHandle) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.set_id(1);
  weir::v1::SettleManyByHandle& many = *request.mutable_settle_many_by_handle();
  many.add_entries()->set_action(weir::v1::SETTLE_ACTION_ACK);
  many.add_entries()->set_handle("h");  // says not what to do
  weir::v1::SettleByHandle& extension = *many.add_entries();
  extension.set_handle("e");
  extension.set_action(weir::v1::SETTLE_ACTION_EXTEND);
  extension.set_value_ms(UINT64_MAX);
  session.ask(request).value();
  const auto& asked =
      std::get<core::SettleManyByHandle>(session.outlet.requests.at(0).request).entries;
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_TRUE(asked[0]);
  EXPECT_EQ(asked[1].error().code, proto::Errc::kUnsupported);
  EXPECT_EQ(asked[2].error().code, proto::Errc::kInvalidArgument);
  core::SettledMany settled;
  settled.outcomes = {proto::Result<>(), asked[1].error(), asked[2].error()};
  session.machine.on_reply(1, core::Reply(settled));
  const weir::v1::Response response = session.response();
  ASSERT_EQ(response.settled_many().outcomes_size(), 3);
  EXPECT_FALSE(response.settled_many().outcomes(0).has_error());
  EXPECT_EQ(response.settled_many().outcomes(1).error().code(), 2U);
  EXPECT_EQ(response.settled_many().outcomes(1).error().message(),
            "this broker does not know that action");
}

TEST(SessionMachine, RefusesToSettleNoneOrTooManyByHandle) {
  Session session;
  session.open();
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_settle_many_by_handle();
  session.ask(request).value();
  EXPECT_EQ(session.response().error().code(),
            static_cast<std::uint32_t>(proto::Errc::kInvalidArgument));
  request.set_id(2);
  for (std::size_t i = 0; i <= proto::kMaxSettlesPerRequest; ++i) {
    request.mutable_settle_many_by_handle()->add_entries();
  }
  session.ask(request).value();
  EXPECT_EQ(session.response().error().message(),
            "one request settles 1 to 1000 messages, not 1001");
  EXPECT_TRUE(session.outlet.requests.empty());
}

TEST(SessionMachine, StopsFeedingAndRefusesNewWorkWhileItDrains) {
  Session session;
  session.open();
  const std::uint32_t alias = session.subscribe();
  session.machine.drain(10'000);
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  const weir::v1::GoAway go_away = proto::parse_go_away(frames[0].body).value();
  EXPECT_TRUE(go_away.draining());
  EXPECT_EQ(go_away.drain_ms(), 10'000U);
  ASSERT_EQ(session.outlet.credits.size(), 1U);
  EXPECT_EQ(session.outlet.credits[0].alias, alias);
  EXPECT_EQ(session.outlet.credits[0].window_messages, 0U);

  weir::v1::Request request;
  request.set_id(1);
  request.mutable_receive()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kShuttingDown));
}

TEST(SessionMachine, AsksAClientToLeaveThatSaysHelloDuringTheDrain) {
  Session session;
  session.machine.drain(10'000);
  EXPECT_THAT(session.written(), testing::IsEmpty()) << "the greeting comes first";
  ASSERT_TRUE(session.hello());
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].type, FrameType::kWelcome);
  ASSERT_EQ(frames[1].type, FrameType::kGoAway);
  EXPECT_TRUE(proto::parse_go_away(frames[1].body).value().draining());
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_subscribe()->set_queue("work");
  ASSERT_TRUE(session.ask(request));
  EXPECT_EQ(session.response().error().code(), static_cast<std::uint32_t>(Errc::kShuttingDown));
}

TEST(SessionMachine, SaysWhyItEndsAndNothingAfterwards) {
  Session session;
  session.open();
  session.machine.say_goodbye(proto::fail(Errc::kMalformed, "what was that"));
  session.machine.on_delivery(1, core::Delivery());
  session.machine.on_reply(1, core::Reply(core::Done()));
  session.machine.flush();
  const std::vector<WrittenFrame> frames = session.written();
  ASSERT_EQ(frames.size(), 1U);
  const weir::v1::GoAway go_away = proto::parse_go_away(frames[0].body).value();
  EXPECT_EQ(go_away.error().code(), static_cast<std::uint32_t>(Errc::kMalformed));
  EXPECT_FALSE(go_away.draining());
}

}  // namespace
}  // namespace weir::net
