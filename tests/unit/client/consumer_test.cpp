#include "weir/consumer.hpp"

#include "tests/unit/client/client_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
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
using testing::ElementsAre;

class ConsumerTest : public ClientTest {
 protected:
  using Answer = FakeBroker::Answer;

  void deliver(std::uint64_t grant, const std::vector<std::string>& texts,
               std::uint16_t attempts = 0, std::uint32_t lease_ms = 30'000) {
    broker_.with([&] { broker_.deliver(grant, texts, attempts, lease_ms); });
  }
  /// Waits until so many messages were settled in that way.
  [[nodiscard]] bool wait_settled(SettleKind kind, std::size_t messages) {
    return broker_.wait([&] {
      std::size_t count = 0;
      for (const proto::SettleRange& range : broker_.ranges(kind)) {
        count += range.count;
      }
      return count >= messages;
    });
  }
  [[nodiscard]] std::vector<proto::SettleRange> ranges(SettleKind kind) {
    return broker_.with([&] { return broker_.ranges(kind); });
  }
  static std::vector<std::string> many(int count) {
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) {
      texts.push_back(std::to_string(i));
    }
    return texts;
  }
};

TEST_F(ConsumerTest, BringsMessagesToItsHandlerInOrder) {
  Client client = connect();
  std::vector<std::string> seen;
  ConsumerOptions options;
  options.set_window_messages(500).set_window_bytes(10'000).set_lease(seconds(60));
  const auto consumer = client.subscribe("q", options, [&](Delivery delivery) {
    seen.emplace_back(delivery.body());
    delivery.ack();
  });
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(300));
  deliver(2, {"last"});
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 301));
  auto expected = many(300);
  expected.emplace_back("last");
  EXPECT_EQ(seen, expected);
  broker_.with([&] {
    const v1::Subscribe& asked = broker_.requests[0].subscribe();
    EXPECT_EQ(asked.window_messages(), 500U);
    EXPECT_EQ(asked.window_bytes(), 10'000U);
    EXPECT_EQ(asked.lease_ms(), 60'000U);
    // Acks are ranges, not messages; the slower the machine, the more of them.
    EXPECT_LT(broker_.ranges(SettleKind::kAck).size(), seen.size());
    std::uint32_t begun = 0;
    for (const proto::SettleRange& range : broker_.ranges(SettleKind::kStarted)) {
      EXPECT_LE(range.count, 64U);
      begun += range.count;
    }
    EXPECT_EQ(begun, 301U);
  });
}

TEST_F(ConsumerTest, SaysThatASuspectBeginsBeforeItsHandlerRuns) {
  Client client = connect();
  std::atomic<int> wrong{0};
  std::uint32_t index = 0;
  const auto consumer = client.subscribe("q", {}, [&](Delivery delivery) {
    EXPECT_EQ(delivery.attempt(), 3U);
    // The report is on its way: the broker gets it although this handler has not come back.
    const std::uint32_t mine = index++;
    if (!broker_.wait([&] { return broker_.ranges(SettleKind::kStarted).size() == mine + 1; })) {
      ++wrong;
    }
    const auto begun = ranges(SettleKind::kStarted);
    if (begun.back().first_index != mine || begun.back().count != 1) {
      ++wrong;
    }
    delivery.ack();
  });
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(20), /*attempts=*/2);
  ASSERT_TRUE(wait_settled(SettleKind::kAck, 20));
  EXPECT_EQ(wrong, 0);
}

TEST_F(ConsumerTest, NacksWhatAHandlerDropsOrThrows) {
  Client client = connect();
  const auto consumer = client.subscribe("q", {}, [&](const Delivery& delivery) {
    if (delivery.body() == "throw") {
      throw std::runtime_error("handler");
    }
  });
  ASSERT_TRUE(consumer.has_value());
  deliver(1, {"drop"});
  deliver(2, {"throw"});
  ASSERT_TRUE(wait_settled(SettleKind::kNack, 2));
  EXPECT_TRUE(ranges(SettleKind::kAck).empty());
}

