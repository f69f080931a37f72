#include "weir/worker_pool.hpp"

#include "client/core/prefetch.hpp"
#include "tests/unit/client/client_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weir::sdk {
namespace {

using proto::SettleKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using test::Latch;

class WorkerPoolTest : public ClientTest {
 protected:
  void deliver(std::uint64_t grant, const std::vector<std::string>& texts,
               std::uint16_t attempts = 0, std::uint32_t lease_ms = 30'000) {
    broker_.with([&] { broker_.deliver(grant, texts, attempts, lease_ms); });
  }
  [[nodiscard]] static std::size_t count(const std::vector<proto::SettleRange>& ranges) {
    std::size_t count = 0;
    for (const proto::SettleRange& range : ranges) {
      count += range.count;
    }
    return count;
  }
  [[nodiscard]] bool wait_settled(SettleKind kind, std::size_t messages) {
    return broker_.wait([&] { return count(broker_.ranges(kind)) >= messages; });
  }
  [[nodiscard]] std::vector<proto::SettleRange> ranges(SettleKind kind) {
    return broker_.with([&] { return broker_.ranges(kind); });
  }
  static std::vector<std::string> many(int count) {
    return std::vector<std::string>(static_cast<std::size_t>(count), "x");
  }
  static WorkerPoolOptions workers(std::uint32_t count) {
    return WorkerPoolOptions().set_concurrency(count);
  }
};

TEST_F(WorkerPoolTest, AcknowledgesWhatItsHandlerReturnsFrom) {
  Client client = connect();
  std::atomic<int> handled = 0;
  Result<WorkerPool> pool =
      client.start_workers("q", workers(4), [&](const Delivery&) { ++handled; });
  ASSERT_TRUE(pool.has_value());
  deliver(1, many(200));
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 200));
  ASSERT_TRUE(pool->drain(seconds(20)).has_value());
  EXPECT_EQ(handled.load(), 200);
  const WorkerPoolStats stats = pool->stats();
  EXPECT_EQ(stats.taken, 200U);
  EXPECT_EQ(stats.acked, 200U);
  EXPECT_EQ(stats.running, 0U);
  EXPECT_EQ(stats.unconfirmed, 0U);
  // Each was reported as begun before it was handled.
  EXPECT_EQ(count(ranges(SettleKind::kStarted)), 200U);
}

