#include "tests/unit/client/client_fixture.hpp"
#include "tests/unit/client/coroutine.hpp"
#include "weir/weir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

// Each call that waits has a twin that gives a future.
namespace weir::sdk {
namespace {

using proto::SettleKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::Detached;
using test::FakeBroker;
using test::Latch;
using testing::ElementsAre;

class AsyncTest : public ClientTest {
 protected:
  using Answer = FakeBroker::Answer;

  void deliver(std::uint64_t grant, const std::vector<std::string>& texts) {
    broker_.with([&] { broker_.deliver(grant, texts); });
  }
  [[nodiscard]] bool wait_settled(SettleKind kind) {
    return broker_.wait([&] { return !broker_.ranges(kind).empty(); });
  }
};

TEST_F(AsyncTest, SendsAreConfirmed) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  std::vector<Future<SendReceipt>> sends;
  for (int i = 0; i < 50; ++i) {
    sends.push_back(producer.async_send(Message("m")));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(sends[static_cast<std::size_t>(i)].get(seconds(20))->offset, i);
  }
  EXPECT_EQ(producer.async_send(std::string(2'000'000, 'x')).get().error().code,
            ErrorCode::kMessageTooLarge);
}

TEST_F(AsyncTest, AdministersQueuesAndTopics) {
  Client client = connect();
  EXPECT_TRUE(client.async_create_queue("q", {}).get(seconds(20))->created);
  EXPECT_EQ(client.async_describe_queue("q").get(seconds(20))->ready, 5U);
  EXPECT_EQ(client.async_create_topic("t", TopicSettings().set_partitions(6))
                .get(seconds(20))
                ->settings.partitions(),
            6U);
  EXPECT_EQ(client.async_describe_topic("t").get(seconds(20))->name, "t");
  broker_.with([&] { broker_.positions = {test::position(2, 11, 20)}; });
  EXPECT_EQ(client.async_list_offsets("t", {PartitionStart(2, StartPosition::end())})
                .get(seconds(20))
                ->at(0)
                .offset,
            11);
  EXPECT_TRUE(client.async_ack("h").get(seconds(20)).has_value());
  EXPECT_TRUE(client.async_nack("h", milliseconds(1)).get(seconds(20)).has_value());
  EXPECT_TRUE(client.async_release("h").get(seconds(20)).has_value());
  EXPECT_TRUE(client.async_extend("h", seconds(1)).get(seconds(20)).has_value());
  EXPECT_EQ(client.async_describe_queue("a b").get().error().code, ErrorCode::kInvalidName);
}

TEST_F(AsyncTest, MayBeCalledWhereNothingMayWait) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  Latch done;
  ErrorCode waited{};
  std::string described;
  Future<QueueDescription> kept;
  ASSERT_TRUE(producer.send("x", [&](const Result<SendReceipt>&) {
    kept = client.async_describe_queue("kept");
    waited = kept.get().error().code;
    static_cast<void>(
        client.async_describe_queue("other").then([&](Result<QueueDescription> queue) {
          described = queue.value().name;
          done.open();
        }));
  }));
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  EXPECT_EQ(described, "other");
  EXPECT_EQ(kept.get(seconds(20))->name, "kept");
}

TEST_F(AsyncTest, MessagesGoToWhoAskedFirst) {
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  Future<std::optional<Delivery>> first = consumer.async_next();
  Future<std::optional<Delivery>> second = consumer.async_next();
  deliver(1, {"1", "2", "3"});
  EXPECT_EQ((*second.get(seconds(20)))->body(), "2");
  EXPECT_EQ((*first.get(seconds(20)))->body(), "1");
  EXPECT_EQ((*consumer.next(seconds(20)))->body(), "3");
}

TEST_F(AsyncTest, AMessageThatNobodyTookOutGoesBackAsNotHandled) {
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  {
    const Future<std::optional<Delivery>> next = consumer.async_next();
    deliver(1, {"dropped"});
    ASSERT_TRUE(next.wait_until(std::chrono::steady_clock::now() + seconds(20)));
  }
  ASSERT_TRUE(wait_settled(SettleKind::kRelease));
  static_cast<void>(consumer.async_next().then([](const Result<std::optional<Delivery>>&) {}));
  deliver(2, {"failed"});
  EXPECT_TRUE(wait_settled(SettleKind::kNack));
}

