#include "tests/unit/client/client_fixture.hpp"
#include "weir/weir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

// Calls that the application stops, and the deadlines that it gives them.
namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using test::Latch;
using testing::ElementsAre;

class StopTest : public ClientTest {
 protected:
  using Answer = FakeBroker::Answer;

  std::stop_source source_;
};

// Until a producer's first batch is confirmed the next one stays in the buffer.
TEST_F(StopTest, ASendSaysWhetherItMayHaveBeenStored) {
  swallow_sends();
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  std::stop_source second;
  Future<SendReceipt> out = producer.async_send("out", source_.get_token());
  ASSERT_TRUE(broker_.wait([&] { return broker_.sends.size() == 1; }));
  Future<SendReceipt> kept = producer.async_send("kept");
  Future<SendReceipt> waiting = producer.async_send("waiting", second.get_token());
  second.request_stop();
  EXPECT_EQ(code_of(waiting), ErrorCode::kCancelled);
  source_.request_stop();
  EXPECT_EQ(code_of(out), ErrorCode::kUnknownOutcome);
  EXPECT_FALSE(kept.is_ready());
  // What had left is sent until its fate is known; what had not is nowhere.
  broker_.with([&] { broker_.on_send = nullptr; });
  broker_.hang_up();
  EXPECT_TRUE(kept.get(seconds(20)).has_value());
  broker_.with([&] { EXPECT_THAT(broker_.model.logs[0], ElementsAre("out", "kept")); });
}

TEST_F(StopTest, ASendThatWasStoppedBeforeIsNotTaken) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  source_.request_stop();
  EXPECT_EQ(producer.send("x", source_.get_token()).error().code, ErrorCode::kCancelled);
  int calls = 0;
  const auto count = [&calls](const Result<SendReceipt>&) { ++calls; };
  EXPECT_EQ(producer.try_send("x", count, source_.get_token()).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(producer.send("y").has_value());
  EXPECT_EQ(calls, 0);
  broker_.with([&] { EXPECT_THAT(broker_.model.logs[0], ElementsAre("y")); });
}

TEST_F(StopTest, AProducerThatBlocksForRoomLetsGo) {
  swallow_sends();
  Client client = connect();
  Producer producer =
      client.queue_producer("q", ProducerOptions().set_max_buffered_messages(1)).value();
  Future<SendReceipt> first = producer.async_send("1");
  EXPECT_EQ(producer.async_send("2").get().error().code, ErrorCode::kOverloaded);
  std::optional<Result<>> taken;
  Latch blocks;
  std::thread sender([&] {
    blocks.open();
    taken = producer.send("3", [](const Result<SendReceipt>&) {}, source_.get_token());
  });
  ASSERT_TRUE(blocks.wait());
  source_.request_stop();
  sender.join();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(first.is_ready());
  client.close(milliseconds(0));
}

TEST_F(StopTest, AFlushThatIsStoppedLeavesTheMessagesAlone) {
  swallow_sends();
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  const Future<SendReceipt> sent = producer.async_send("1");
  std::optional<Result<>> flushed;
  std::thread waiting([&] { flushed = producer.flush(source_.get_token()); });
  source_.request_stop();
  waiting.join();
  EXPECT_EQ(flushed->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(producer.buffered_messages(), 1U);
  client.close(milliseconds(0));
}

// Each message is answered once, and those that are said not to be stored are not.
TEST_F(StopTest, SendsAreStoppedBesideTheirAnswers) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  std::set<std::string> stored;
  std::set<std::string> not_stored;
  constexpr int kRounds = 60;
  constexpr int kSends = 20;
  for (int round = 0; round < kRounds; ++round) {
    std::stop_source source;
    std::vector<std::pair<std::string, Future<SendReceipt>>> sends;
    std::thread stopping([&source] { source.request_stop(); });
    for (int i = 0; i < kSends; ++i) {
      std::string text = std::to_string(round) + "/" + std::to_string(i);
      Future<SendReceipt> future = producer.async_send(text, source.get_token());
      sends.emplace_back(std::move(text), std::move(future));
    }
    for (auto& [text, future] : sends) {
      const Result<SendReceipt> result = future.get(seconds(20));
      if (result) {
        stored.insert(text);
      } else if (result.error().code == ErrorCode::kCancelled) {
        not_stored.insert(text);
      } else {
        EXPECT_EQ(result.error().code, ErrorCode::kUnknownOutcome) << result.error().to_string();
      }
    }
    stopping.join();
  }
  ASSERT_TRUE(producer.send("last").has_value());
  ASSERT_TRUE(producer.flush().has_value());
  EXPECT_EQ(producer.buffered_messages(), 0U);
  broker_.with([&] {
    const std::set<std::string> log(broker_.model.logs[0].begin(), broker_.model.logs[0].end());
    EXPECT_EQ(log.size(), broker_.model.logs[0].size());
    for (const std::string& text : stored) {
      EXPECT_TRUE(log.contains(text)) << text;
    }
    for (const std::string& text : not_stored) {
      EXPECT_FALSE(log.contains(text)) << text;
    }
  });
}

TEST_F(StopTest, ARequestSaysWhetherItMayHaveBeenCarriedOut) {
  swallow_requests();
  Client client = connect();
  Future<QueueDescription> create = client.async_create_queue("q", {}, source_.get_token());
  Future<QueueDescription> look = client.async_describe_queue("q", source_.get_token());
  ASSERT_TRUE(wait_for_requests(2));
  EXPECT_FALSE(create.is_ready());
  source_.request_stop();
  EXPECT_EQ(create.get(seconds(20)).error().code, ErrorCode::kUnknownOutcome);
  EXPECT_EQ(look.get(seconds(20)).error().code, ErrorCode::kCancelled);
}