TEST_F(WorkerPoolTest, MakesOutcomesOfWhatHandlersReturnAndThrow) {
  Client client = connect();
  std::mutex mutex;
  std::vector<std::string> reasons;
  WorkerPoolOptions options = workers(1);
  options.set_retry_backoff(milliseconds(400), milliseconds(1'000))
      .set_failure_handler([&](const Delivery& delivery, std::string_view reason) {
        const std::lock_guard lock(mutex);
        reasons.push_back(std::string(delivery.body()) + ": " + std::string(reason));
      });
  const auto handler = [](Delivery& delivery) -> Outcome {
    const std::string_view body = delivery.body();
    if (body == "throws") {
      throw std::runtime_error("no");
    }
    if (body == "throws an int") {
      throw 7;
    }
    if (body == "throws an error") {
      static_cast<void>(
          Result<int>(Error(ErrorCode::kThrottled, "later", milliseconds(5'000))).value());
    }
    if (body == "throws an outcome") {
      throw OutcomeException(Outcome::poison("no such customer"));
    }
    if (body == "nacks") {
      return Outcome::nack(milliseconds(77), "why not");
    }
    if (body == "waits") {
      return Outcome::not_now(milliseconds(88), "quota");
    }
    if (body == "settles") {
      delivery.release();
      return Outcome::nack("not heard");
    }
    return body == "releases" ? Outcome::release() : Outcome::ack();
  };
  Result<WorkerPool> pool = client.start_workers("q", options, handler);
  ASSERT_TRUE(pool.has_value());
  const std::vector<std::string> bodies = {
      "throws", "throws an int", "throws an error", "throws an outcome",
      "nacks",  "waits",         "settles",         "releases",
      "acks"};
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    deliver(i + 1, {bodies[i]});
  }
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 1));
  ASSERT_TRUE(pool->drain(seconds(20)).has_value());
  const std::vector<proto::SettleRange> nacks = ranges(SettleKind::kNack);
  ASSERT_EQ(nacks.size(), 3U);
  for (const std::size_t i : {0U, 1U}) {
    EXPECT_GE(nacks[i].value, 200U);
    EXPECT_LE(nacks[i].value, 400U);
  }
  EXPECT_EQ(nacks[2].value, 77U);
  const std::vector<proto::SettleRange> transient = ranges(SettleKind::kTransient);
  ASSERT_EQ(transient.size(), 1U) << "an error that may pass by itself is no failure";
  EXPECT_EQ(transient[0].value, 5'000U);
  EXPECT_EQ(count(ranges(SettleKind::kPoison)), 1U);
  ASSERT_EQ(count(ranges(SettleKind::kNotNow)), 1U);
  EXPECT_EQ(ranges(SettleKind::kNotNow)[0].value, 88U);
  EXPECT_THAT(
      broker_.with([&] { return broker_.reasons(); }),
      testing::IsSupersetOf({"no", "why not", "no such customer", "quota", "THROTTLED: later"}));
  EXPECT_EQ(count(ranges(SettleKind::kRelease)), 2U);
  EXPECT_THAT(reasons, testing::ElementsAre("throws: no",
                                            "throws an int: the handler threw something that is no "
                                            "std::exception",
                                            "throws an error: THROTTLED: later",
                                            "throws an outcome: no such customer", "nacks: why not",
                                            "waits: quota"));
  const WorkerPoolStats stats = pool->stats();
  EXPECT_EQ(stats.nacked, 6U);
  EXPECT_EQ(stats.released, 1U);
  EXPECT_EQ(stats.acked, 1U);
}

TEST_F(WorkerPoolTest, LeavesThePauseToTheQueueThatHasAPolicy) {
  broker_.with([&] { broker_.redelivery_delay_ms = 500; });
  Client client = connect();
  const auto fails = [](Delivery&) { return Outcome::nack("why not"); };
  Result<WorkerPool> pool = client.start_workers("q", workers(1), fails);
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"a"});
  ASSERT_TRUE(wait_settled(SettleKind::kNack, 1));
  EXPECT_EQ(ranges(SettleKind::kNack)[0].value, proto::kDelayByPolicy);
}

TEST_F(WorkerPoolTest, SaysToAnOlderBrokerWhatThatKnows) {
  broker_.with([&] { broker_.protocol = 1; });
  Client client = connect();
  const auto handler = [](Delivery& delivery) {
    return delivery.body() == "p" ? Outcome::poison("never") : Outcome::transient(milliseconds(5));
  };
  Result<WorkerPool> pool = client.start_workers("q", workers(1), handler);
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"p"});
  deliver(2, {"t"});
  ASSERT_TRUE(wait_settled(SettleKind::kNack, 2));
  EXPECT_TRUE(broker_.with([&] { return broker_.reasons(); }).empty());
  EXPECT_EQ(count(ranges(SettleKind::kPoison)) + count(ranges(SettleKind::kTransient)), 0U);
}

TEST_F(WorkerPoolTest, WaitsLongerAfterEachAttempt) {
  Client client = connect();
  WorkerPoolOptions options = workers(1);
  options.set_retry_backoff(milliseconds(100), milliseconds(1'000));
  Result<WorkerPool> pool = client.start_workers(
      "q", options, [](Delivery&) -> Result<> { return Error(ErrorCode::kPermissionDenied); });
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"a"}, 0);
  deliver(2, {"b"}, 2);
  deliver(3, {"c"}, 60'000);
  ASSERT_TRUE(wait_settled(SettleKind::kNack, 3));
  const std::vector<proto::SettleRange> nacks = ranges(SettleKind::kNack);
  const std::vector<std::uint32_t> most = {100, 400, 1'000};
  ASSERT_EQ(nacks.size(), most.size());
  for (std::size_t i = 0; i < most.size(); ++i) {
    EXPECT_GE(nacks[i].value, most[i] / 2);
    EXPECT_LE(nacks[i].value, most[i]);
  }
}

TEST_F(WorkerPoolTest, HandlesAsManyAtATimeAsItHasWorkers) {
  Client client = connect();
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::atomic<int> entered = 0;
  Latch all_in;
  Latch go_on;
  Result<WorkerPool> pool = client.start_workers("q", workers(3), [&](Delivery&) {
    const int now = ++running;
    int seen = most.load();
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    if (++entered == 3) {
      all_in.open();
    }
    static_cast<void>(go_on.wait());
    --running;
  });
  ASSERT_TRUE(pool.has_value());
  deliver(1, many(12));
  ASSERT_TRUE(all_in.wait());
  EXPECT_EQ(pool->stats().running, 3U);
  go_on.open();
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 12));
  EXPECT_EQ(most.load(), 3);
}