TEST_F(ConsumerTest, SettlesInEachWay) {
  Client client = connect();
  std::vector<Delivery> held;
  const auto consumer = client.subscribe("q", {}, [&](Delivery delivery) {
    if (delivery.body() == "extend") {
      delivery.extend(seconds(99));
      held.push_back(std::move(delivery));
    } else if (delivery.body() == "release") {
      delivery.release();
    } else {
      delivery.nack(seconds(7));
    }
  });
  ASSERT_TRUE(consumer.has_value());
  deliver(1, {"extend", "release", "nack"});
  ASSERT_TRUE(wait_settled(SettleKind::kNack, 1));
  EXPECT_EQ(ranges(SettleKind::kRelease).at(0).first_index, 1U);
  EXPECT_EQ(ranges(SettleKind::kNack).at(0).value, 7'000U);
  EXPECT_EQ(ranges(SettleKind::kExtend).at(0).value, 99'000U);
}

TEST_F(ConsumerTest, SettlesOnAnotherThread) {
  Client client = connect();
  std::mutex mutex;
  std::vector<Delivery> held;
  Latch all;
  const auto consumer = client.subscribe("q", {}, [&](Delivery delivery) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(delivery));
    if (held.size() == 100) {
      all.open();
    }
  });
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(100));
  ASSERT_TRUE(all.wait());
  std::thread worker([&] {
    const std::lock_guard lock(mutex);
    for (Delivery& delivery : held) {
      delivery.ack();
    }
    held.clear();
  });
  worker.join();
  EXPECT_TRUE(wait_settled(SettleKind::kAck, 100));
}

TEST_F(ConsumerTest, TellsWhenAnAckIsDurable) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, {"a", "b"});
  auto first = consumer->next(seconds(20));
  auto second = consumer->next(seconds(20));
  ASSERT_TRUE(first.has_value() && *first);
  ASSERT_TRUE(second.has_value() && *second);
  EXPECT_TRUE((**first).ack_and_wait(seconds(20)).has_value());
  broker_.with([&] {
    broker_.on_settle = [](FakeBroker::Peer& peer, const proto::Settle& settle) {
      proto::Settled answer;
      answer.up_to = settle.settle_number;
      for (const proto::SettleRange& range : settle.ranges) {
        answer.failed.push_back({settle.settle_number, range.grant, range.first_index, range.count,
                                 static_cast<std::uint16_t>(proto::Errc::kReceiptExpired)});
      }
      peer.write_frame(answer);
      return Answer::kNothing;
    };
  });
  EXPECT_EQ((**second).ack_and_wait(seconds(20)).error().code, ErrorCode::kReceiptExpired);
  EXPECT_TRUE((**second).settled());
}

TEST_F(ConsumerTest, GivesMessagesOneByOneToNext) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  const auto nothing = consumer->next(milliseconds(5));
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  deliver(1, many(200));
  for (int i = 0; i < 200; ++i) {
    auto delivery = consumer->next(seconds(20));
    ASSERT_TRUE(delivery.has_value());
    ASSERT_TRUE(delivery->has_value());
    EXPECT_EQ((*delivery)->body(), std::to_string(i));
    (*delivery)->ack();
  }
  EXPECT_TRUE(wait_settled(SettleKind::kAck, 200));
}

TEST_F(ConsumerTest, DoesNotBeginWhatNobodyAskedFor) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(10), /*attempts=*/1);
  for (int i = 0; i < 3; ++i) {
    auto delivery = consumer->next(seconds(20));
    ASSERT_TRUE(delivery.has_value() && *delivery);
    EXPECT_EQ((*delivery)->attempt(), 2U);
    ASSERT_TRUE((*delivery)->ack_and_wait(seconds(20)).has_value());
  }
  EXPECT_EQ(ranges(SettleKind::kStarted).size(), 3U);
  EXPECT_EQ(consumer->buffered(), 7U);
}