TEST_F(AsyncTest, WhoWaitsLearnsThatAConsumerIsClosed) {
  broker_.with([&] { broker_.positions = {test::position(0, 0, 0)}; });
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  TopicReader reader = client.read_topic("t", {}).value();
  Future<std::optional<Delivery>> message = consumer.async_next();
  Future<std::optional<Record>> record = reader.async_next();
  consumer.close();
  reader.close();
  EXPECT_EQ(message.get(seconds(20)).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(record.get(seconds(20)).error().code, ErrorCode::kCancelled);
  QueueConsumer another = client.subscribe("q", {}).value();
  Future<std::optional<Delivery>> last = another.async_next();
  client.close();
  EXPECT_EQ(last.get(seconds(20)).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(another.async_next().get().error().code, ErrorCode::kCancelled);
  EXPECT_EQ(client.async_describe_queue("q").get().error().code, ErrorCode::kCancelled);
}

TEST_F(AsyncTest, AConsumerWithAHandlerHasNoNext) {
  broker_.with([&] { broker_.positions = {test::position(0, 0, 0)}; });
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}, [](const Delivery&) {}).value();
  TopicReader reader = client.read_topic("t", {}, [](const Record&) {}).value();
  EXPECT_EQ(consumer.async_next().get().error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(reader.async_next().get().error().code, ErrorCode::kInvalidArgument);
}

TEST_F(AsyncTest, RecordsComeAndEnd) {
  broker_.with([&] { broker_.positions = {test::position(0, 0, 1)}; });
  Client client = connect();
  TopicReader reader = client.read_topic("t", ReaderOptions().set_stop_at_end()).value();
  Future<std::optional<Record>> first = reader.async_next();
  Future<std::optional<Record>> second = reader.async_next();
  broker_.with([&] { broker_.send_records(FakeBroker::batch({"one"}, 0), 1); });
  EXPECT_EQ((*first.get(seconds(20)))->value(), "one");
  EXPECT_FALSE(second.get(seconds(20)).value().has_value());
}

TEST_F(AsyncTest, SettlesInEachWayAndTellsWhenThatIsDurable) {
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  deliver(1, {"a", "b", "c", "d"});
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 4; ++i) {
    deliveries.push_back(std::move(**consumer.next(seconds(20))));
  }
  EXPECT_TRUE(deliveries[0].async_ack().get(seconds(20)).has_value());
  EXPECT_TRUE(deliveries[1].async_nack(milliseconds(7)).get(seconds(20)).has_value());
  EXPECT_TRUE(deliveries[2].async_release().get(seconds(20)).has_value());
  EXPECT_TRUE(deliveries[3].async_extend(seconds(9)).get(seconds(20)).has_value());
  EXPECT_TRUE(deliveries[0].settled());
  EXPECT_FALSE(deliveries[3].settled());
  EXPECT_EQ(deliveries[0].async_ack().get().error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(deliveries[1].async_extend(seconds(1)).get().error().code, ErrorCode::kInvalidArgument);
  broker_.with([&] {
    EXPECT_EQ(broker_.ranges(SettleKind::kNack).at(0).value, 7U);
    EXPECT_EQ(broker_.ranges(SettleKind::kExtend).at(0).value, 9'000U);
    EXPECT_EQ(broker_.ranges(SettleKind::kAck).size(), 1U);
    EXPECT_EQ(broker_.ranges(SettleKind::kRelease).size(), 1U);
  });
}

TEST_F(AsyncTest, SaysThatAMessageIsNoLongerOurs) {
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  broker_.with([&] {
    broker_.on_settle = [](FakeBroker::Peer& peer, const proto::Settle& settle) {
      proto::Settled answer;
      answer.up_to = settle.settle_number;
      for (const proto::SettleRange& range : settle.ranges) {
        if (range.kind == SettleKind::kAck) {
          proto::SettleFailure failure;
          failure.settle_number = settle.settle_number;
          failure.grant = range.grant;
          failure.first_index = range.first_index;
          failure.count = range.count;
          failure.code = static_cast<std::uint16_t>(proto::Errc::kReceiptExpired);
          answer.failed.push_back(failure);
        }
      }
      peer.write_frame(answer);
      return Answer::kNothing;
    };
  });
  deliver(1, {"a"});
  Delivery delivery = std::move(**consumer.next(seconds(20)));
  EXPECT_EQ(delivery.async_ack().get(seconds(20)).error().code, ErrorCode::kReceiptExpired);
}

// ---- from a coroutine, with temporaries of every kind that the headers offer

Detached work(Client& client, Producer producer, QueueConsumer consumer,
              std::vector<std::string>& log, Latch& done) {
  const std::string long_name(60, 'n');
  const Result<QueueDescription> queue = co_await client.async_create_queue(
      std::string(60, 'q'), QueueSettings().set_dead_letter_queue(std::string(60, 'd')),
      CallOptions(seconds(20)));
  log.push_back(queue->settings.dead_letter_queue());
  const Result<SendReceipt> receipt =
      co_await producer.async_send(Message(std::string(100, 'b')).set_key(std::string(60, 'k')));
  log.push_back(std::to_string(receipt->offset));
  log.push_back(std::to_string(
      (co_await producer.async_send(MessageView(long_name), std::stop_token())).value().offset));
  Result<std::optional<Delivery>> next = co_await consumer.async_next(seconds(20));
  log.emplace_back((*next)->body());
  const Result<> acked = co_await (*next)->async_ack();
  log.emplace_back(acked ? "acked" : "not acked");
  done.open();
}

TEST_F(AsyncTest, ACoroutineDoesAllOfIt) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  std::vector<std::string> log;
  Latch done;
  deliver(1, {"body"});
  work(client, producer, consumer, log, done);
  ASSERT_TRUE(done.wait());
  EXPECT_THAT(log, ElementsAre(std::string(60, 'd'), "0", "1", "body", "acked"));
}

}  // namespace
}  // namespace weir::sdk