TEST_F(WorkerPoolTest, AsksForMoreWhileMessagesAreHandledQuickly) {
  Client client = connect();
  Result<WorkerPool> pool = client.start_workers("q", workers(2), [](Delivery&) {});
  ASSERT_TRUE(pool.has_value());
  broker_.with([&] { EXPECT_EQ(broker_.requests[0].subscribe().window_messages(), 4U); });
  deliver(1, many(200));
  ASSERT_TRUE(broker_.wait([&] { return !broker_.credits.empty(); }));
  broker_.with([&] { EXPECT_GT(broker_.credits[0].window_messages, 4U); });
}

TEST_F(WorkerPoolTest, KeepsToAPrefetchThatWasAskedFor) {
  Client client = connect();
  Result<WorkerPool> pool = client.start_workers(
      "q", workers(2).set_prefetch(0).set_window_bytes(5'000), [](Delivery&) {});
  ASSERT_TRUE(pool.has_value());
  deliver(1, many(200));
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 200));
  broker_.with([&] {
    EXPECT_EQ(broker_.requests[0].subscribe().window_messages(), 2U);
    EXPECT_EQ(broker_.requests[0].subscribe().window_bytes(), 5'000U);
    EXPECT_TRUE(broker_.credits.empty());
  });
}

TEST_F(WorkerPoolTest, KeepsTheLeasesOfWhatWaitsAndOfWhatIsHandled) {
  Client client = connect();
  Latch go_on;
  Result<WorkerPool> pool =
      client.start_workers("q", workers(1), [&](Delivery&) { static_cast<void>(go_on.wait()); });
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"handled", "waits"}, 0, /*lease_ms=*/60);
  ASSERT_TRUE(wait_settled(SettleKind::kExtend, 4));
  go_on.open();
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 2));
}

TEST_F(WorkerPoolTest, CountsOutcomesThatComeTooLate) {
  Client client = connect();
  broker_.with([&] {
    broker_.on_settle = [&](FakeBroker::Peer& peer, const proto::Settle& settle) {
      proto::Settled answer;
      answer.up_to = settle.settle_number;
      for (const proto::SettleRange& range : settle.ranges) {
        if (range.kind == SettleKind::kAck) {
          answer.failed.push_back({settle.settle_number, range.grant, range.first_index,
                                   range.count,
                                   static_cast<std::uint16_t>(proto::Errc::kReceiptExpired)});
        }
      }
      peer.write_frame(answer);
      return FakeBroker::Answer::kNothing;
    };
  });
  Result<WorkerPool> pool = client.start_workers("q", workers(1), [](Delivery&) {});
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"a", "b"});
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 2));
  ASSERT_TRUE(pool->drain(seconds(20)).has_value());
  EXPECT_EQ(pool->stats().late, 2U);
  EXPECT_EQ(pool->stats().acked, 0U);
}

TEST_F(WorkerPoolTest, DrainsWhatItHasBegunAndGivesBackTheRest) {
  Client client = connect();
  Latch is_in;
  Latch go_on;
  Result<WorkerPool> pool = client.start_workers("q", workers(1).set_prefetch(5), [&](Delivery&) {
    is_in.open();
    static_cast<void>(go_on.wait());
  });
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"begun", "b", "c", "d"});
  ASSERT_TRUE(is_in.wait());
  const Result<> early = pool->drain(milliseconds(1));
  ASSERT_FALSE(early.has_value());
  EXPECT_EQ(early.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(early.error().message, testing::StartsWith("1 messages are still being handled"));
  go_on.open();
  ASSERT_TRUE(pool->drain(seconds(20)).has_value());
  EXPECT_TRUE(wait_settled(SettleKind::kRelease, 3));
  EXPECT_EQ(count(ranges(SettleKind::kAck)), 1U);
  EXPECT_EQ(count(ranges(SettleKind::kNack)), 0U);
  EXPECT_EQ(pool->status().error().code, ErrorCode::kCancelled);
}