TEST_F(ConsumerTest, RefusesNextWhereAHandlerIs) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {}, [](Delivery) {});
  ASSERT_TRUE(consumer.has_value());
  EXPECT_EQ(consumer->next(milliseconds(1)).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ConsumerTest, ReleasesWhatItHoldsWhenItCloses) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(10));
  auto first = consumer->next(seconds(20));
  ASSERT_TRUE(first.has_value() && *first);
  consumer->close();
  consumer->close();
  EXPECT_EQ(consumer->next(seconds(1)).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(consumer->status().error().code, ErrorCode::kCancelled);
  ASSERT_TRUE(wait_settled(SettleKind::kRelease, 9));
  // What the application holds is still its own, by an alias that does not end with the
  // subscription.
  (**first).ack();
  EXPECT_TRUE(wait_settled(SettleKind::kAck, 1));
  broker_.with([&] {
    EXPECT_EQ(std::ranges::count_if(broker_.requests,
                                    [](const v1::Request& r) { return r.has_unsubscribe(); }),
              1);
  });
}

TEST_F(ConsumerTest, CallsNoHandlerOnceItIsClosed) {
  Client client = connect();
  std::atomic<int> calls{0};
  Result<QueueConsumer> consumer = client.subscribe("q", {}, [&](Delivery delivery) {
    ++calls;
    delivery.ack();
  });
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(1'000));
  consumer->close();
  const int calls_then = calls;
  ASSERT_TRUE(wait_settled(SettleKind::kRelease, static_cast<std::size_t>(1'000 - calls_then)) ||
              calls_then == 0);
  EXPECT_EQ(calls, calls_then);
}

TEST_F(ConsumerTest, ClosesFromWithinItsHandler) {
  Client client = connect();
  std::optional<QueueConsumer> consumer;
  std::atomic<int> calls{0};
  Latch ready;
  Result<QueueConsumer> made = client.subscribe("q", {}, [&](Delivery delivery) {
    EXPECT_TRUE(ready.wait());
    ++calls;
    delivery.ack();
    consumer->close();
    consumer.reset();
  });
  ASSERT_TRUE(made.has_value());
  consumer = *std::move(made);
  made = Error(ErrorCode::kCancelled);
  ready.open();
  deliver(1, many(50));
  EXPECT_TRUE(wait_settled(SettleKind::kRelease, 49));
  EXPECT_EQ(calls, 1);
}

TEST_F(ConsumerTest, EndsWithItsLastHandle) {
  Client client = connect();
  {
    const Result<QueueConsumer> consumer = client.subscribe("q", {});
    ASSERT_TRUE(consumer.has_value());
    const QueueConsumer copy = *consumer;
  }
  EXPECT_TRUE(broker_.wait([&] { return broker_.requests.back().has_unsubscribe(); }));
}

TEST_F(ConsumerTest, SubscribesAgainAndAcksWhatItBeganBefore) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(5));
  auto begun = consumer->next(seconds(20));
  ASSERT_TRUE(begun.has_value() && *begun);
  broker_.hang_up();
  ASSERT_TRUE(broker_.wait([&] {
    return std::ranges::count_if(broker_.requests,
                                 [](const v1::Request& r) { return r.has_subscribe(); }) == 2;
  }));
  ASSERT_TRUE((**begun).ack_and_wait(seconds(20)).has_value());
  const auto acked = ranges(SettleKind::kAck);
  ASSERT_EQ(acked.size(), 1U);
  EXPECT_EQ(acked[0].grant.value, 1U);
  EXPECT_EQ(acked[0].nonce, 1'001U);
  EXPECT_EQ(acked[0].base_offset, 100);
  EXPECT_EQ(acked[0].first_index, 0U);
  // What it had not begun was the broker's again with the end of the connection.
  EXPECT_TRUE(ranges(SettleKind::kRelease).empty());
  deliver(2, {"new"});
  auto next = consumer->next(seconds(20));
  ASSERT_TRUE(next.has_value() && *next);
  EXPECT_EQ((**next).body(), "new");
}

TEST_F(ConsumerTest, SaysAgainWhatWasNotDurableWhenTheConnectionBroke) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, {"a"});
  auto delivery = consumer->next(seconds(20));
  ASSERT_TRUE(delivery.has_value() && *delivery);
  broker_.with([&] {
    // The report that the handler begins may come in a frame of its own, before the ack.
    broker_.on_settle = [was_cut = false](FakeBroker::Peer& peer,
                                          const proto::Settle& settle) mutable {
      const bool has_ack = std::any_of(
          settle.ranges.begin(), settle.ranges.end(),
          [](const proto::SettleRange& range) { return range.kind == SettleKind::kAck; });
      if (!has_ack || std::exchange(was_cut, true)) {
        return Answer::kUsual;
      }
      peer.hang_up();
      return Answer::kNothing;
    };
  });
  EXPECT_TRUE((**delivery).ack_and_wait(seconds(20)).has_value());
  broker_.with([&] {
    std::vector<int> peers;
    for (const auto& recorded : broker_.settled) {
      if (recorded.range.kind == SettleKind::kAck) {
        peers.push_back(recorded.peer);
      }
    }
    EXPECT_THAT(peers, ElementsAre(1, 2));
  });
}

