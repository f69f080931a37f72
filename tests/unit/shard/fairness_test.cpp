#include "tests/support/sanitized.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <tuple>

namespace weir::shard {
namespace {

using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

constexpr std::uint32_t kMessages = ::weir::test::share<std::uint32_t>(10'000, 2'400);

/// Consumers of one queue, each on a session of its own.
class ShardFairness : public ::testing::Test {
 protected:
  struct Worker {
    Session session;
    std::size_t settled = 0;  // deliveries
    bool acks = true;
  };

  ShardFairness() {
    rig.open(producer);
    log = LogId{rig.create_queue(producer, "work").value};
  }
  Worker& subscribe(std::uint32_t window, bool acks = true) {
    Worker& worker = workers.emplace_back();
    worker.acks = acks;
    rig.open(worker.session);
    rig.ask(worker.session, 1, core::Subscribe{"default", "work", 1, 600'000, window, 1U << 30});
    rig.settle_down();
    return worker;
  }
  void send(std::uint32_t count) { rig.send(producer, log, ++sends, values_of(count)); }
  /// Acks what came; false when nothing did.
  bool ack_all() {
    bool has_acked = false;
    for (Worker& worker : workers) {
      for (; worker.acks && worker.settled < worker.session.deliveries.size(); ++worker.settled) {
        rig.settle(worker.session, worker.session.deliveries[worker.settled], SettleKind::kAck);
        has_acked = true;
      }
    }
    rig.settle_down();
    return has_acked;
  }
  /// Sends everything in batches of that size, while those who ack do so at once.
  void run(std::uint32_t batch, std::uint32_t messages = kMessages) {
    for (std::uint32_t sent = 0; sent < messages; sent += batch) {
      send(std::min(batch, messages - sent));
      rig.settle_down();
      while (ack_all()) {
      }
    }
  }
  void expect_equal_shares(std::uint32_t messages = kMessages) {
    const double share = static_cast<double>(messages) / static_cast<double>(workers.size());
    std::uint64_t all = 0;
    for (const Worker& worker : workers) {
      EXPECT_NEAR(static_cast<double>(worker.session.delivered()), share, share / 10);
      all += worker.session.delivered();
    }
    EXPECT_EQ(all, messages);
  }

  ShardRig rig{std::size_t{8} << 20};
  Session producer;
  LogId log;
  std::uint64_t sends = 0;
  std::list<Worker> workers;
};

using Shape = std::tuple<int, std::uint32_t, std::uint32_t>;  // workers, window, batch

/// Shares are equal over all of them. Large batches are soon sent, and come in large pieces, so
/// that of fewer messages one piece more would be a tenth.
std::uint32_t messages_in_batches_of(std::uint32_t batch) {
  return batch < 100 ? kMessages : 10'000;
}

class ShardFairShares : public ShardFairness, public ::testing::WithParamInterface<Shape> {};

TEST_P(ShardFairShares, ToWhoAcksAtOnce) {
  const auto [count, window, batch] = GetParam();
  for (int i = 0; i < count; ++i) {
    subscribe(window);
  }
  run(batch, messages_in_batches_of(batch));
  expect_equal_shares(messages_in_batches_of(batch));
}

TEST_P(ShardFairShares, OfABacklog) {
  const auto [count, window, batch] = GetParam();
  const std::uint32_t messages = messages_in_batches_of(batch);
  for (std::uint32_t sent = 0; sent < messages; sent += batch) {
    send(std::min(batch, messages - sent));
  }
  rig.settle_down();
  // All of them are there when it begins to flow.
  for (int i = 0; i < count; ++i) {
    subscribe(0);
  }
  for (Worker& worker : workers) {
    rig.shard.set_credit(worker.session.id, {1, window, 1U << 30});
  }
  rig.settle_down();
  while (ack_all()) {
  }
  expect_equal_shares(messages);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ShardFairShares,
                         ::testing::Combine(::testing::Values(2, 3, 7),
                                            ::testing::Values(5U, 100U, 1000U, 100'000U),
                                            ::testing::Values(1U, 10U, 300U)),
                         [](const auto& shape) {
                           return std::to_string(std::get<0>(shape.param)) + "Of" +
                                  std::to_string(std::get<1>(shape.param)) + "InBatchesOf" +
                                  std::to_string(std::get<2>(shape.param));
                         });

TEST_F(ShardFairness, GivesOneAloneWholeBatches) {
  Worker& only = subscribe(100'000);
  run(1000, 5000);
  EXPECT_EQ(only.session.deliveries.size(), 5U);
}

class ShardDeadConsumer : public ShardFairness,
                          public ::testing::WithParamInterface<std::uint32_t> {};

TEST_P(ShardDeadConsumer, HoldsNoMoreThanItsWindow) {
  Worker& dead = subscribe(100, /*acks=*/false);
  Worker& one = subscribe(100);
  Worker& two = subscribe(100);
  run(GetParam());
  EXPECT_EQ(dead.session.delivered(), 100U);
  const double share = (kMessages - 100) / 2.0;
  EXPECT_NEAR(static_cast<double>(one.session.delivered()), share, share / 10);
  EXPECT_EQ(one.session.delivered() + two.session.delivered(), kMessages - 100);
}

INSTANTIATE_TEST_SUITE_P(Batches, ShardDeadConsumer, ::testing::Values(1U, 10U, 300U));

/// A consumer that was away has no claim to what it missed.
TEST_F(ShardFairness, OwesNothingToWhoComesLater) {
  Worker& early = subscribe(1000);
  run(10, 5000);
  Worker& late = subscribe(1000);
  run(10, 4000);
  EXPECT_NEAR(static_cast<double>(early.session.delivered()), 7000, 200);
  EXPECT_NEAR(static_cast<double>(late.session.delivered()), 2000, 200);
}

TEST_F(ShardFairness, SharesBetweenSubscriptionsAndReceives) {
  Worker& pushed = subscribe(1000);
  Session puller;
  rig.open(puller);
  std::uint64_t pulled = 0;
  std::uint64_t request = 0;
  std::vector<core::Delivery> held;
  for (std::uint32_t sent = 0; sent < kMessages; sent += 10) {
    if (request == 0 || puller.replies.contains(request)) {
      rig.ask(puller, ++request, core::Receive{"default", "work", 10, 0, 20'000, 600'000});
    }
    send(10);
    rig.settle_down();
    while (ack_all()) {
    }
    if (puller.replies.contains(request)) {
      for (const core::Delivery& delivery : puller.reply<core::Received>(request).deliveries) {
        pulled += delivery.count;
        rig.settle(puller, delivery, SettleKind::kAck);
      }
    }
  }
  rig.settle_down();
  EXPECT_EQ(pulled + pushed.session.delivered(), kMessages);
  EXPECT_NEAR(static_cast<double>(pulled), kMessages / 2.0, kMessages / 20.0);
}

TEST_F(ShardFairness, CountsEachReceiveThatWaitsAsOne) {
  Worker& pushed = subscribe(1000);
  constexpr std::uint64_t kPullers = 3;
  std::list<Session> pullers(kPullers);
  for (Session& puller : pullers) {
    rig.open(puller);
  }
  std::uint64_t pulled = 0;
  for (std::uint64_t round = 1; round <= 1000; ++round) {
    for (Session& puller : pullers) {
      if (round == 1 || puller.replies.contains(1)) {
        puller.replies.clear();
        rig.ask(puller, 1, core::Receive{"default", "work", 10, 0, 20'000, 600'000});
      }
    }
    send(10);
    rig.settle_down();
    while (ack_all()) {
    }
    for (Session& puller : pullers) {
      if (puller.replies.contains(1)) {
        for (const core::Delivery& delivery : puller.reply<core::Received>(1).deliveries) {
          pulled += delivery.count;
        }
      }
    }
  }
  EXPECT_EQ(pulled + pushed.session.delivered(), 10'000U);
  EXPECT_NEAR(static_cast<double>(pushed.session.delivered()), 2500, 500);
}

TEST_F(ShardFairness, HandsOnWhatAClosedSessionHadNotBegun) {
  Worker& gone = subscribe(100, /*acks=*/false);
  Worker& one = subscribe(1000);
  Worker& two = subscribe(1000);
  run(10, 1000);
  ASSERT_EQ(gone.session.delivered(), 100U);
  rig.settle(gone.session, gone.session.deliveries[0], SettleKind::kStarted);
  rig.settle_down();
  const std::uint64_t begun = gone.session.deliveries[0].count;
  rig.shard.close_session(gone.session.id);
  rig.settle_down();
  while (ack_all()) {
  }
  EXPECT_EQ(one.session.delivered() + two.session.delivered(), 1000 - begun);
  EXPECT_EQ(rig.info("work").in_flight, begun) << "what was begun stays leased";
}

}  // namespace
}  // namespace weir::shard