TEST_F(WorkerPoolTest, CancelsWhatIsHandledWhenItsDestructorHasWaitedLongEnough) {
  Client client = connect();
  Latch is_in;
  bool was_stopped = false;
  {
    Result<WorkerPool> pool =
        client.start_workers("q", workers(1).set_drain_timeout(milliseconds(10)),
                             [&](Delivery&, const std::stop_token& stop) {
                               Latch stopped;
                               const std::stop_callback on_stop(stop, [&] { stopped.open(); });
                               is_in.open();
                               was_stopped = stopped.wait();
                               return Outcome::nack(milliseconds(0), "stopped");
                             });
    ASSERT_TRUE(pool.has_value());
    deliver(1, {"a"});
    ASSERT_TRUE(is_in.wait());
  }
  EXPECT_TRUE(was_stopped);
  EXPECT_TRUE(wait_settled(SettleKind::kNack, 1));
}

TEST_F(WorkerPoolTest, HasOneDrainTimeoutHoweverOftenItIsAskedToDrain) {
  Client client = connect();
  Latch is_in;
  Latch go_on;
  Result<WorkerPool> pool = client.start_workers(
      "q", workers(1).set_drain_timeout(milliseconds(500)), [&](const Delivery&) {
        is_in.open();
        EXPECT_TRUE(go_on.wait());
      });
  ASSERT_TRUE(pool.has_value());
  deliver(1, {"a"});
  ASSERT_TRUE(is_in.wait());
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(pool->drain().error().code, ErrorCode::kDeadlineExceeded);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(20));
  EXPECT_EQ(pool->drain(milliseconds(1)).error().code, ErrorCode::kDeadlineExceeded);
  go_on.open();
  EXPECT_TRUE(pool->drain(seconds(20)).has_value()) << "a time of its own is waited for";
}

TEST_F(WorkerPoolTest, ItsDestructorWaitsForHandlers) {
  Client client = connect();
  Latch is_in;
  auto used = std::make_unique<std::atomic<int>>(0);
  {
    Result<WorkerPool> pool = client.start_workers("q", workers(2), [&](Delivery&) {
      ++*used;
      is_in.open();
    });
    ASSERT_TRUE(pool.has_value());
    deliver(1, many(50));
    ASSERT_TRUE(is_in.wait());
  }
  const int handled = used->load();
  used.reset();
  EXPECT_GE(handled, 1);
}

TEST_F(WorkerPoolTest, CanBeStoppedByItsHandlerWhichCannotWaitForItself) {
  Client client = connect();
  std::optional<WorkerPool> pool;
  Latch is_there;
  Latch is_over;
  std::atomic<bool> refused = false;
  Result<WorkerPool> started = client.start_workers("q", workers(2), [&](Delivery&) {
    if (is_there.wait()) {
      const Result<> drained = pool->drain(seconds(1));
      refused = !drained && drained.error().code == ErrorCode::kInvalidArgument;
      pool->stop();
      is_over.open();
    }
  });
  ASSERT_TRUE(started.has_value());
  pool.emplace(std::move(*started));
  is_there.open();
  deliver(1, {"a"});
  ASSERT_TRUE(is_over.wait());
  EXPECT_TRUE(refused.load());
  EXPECT_TRUE(pool->drain(seconds(20)).has_value());
}

TEST_F(WorkerPoolTest, PausesAndGoesOn) {
  Client client = connect();
  Result<WorkerPool> pool = client.start_workers("q", workers(1).set_prefetch(3), [](Delivery&) {});
  ASSERT_TRUE(pool.has_value());
  pool->pause();
  ASSERT_TRUE(broker_.wait([&] { return broker_.credits.size() == 1; }));
  deliver(1, {"a", "b"});
  EXPECT_TRUE(wait_settled(SettleKind::kRelease, 2));
  pool->resume();
  ASSERT_TRUE(broker_.wait([&] { return broker_.credits.size() == 2; }));
  broker_.with([&] { EXPECT_EQ(broker_.credits[1].window_messages, 4U); });
  deliver(2, {"c"});
  EXPECT_TRUE(wait_settled(SettleKind::kAck, 1));
  EXPECT_EQ(pool->stats().taken, 1U);
}