TEST_F(ConsumerTest, KeepsLeasesAliveWhileTheApplicationHoldsThem) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, {"a"}, 0, /*lease_ms=*/40);
  auto delivery = consumer->next(seconds(20));
  ASSERT_TRUE(delivery.has_value() && *delivery);
  EXPECT_TRUE(wait_settled(SettleKind::kExtend, 2));
  EXPECT_EQ(ranges(SettleKind::kExtend).at(0).value, 40U);
  (**delivery).ack();
}

TEST_F(ConsumerTest, PausesAndResumes) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  deliver(1, many(3));
  auto first = consumer->next(seconds(20));
  ASSERT_TRUE(first.has_value() && *first);
  consumer->pause();
  ASSERT_TRUE(broker_.wait([&] { return broker_.credits.size() == 1; }));
  EXPECT_TRUE(wait_settled(SettleKind::kRelease, 2));
  broker_.with([&] {
    EXPECT_EQ(broker_.credits[0].window_messages, 0U);
    EXPECT_EQ(broker_.credits[0].alias, broker_.subscription_alias);
  });
  consumer->resume();
  ASSERT_TRUE(broker_.wait([&] { return broker_.credits.size() == 2; }));
  broker_.with([&] { EXPECT_EQ(broker_.credits[1].window_messages, 1'000U); });
  deliver(2, {"again"});
  auto next = consumer->next(seconds(20));
  ASSERT_TRUE(next.has_value() && *next);
  EXPECT_EQ((**next).body(), "again");
}

TEST_F(ConsumerTest, TriesAgainWhenTheQueueIsGoneForAWhile) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kQueueNotFound); });
  broker_.hang_up();
  ErrorCode code{};
  while (code != ErrorCode::kQueueNotFound) {
    const auto next = consumer->next(milliseconds(100));
    code = next ? ErrorCode{} : next.error().code;
  }
  EXPECT_EQ(consumer->status().error().code, ErrorCode::kQueueNotFound);
  broker_.with([&] { broker_.on_request = nullptr; });
  while (!consumer->status()) {
    std::this_thread::yield();
  }
  deliver(1, {"back"});
  auto next = consumer->next(seconds(20));
  ASSERT_TRUE(next.has_value() && *next);
}

TEST_F(ConsumerTest, TellsThatTheBrokerHasEndedItAndTriesAgain) {
  Client client = connect();
  Result<QueueConsumer> consumer = client.subscribe("q", {});
  ASSERT_TRUE(consumer.has_value());
  // Whoever subscribes from now on stands and is ended at once.
  broker_.with([&] {
    broker_.on_request = [&](FakeBroker::Peer& peer, const v1::Request& request) {
      v1::Response response;
      response.set_id(request.id());
      response.mutable_subscribed()->set_alias(++broker_.subscription_alias);
      peer.write(proto::FrameType::kResponse, response);
      broker_.end_subscription("at offset 7");
      return Answer::kNothing;
    };
    broker_.end_subscription("at offset 7");
  });
  std::optional<Error> error;
  while (!error) {
    if (const auto next = consumer->next(milliseconds(100)); !next) {
      error = next.error();
    }
  }
  EXPECT_EQ(error->code, ErrorCode::kCorruptBatch);
  EXPECT_EQ(error->message, "at offset 7");
  ASSERT_TRUE(broker_.wait([&] { return broker_.requests.size() >= 4; }));
  // Only a subscription that is asked for from now on lasts; a good status may be of one before.
  const std::size_t ended = broker_.with([&] {
    EXPECT_EQ(broker_.connections, 1);
    broker_.on_request = nullptr;
    return broker_.requests.size();
  });
  ASSERT_TRUE(broker_.wait([&] { return broker_.requests.size() > ended; }));
  deliver(1, {"back"});
  auto next = consumer->next(seconds(20));
  while (!next) {
    next = consumer->next(seconds(20));
  }
  ASSERT_TRUE(next->has_value());
  EXPECT_EQ((**next).body(), "back");
}

