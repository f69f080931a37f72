#include "broker/shard/redelivery_budget.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

// What kills its consumers is handed out alone in the end, and what failed does not crowd out what
// is new.
namespace weir::shard {
namespace {

using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

class Isolation : public ::testing::Test {
 protected:
  Isolation() {
    rig.open(client);
    rig.create_queue(client, "dead");
    work = rig.create_queue(client, "work", {1000, 3, "dead"});
  }
  void send(std::uint32_t count) {
    rig.send(client, proto::LogId{work.value}, ++sends, values_of(count));
    rig.settle_down();
  }
  void subscribe(Session& session, std::uint32_t window) {
    rig.ask(session, 1, core::Subscribe{"default", "work", 1, std::nullopt, window, 1 << 20});
    rig.settle_down();
  }
  /// A consumer begins all that it is given, and dies of it.
  void die_of_it(std::uint32_t window) {
    Session session;
    rig.open(session);
    subscribe(session, window);
    for (const core::Delivery& delivery : session.deliveries) {
      rig.settle(session, delivery, SettleKind::kStarted);
    }
    rig.settle_down();
    rig.shard.close_session(session.id);
    rig.pass(1000);
  }

  ShardRig rig;
  Session client;
  proto::QueueId work;
  std::uint64_t sends = 0;
};

TEST_F(Isolation, WhatTwoConsumersWereLostWithIsHandedOutAlone) {
  send(5);
  die_of_it(10);
  die_of_it(10);
  Session session;
  rig.open(session);
  subscribe(session, 10);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(session.deliveries.size(), static_cast<std::size_t>(i + 1)) << "one at a time";
    EXPECT_EQ(session.deliveries.back().count, 1U);
    EXPECT_EQ(session.deliveries.back().failures, 2U);
    rig.settle(session, session.deliveries.back(), SettleKind::kStarted);
    if (i == 0) {
      rig.shard.close_session(session.id);  // that one it was
      rig.pass(1000);
      EXPECT_EQ(rig.info("dead").ready, 1U);
      session.deliveries.resize(1);
      rig.open(session);
      subscribe(session, 10);
    } else {
      rig.settle(session, session.deliveries.back(), SettleKind::kAck);
      rig.settle_down();
    }
  }
  EXPECT_EQ(rig.info("work").messages(), 0U);
  EXPECT_EQ(rig.info("dead").ready, 1U) << "its neighbours were not condemned with it";
}

TEST_F(Isolation, WhoeverIsToHaveItAloneFinishesWhatItHas) {
  send(1);
  die_of_it(1);
  die_of_it(1);
  Session first;
  Session second;
  rig.open(first);
  rig.open(second);
  // Both are busy with what is new when the suspect comes back.
  rig.ask(client, 50, core::UpdateQueue{"default", "work", {.receives_paused = true}, false});
  rig.settle_down();
  subscribe(first, 4);
  subscribe(second, 4);
  send(40);
  EXPECT_EQ(first.deliveries.size() + second.deliveries.size(), 0U);
  rig.ask(client, 51, core::UpdateQueue{"default", "work", {.receives_paused = false}, false});
  rig.settle_down();
  // One of them held nothing, so it has the suspect and nothing else; the other works on.
  Session& lone = first.delivered() == 1 ? first : second;
  Session& other = first.delivered() == 1 ? second : first;
  ASSERT_EQ(lone.delivered(), 1U);
  EXPECT_EQ(lone.deliveries[0].failures, 2U);
  EXPECT_EQ(other.delivered(), 4U);
  rig.settle(other, other.deliveries[0], SettleKind::kAck);
  rig.settle_down();
  EXPECT_GT(other.delivered(), 4U) << "and is not held up";
  EXPECT_EQ(lone.delivered(), 1U);
  rig.settle(lone, lone.deliveries[0], SettleKind::kAck);
  rig.settle_down();
  EXPECT_EQ(lone.delivered(), 5U) << "it goes on as before";
}

TEST_F(Isolation, OneConsumerMakesRoomForItAndNoOther) {
  send(1);
  die_of_it(1);
  Session last;
  rig.open(last);
  subscribe(last, 1);
  rig.settle(last, last.deliveries.at(0), SettleKind::kStarted);
  rig.settle_down();
  rig.shard.close_session(last.id);
  Session first;
  Session second;
  for (Session* session : {&first, &second}) {
    rig.open(*session);
    rig.ask(*session, 1, core::Subscribe{"default", "work", 1, 600'000, 2, 1 << 20});
    rig.settle_down();
  }
  for (int i = 0; i < 20; ++i) {
    send(1);
  }
  ASSERT_EQ(first.deliveries.size(), 2U);
  ASSERT_EQ(second.deliveries.size(), 2U);
  rig.pass(1000);  // the suspect is back, and both are busy
  const auto ack = [&](Session& session, std::size_t which) {
    rig.settle(session, session.deliveries.at(which), SettleKind::kAck);
    rig.settle_down();
    return session.deliveries.size();
  };
  EXPECT_EQ(ack(first, 0), 3U) << "there is other work, and this one is the one to make room";
  EXPECT_EQ(ack(second, 0), 3U);
  EXPECT_EQ(ack(second, 1), 4U) << "the other works on";
  EXPECT_EQ(ack(first, 1), 3U);
  EXPECT_EQ(ack(first, 2), 4U);
  EXPECT_EQ(first.deliveries.back().failures, 2U);
  EXPECT_EQ(ack(second, 2), 5U);
  EXPECT_EQ(ack(first, 3), 6U) << "and so does this one, behind it";
}

TEST_F(Isolation, AReceiveGetsItAlone) {
  send(3);
  die_of_it(10);
  die_of_it(10);
  rig.ask(client, 60, core::Receive{"default", "work", 10, 0, 0, std::nullopt});
  rig.settle_down();
  const auto received = client.reply<core::Received>(60);
  ASSERT_EQ(received.deliveries.size(), 1U);
  EXPECT_EQ(received.deliveries[0].count, 1U);
}

TEST(RedeliveryBudget, IsAShareOfWhatIsNewAndTenASecondAtLeast) {
  RedeliveryBudget budget;
  constexpr proto::TimeMs kStart = 1'700'000'000'000;
  EXPECT_EQ(budget.left(kStart, 20), 100U);
  budget.note_first(kStart, 5'000);
  EXPECT_EQ(budget.left(kStart, 20), 1'000U);
  budget.note_again(kStart + 500, 900);
  EXPECT_EQ(budget.left(kStart + 500, 20), 100U);
  budget.note_again(kStart + 600, 300);
  EXPECT_EQ(budget.left(kStart + 600, 20), 0U);
  EXPECT_EQ(budget.left(kStart + 600, 1'000'000), UINT32_MAX);
  EXPECT_EQ(budget.left(kStart + 10'000, 20), 0U) << "what it has spent counts longer";
  EXPECT_EQ(budget.left(kStart + 11'000, 20), 100U);
  EXPECT_FALSE(budget.is_idle(kStart + 10'999));
  EXPECT_TRUE(budget.is_idle(kStart + 11'000));
}

TEST_F(Isolation, WhatFailedWaitsForItsBudgetWhileWhatIsNewGoesOn) {
  core::QueueSettings settings{60'000, 1'000, ""};
  settings.redelivery_budget_percent = 20;
  work = rig.create_queue(client, "storm", settings);
  Session worker;
  rig.open(worker);
  rig.ask(worker, 1, core::Subscribe{"default", "storm", 1, std::nullopt, 100, 1 << 20});
  rig.settle_down();
  // Everything fails, and comes again at once as far as the budget goes.
  std::uint64_t first = 0;
  std::uint64_t again = 0;
  std::vector<std::uint64_t> again_in(60);
  std::vector<std::uint64_t> first_in(60);
  for (std::size_t second = 0; second < 60; ++second) {
    rig.send(client, proto::LogId{work.value}, ++sends, values_of(100));
    rig.settle_down();
    for (int round = 0; round < 200 && !worker.deliveries.empty(); ++round) {
      for (const core::Delivery& delivery : std::exchange(worker.deliveries, {})) {
        (delivery.attempts > 0 ? again_in : first_in)[second] += delivery.count;
        rig.settle(worker, delivery, SettleKind::kTransient);
      }
      rig.settle_down();
    }
    first += first_in[second];
    again += again_in[second];
    rig.pass(1000);
  }
  EXPECT_GE(first, 5'900U) << "what is new is not held up";
  EXPECT_GT(again, 500U);
  for (std::size_t begin = 0; begin + 10 <= 60; ++begin) {
    std::uint64_t new_ones = 0;
    std::uint64_t old_ones = 0;
    for (std::size_t second = begin; second < begin + 10; ++second) {
      new_ones += first_in[second];
      old_ones += again_in[second];
    }
    EXPECT_LE(old_ones, std::max<std::uint64_t>(new_ones / 5, 100)) << "from second " << begin;
  }
  // Failures stop: everything ends acked.
  for (int second = 0; second < 1'000 && rig.info("storm").messages() > 0; ++second) {
    for (const core::Delivery& delivery : std::exchange(worker.deliveries, {})) {
      rig.settle(worker, delivery, SettleKind::kAck);
    }
    rig.pass(1000);
  }
  EXPECT_EQ(rig.info("storm").messages(), 0U);
}

}  // namespace
}  // namespace weir::shard