TEST_F(WorkerPoolTest, GoesOnWhenTheBrokerIsBackAndTheQueueIsThereAgain) {
  Client client = connect();
  std::atomic<int> handled = 0;
  Result<WorkerPool> pool = client.start_workers("q", workers(2), [&](Delivery&) { ++handled; });
  ASSERT_TRUE(pool.has_value());
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kQueueNotFound); });
  broker_.hang_up();
  ASSERT_TRUE(broker_.wait([&] { return broker_.requests.size() >= 3; }));
  EXPECT_EQ(pool->status().error().code, ErrorCode::kQueueNotFound);
  broker_.with([&] { broker_.on_request = nullptr; });
  const std::size_t before = broker_.with([&] { return broker_.requests.size(); });
  ASSERT_TRUE(broker_.wait([&] { return broker_.requests.size() > before; }));
  deliver(1, {"again"});
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 1));
  EXPECT_EQ(handled.load(), 1);
}

TEST_F(WorkerPoolTest, EndsWithItsClient) {
  std::optional<Client> client = connect();
  Result<WorkerPool> pool = client->start_workers("q", workers(2), [](Delivery&) {});
  ASSERT_TRUE(pool.has_value());
  client.reset();
  EXPECT_EQ(pool->status().error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(pool->drain(seconds(20)).has_value());
}

TEST_F(WorkerPoolTest, RefusesAConcurrencyOutOfItsRangeAndAQueueThatIsNot) {
  Client client = connect();
  for (const std::uint32_t count : {0U, 1'001U}) {
    const Result<WorkerPool> pool = client.start_workers("q", workers(count), [](Delivery&) {});
    ASSERT_FALSE(pool.has_value());
    EXPECT_EQ(pool.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(pool.error().message, "a pool has 1 to 1000 workers, not " + std::to_string(count));
  }
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kQueueNotFound); });
  const Result<WorkerPool> none = client.start_workers("none", workers(1), [](Delivery&) {});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kQueueNotFound);
}

TEST_F(WorkerPoolTest, MovesAndEndsWhatItHeldBefore) {
  Client client = connect();
  std::atomic<int> first = 0;
  std::atomic<int> second = 0;
  Result<WorkerPool> one = client.start_workers("q", workers(1), [&](Delivery&) { ++first; });
  Result<WorkerPool> two = client.start_workers("r", workers(1), [&](Delivery&) { ++second; });
  ASSERT_TRUE(one.has_value() && two.has_value());
  *one = std::move(*two);
  deliver(1, {"a"});  // to the last subscription
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 1));
  EXPECT_EQ(first.load(), 0);
  EXPECT_EQ(second.load(), 1);
}

TEST(PrefetchTest, FollowsHowLongMessagesTake) {
  Prefetch prefetch(4);
  EXPECT_EQ(prefetch.messages(), 4U);
  // A fast handler: told after 64 messages, and no more than the limit.
  std::optional<std::uint32_t> told;
  for (int i = 0; i < 64; ++i) {
    EXPECT_FALSE(told.has_value());
    told = prefetch.on_handled(std::chrono::microseconds(1));
  }
  EXPECT_EQ(told, 1'000U);
  // 5 ms each: 20 messages in 100 ms, for each of four workers.
  for (int i = 0; i < 20; ++i) {
    told = prefetch.on_handled(milliseconds(5));
  }
  EXPECT_EQ(told, 80U);
  // A little slower is not worth telling.
  for (int i = 0; i < 18; ++i) {
    told = prefetch.on_handled(milliseconds(6));
  }
  EXPECT_FALSE(told.has_value());
  // Slow ones: one waits for each worker.
  told = prefetch.on_handled(seconds(2));
  EXPECT_EQ(told, 4U);
}

}  // namespace
}  // namespace weir::sdk