TEST_F(StopTest, ARequestThatWaitsForAConnectionNeverLeaves) {
  broker_.set_accepting(false);
  Client client = Client::create(fast_options()).value();
  Future<QueueDescription> create = client.async_create_queue("q", {}, source_.get_token());
  source_.request_stop();
  EXPECT_EQ(create.get(seconds(20)).error().code, ErrorCode::kCancelled);
  broker_.set_accepting(true);
  EXPECT_TRUE(client.describe_queue("other").has_value());
  broker_.with([&] { EXPECT_EQ(broker_.requests.size(), 1U); });
}

TEST_F(StopTest, AWaitingCallLetsGo) {
  swallow_requests();
  Client client = connect();
  std::optional<Result<QueueDescription>> described;
  std::thread waiting([&] { described = client.describe_queue("q", source_.get_token()); });
  EXPECT_TRUE(wait_for_requests(1));
  source_.request_stop();
  waiting.join();
  EXPECT_EQ(described->error().code, ErrorCode::kCancelled);
}

TEST_F(StopTest, AStopAfterTheAnswerChangesNothing) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  Future<SendReceipt> sent = producer.async_send("x", source_.get_token());
  Future<QueueDescription> described = client.async_describe_queue("q", source_.get_token());
  EXPECT_TRUE(sent.wait_until(std::chrono::steady_clock::now() + seconds(20)));
  EXPECT_TRUE(described.wait_until(std::chrono::steady_clock::now() + seconds(20)));
  source_.request_stop();
  EXPECT_TRUE(sent.get().has_value());
  EXPECT_TRUE(described.get().has_value());
}

TEST_F(StopTest, ConsumersAndReadersLetGoOfWhoWaits) {
  broker_.with([&] { broker_.positions = {test::position(0, 0, 0)}; });
  Client client = connect();
  TopicReader reader = client.read_topic("t", {}).value();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  Future<std::optional<Delivery>> delivery = consumer.async_next(source_.get_token());
  Future<std::optional<Record>> record = reader.async_next(source_.get_token());
  Future<std::optional<Delivery>> other = consumer.async_next();
  source_.request_stop();
  EXPECT_EQ(delivery.get(seconds(20)).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(record.get(seconds(20)).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(consumer.next(source_.get_token()).error().code, ErrorCode::kCancelled);
  broker_.with([&] { broker_.deliver(1, {"for the other"}); });
  EXPECT_EQ((*other.get(seconds(20)))->body(), "for the other");
}

TEST_F(StopTest, AnAnswerToAStoppedReceiveIsGivenBack) {
  FakeBroker::Peer* peer = nullptr;
  std::optional<v1::Request> asked;
  broker_.with([&] {
    broker_.on_request = [&](FakeBroker::Peer& from, const v1::Request& request) {
      if (!request.has_receive()) {
        return Answer::kUsual;
      }
      peer = &from;
      asked = request;
      return Answer::kNothing;
    };
  });
  Client client = connect();
  Future<std::vector<Delivery>> received =
      client.async_receive("q", ReceiveOptions().set_wait(seconds(10)), source_.get_token());
  ASSERT_TRUE(broker_.wait([&] { return asked.has_value(); }));
  source_.request_stop();
  EXPECT_EQ(received.get(seconds(20)).error().code, ErrorCode::kCancelled);
  broker_.with([&] {
    v1::Response response;
    response.set_id(asked->id());
    v1::Grant& grant = *response.mutable_received()->add_grants();
    grant.set_grant(5);
    grant.set_span(1);
    grant.set_count(1);
    grant.set_base_offset(7);
    grant.set_records(FakeBroker::records({"late"}));
    peer->write(proto::FrameType::kResponse, response);
  });
  EXPECT_TRUE(broker_.wait([&] { return !broker_.ranges(proto::SettleKind::kRelease).empty(); }));
}

// ---- deadlines

TEST_F(StopTest, TheEarlierOfTimeAndDeadlineCounts) {
  swallow_requests();
  Client client = connect();
  const auto soon = std::chrono::steady_clock::now() + milliseconds(20);
  const CallOptions by = CallOptions(seconds(100)).set_deadline(soon);
  EXPECT_EQ(client.describe_queue("q", by).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(client.describe_queue("q", soon).error().code, ErrorCode::kDeadlineExceeded);
  const CallOptions within = CallOptions(soon + seconds(100)).set_timeout(milliseconds(1));
  EXPECT_EQ(client.describe_queue("q", within).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_GE(std::chrono::steady_clock::now(), soon);
}

TEST_F(StopTest, ATimeBeyondAllMeasureIsOne) {
  Client client = connect();
  EXPECT_TRUE(client.describe_queue("q", milliseconds::max()).has_value());
  EXPECT_TRUE(client.describe_queue("q", CallOptions::TimePoint::max()).has_value());
}

TEST_F(StopTest, NothingComesWithinTheTime) {
  broker_.with([&] { broker_.positions = {test::position(0, 0, 0)}; });
  Client client = connect();
  QueueConsumer consumer = client.subscribe("q", {}).value();
  TopicReader reader = client.read_topic("t", {}).value();
  EXPECT_FALSE(consumer.async_next(milliseconds(5)).get().value().has_value());
  EXPECT_FALSE(reader.async_next(milliseconds(5)).get().value().has_value());
  EXPECT_FALSE(consumer.next(milliseconds(5)).value().has_value());
}

}  // namespace
}  // namespace weir::sdk