TEST_F(ConsumerTest, SettlesDeliveriesThatOutliveTheClient) {
  std::optional<Delivery> held;
  {
    Client client = connect();
    Result<QueueConsumer> consumer = client.subscribe("q", {});
    ASSERT_TRUE(consumer.has_value());
    deliver(1, {"a", "b"});
    held = std::move(*consumer->next(seconds(20))).value();
  }
  EXPECT_EQ(held->body(), "a");
  ErrorCode code{};
  held->ack([&](const Result<>& result) { code = result.error().code; });
  EXPECT_EQ(code, ErrorCode::kCancelled);
}

// ---- receive

class ReceiveTest : public ConsumerTest {
 protected:
  void answer_receive(const std::vector<std::string>& texts) {
    broker_.with([&] {
      broker_.on_request = [texts](FakeBroker::Peer& peer, const v1::Request& request) {
        if (!request.has_receive()) {
          return Answer::kUsual;
        }
        v1::Response response;
        response.set_id(request.id());
        v1::Received& received = *response.mutable_received();
        received.set_id(77);
        received.set_lease_ms(30'000);
        received.set_generation(1);
        if (!texts.empty()) {
          v1::Grant& grant = *received.add_grants();
          grant.set_grant(5);
          grant.set_nonce(6);
          grant.set_base_offset(100);
          grant.set_first_index(3);
          grant.set_span(static_cast<std::uint32_t>(texts.size()));
          grant.set_count(grant.span());
          grant.set_attempts(1);
          grant.set_base_timestamp(1'000);
          grant.set_records(FakeBroker::records(texts));
        }
        peer.write(proto::FrameType::kResponse, response);
        return Answer::kNothing;
      };
    });
  }
};

TEST_F(ReceiveTest, TakesMessagesInOneRequestAndSettlesThem) {
  answer_receive({"a", "b", "c"});
  Client client = connect();
  ReceiveOptions options;
  options.set_max_messages(10).set_wait(seconds(3)).set_lease(seconds(60));
  Result<std::vector<Delivery>> deliveries = client.receive("q", options);
  ASSERT_TRUE(deliveries.has_value()) << deliveries.error().to_string();
  ASSERT_EQ(deliveries->size(), 3U);
  EXPECT_EQ(deliveries->at(0).body(), "a");
  EXPECT_EQ(deliveries->at(0).offset(), 103);
  EXPECT_EQ(deliveries->at(0).attempt(), 2U);
  EXPECT_EQ(deliveries->at(0).lease(), seconds(30));
  EXPECT_TRUE(deliveries->at(0).ack_and_wait(seconds(20)).has_value());
  deliveries->at(1).nack();
  deliveries->clear();
  EXPECT_TRUE(wait_settled(SettleKind::kNack, 2));
  broker_.with([&] {
    const v1::Receive& asked = broker_.requests[0].receive();
    EXPECT_EQ(asked.max_messages(), 10U);
    EXPECT_EQ(asked.wait_ms(), 3'000U);
    EXPECT_EQ(asked.lease_ms(), 60'000U);
    // The broker has counted the attempt at the hand-out.
    EXPECT_TRUE(broker_.ranges(SettleKind::kStarted).empty());
  });
}

TEST_F(ReceiveTest, ComesBackEmpty) {
  answer_receive({});
  Client client = connect();
  const Result<std::vector<Delivery>> deliveries = client.receive("q", {});
  ASSERT_TRUE(deliveries.has_value());
  EXPECT_TRUE(deliveries->empty());
}

}  // namespace
}  // namespace weir::sdk
