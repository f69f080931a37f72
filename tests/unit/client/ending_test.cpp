#include "tests/unit/client/client_fixture.hpp"
#include "weir/weir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// Calls that wait until something is over, each with its twin.
namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using test::Latch;

class EndingTest : public ClientTest {
 protected:
  using Answer = FakeBroker::Answer;

  EndingTest() {
    broker_.with([&] { broker_.positions = {test::position(0, 0, 1)}; });
  }
  /// The one record of partition 0.
  void feed() {
    broker_.with([&] { broker_.send_records(FakeBroker::batch({"one"}, 0), 1); });
  }
  /// Calls it on the client's I/O thread, and waits for that.
  template <class Function>
  static void run_in_callback(Client& client, Function function) {
    Producer producer = client.queue_producer("callback", {}).value();
    Latch done;
    ASSERT_TRUE(producer.send("x", [&](const Result<SendReceipt>&) {
      function();
      done.open();
    }));
    ASSERT_TRUE(done.wait());
  }

  std::stop_source source_;
};

// ---- Producer::flush()

TEST_F(EndingTest, AFlushWaitsForWhatWasTakenBefore) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  EXPECT_TRUE(producer.async_flush().is_ready());
  swallow_sends();
  const Future<SendReceipt> first = producer.async_send("1");
  ASSERT_TRUE(broker_.wait([&] { return broker_.sends.size() == 1; }));
  Future<> flushed = producer.async_flush();
  Future<> also = producer.async_flush();
  const Future<SendReceipt> second = producer.async_send("2");
  Future<> later = producer.async_flush();
  EXPECT_FALSE(flushed.is_ready());
  // The first batch is stored now, and the next one is not answered.
  broker_.with([&] {
    broker_.on_send = [&](FakeBroker::Peer&, const proto::Send&) {
      return broker_.model.logs[0].empty() ? Answer::kUsual : Answer::kNothing;
    };
  });
  broker_.hang_up();
  EXPECT_TRUE(flushed.get(seconds(20)).has_value());
  EXPECT_TRUE(also.get(seconds(20)).has_value());
  EXPECT_TRUE(first.is_ready());
  EXPECT_FALSE(second.is_ready());
  EXPECT_FALSE(later.is_ready());
  client.close(milliseconds(0));
  EXPECT_TRUE(later.get(seconds(20)).has_value()) << "what has failed is over as well";
}

TEST_F(EndingTest, AFlushEndsByItsDeadlineAndByItsStop) {
  swallow_sends();
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  const Future<SendReceipt> sent = producer.async_send("1");
  EXPECT_EQ(code_of(producer.async_flush(milliseconds(5))), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(producer.flush(milliseconds(5)).error().code, ErrorCode::kDeadlineExceeded);
  static_cast<void>(producer.async_flush());
  Future<> stopped = producer.async_flush(source_.get_token());
  Future<> other = producer.async_flush();
  source_.request_stop();
  EXPECT_EQ(code_of(std::move(stopped)), ErrorCode::kCancelled);
  EXPECT_FALSE(other.is_ready());
  EXPECT_EQ(producer.buffered_messages(), 1U);
  client.close(milliseconds(0));
}

TEST_F(EndingTest, AFlushMayBeAskedForInCallbacks) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  ErrorCode waited{};
  Future<> flushed;
  run_in_callback(client, [&] {
    const Future<SendReceipt> sent = producer.async_send("1");
    waited = producer.flush().error().code;
    flushed = producer.async_flush();
  });
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(flushed.get(seconds(20)).has_value());
  EXPECT_EQ(producer.buffered_messages(), 0U);
}

// ---- TopicReader::wait_finished()

TEST_F(EndingTest, AReaderTellsThatItHasFinished) {
  Client client = connect();
  TopicReader reader = client.read_topic("t", ReaderOptions().set_stop_at_end()).value();
  Future<bool> finished = reader.async_wait_finished();
  EXPECT_FALSE(reader.async_wait_finished(milliseconds(5)).get(seconds(20)).value());
  EXPECT_FALSE(reader.wait_finished(milliseconds(5)).value());
  feed();
  ASSERT_TRUE(reader.next(seconds(20)).value().has_value());
  EXPECT_TRUE(finished.get(seconds(20)).value());
  reader.close();
  EXPECT_TRUE(reader.async_wait_finished().get(seconds(20)).value());
  EXPECT_TRUE(reader.wait_finished().value());
}

TEST_F(EndingTest, AReaderTellsWhyItDoesNotFinish) {
  Client client = connect();
  TopicReader reader = client.read_topic("t", {}).value();
  Future<bool> stopped = reader.async_wait_finished(source_.get_token());
  Future<bool> closed = reader.async_wait_finished();
  source_.request_stop();
  EXPECT_EQ(code_of(std::move(stopped)), ErrorCode::kCancelled);
  EXPECT_FALSE(closed.is_ready());
  reader.close();
  EXPECT_EQ(code_of(std::move(closed)), ErrorCode::kCancelled);
  TopicReader failing = client.read_topic("t", {}).value();
  Future<bool> failed = failing.async_wait_finished();
  broker_.with([&] { broker_.end_subscription("damaged"); });
  EXPECT_EQ(failing.next(seconds(20)).error().code, ErrorCode::kCorruptBatch);
  EXPECT_EQ(code_of(std::move(failed)), ErrorCode::kCorruptBatch);
  TopicReader last = client.read_topic("t", {}).value();
  Future<bool> ended = last.async_wait_finished();
  client.close();
  EXPECT_EQ(code_of(std::move(ended)), ErrorCode::kCancelled);
}

TEST_F(EndingTest, AReaderMayBeAskedInCallbacks) {
  Client client = connect();
  TopicReader reader =
      client.read_topic("t", ReaderOptions().set_stop_at_end(), [](const Record&) {}).value();
  ErrorCode waited{};
  Future<bool> finished;
  run_in_callback(client, [&] {
    waited = reader.wait_finished().error().code;
    finished = reader.async_wait_finished();
  });
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  feed();
  EXPECT_TRUE(finished.get(seconds(20)).value());
}

// ---- close()

TEST_F(EndingTest, ASubscriptionTellsThatNoHandlerIsCalledAnyMore) {
  Client client = connect();
  std::optional<QueueConsumer> consumer;
  Latch is_there;
  Latch closed;
  std::atomic<int> calls = 0;
  consumer = client
                 .subscribe("q", {},
                            [&](const Delivery&) {
                              static_cast<void>(is_there.wait());
                              ++calls;
                              static_cast<void>(consumer->async_close().then([&](Result<> ended) {
                                if (ended && calls == 1) {
                                  closed.open();
                                }
                              }));
                            })
                 .value();
  is_there.open();
  broker_.with([&] { broker_.deliver(1, {"a", "b"}); });
  ASSERT_TRUE(closed.wait());
  EXPECT_TRUE(broker_.wait([&] { return !broker_.ranges(proto::SettleKind::kRelease).empty(); }));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(consumer->async_close().get(seconds(20)).has_value());
  TopicReader reader = client.read_topic("t", {}, [](const Record&) {}).value();
  EXPECT_TRUE(reader.async_close().get(seconds(20)).has_value());
  EXPECT_EQ(reader.status().error().code, ErrorCode::kCancelled);
  client.close();
  EXPECT_TRUE(reader.async_close().get().has_value());
}

TEST_F(EndingTest, AClientTellsThatItIsClosed) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  Future<SendReceipt> sent = producer.async_send("1");
  Future<> closed = client.async_close();
  Future<> also = client.async_close(seconds(5));
  EXPECT_TRUE(closed.get(seconds(20)).has_value());
  EXPECT_TRUE(also.get(seconds(20)).has_value());
  EXPECT_TRUE(sent.is_ready());
  EXPECT_TRUE(sent.get().has_value());
  client.close();
  EXPECT_TRUE(client.async_close().is_ready());
}

TEST_F(EndingTest, AClientClosesWithinTheTimeThatItIsGiven) {
  swallow_sends();
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  Future<SendReceipt> sent = producer.async_send("1");
  ASSERT_TRUE(broker_.wait([&] { return broker_.sends.size() == 1; }));
  EXPECT_TRUE(client.async_close(milliseconds(5)).get(seconds(20)).has_value());
  EXPECT_EQ(sent.get().error().code, ErrorCode::kUnknownOutcome);
}

TEST_F(EndingTest, AClientMayEndInWhatItsEndCalls) {
  auto client = std::make_unique<Client>(connect());
  Client& closing = *client;
  Latch gone;
  run_in_callback(closing, [&] {
    static_cast<void>(closing.async_close().then([&](const Result<>&) {
      client.reset();
      gone.open();
    }));
  });
  ASSERT_TRUE(gone.wait());
  EXPECT_EQ(client, nullptr);
}

// ---- WorkerPool::drain()

class DrainTest : public EndingTest {
 protected:
  /// A pool of one worker whose handler has begun and waits until the test lets it go on.
  [[nodiscard]] WorkerPool start(Client& client) {
    WorkerPool pool = client
                          .start_workers("q", WorkerPoolOptions().set_concurrency(1),
                                         [this](const Delivery&) {
                                           is_in_.open();
                                           static_cast<void>(go_on_.wait());
                                         })
                          .value();
    broker_.with([&] { broker_.deliver(1, {"begun"}); });
    EXPECT_TRUE(is_in_.wait());
    return pool;
  }

  Latch is_in_;
  Latch go_on_;
};

TEST_F(DrainTest, IsToldWhenWhatWasBegunIsDone) {
  Client client = connect();
  WorkerPool pool = start(client);
  Future<> drained = pool.async_drain();
  static_cast<void>(pool.async_drain());
  EXPECT_FALSE(drained.is_ready());
  go_on_.open();
  EXPECT_TRUE(drained.get(seconds(20)).has_value());
  EXPECT_EQ(pool.stats().acked, 1U);
  EXPECT_TRUE(pool.async_drain().get(seconds(20)).has_value());
}

TEST_F(DrainTest, EndsByItsDeadlineAndByItsStop) {
  Client client = connect();
  WorkerPool pool = start(client);
  const Result<> late = pool.async_drain(milliseconds(5)).get(seconds(20));
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(late.error().message, testing::StartsWith("1 messages are still being handled"));
  Future<> stopped = pool.async_drain(source_.get_token());
  source_.request_stop();
  EXPECT_EQ(code_of(std::move(stopped)), ErrorCode::kCancelled);
  EXPECT_EQ(pool.drain(source_.get_token()).error().code, ErrorCode::kCancelled);
  go_on_.open();
  EXPECT_TRUE(pool.drain(seconds(20)).has_value());
}

TEST_F(DrainTest, MayBeAskedForInCallbacksAndHandlers) {
  Client client = connect();
  WorkerPool pool = start(client);
  ErrorCode waited{};
  Future<> drained;
  run_in_callback(client, [&] {
    waited = pool.drain().error().code;
    drained = pool.async_drain();
  });
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  go_on_.open();
  EXPECT_TRUE(drained.get(seconds(20)).has_value());

  std::optional<WorkerPool> own;
  Latch is_there;
  Promise<> promise;
  Future<> told = promise.future();
  own = client
            .start_workers("q", WorkerPoolOptions().set_concurrency(1),
                           [&](const Delivery&) {
                             static_cast<void>(is_there.wait());
                             own->async_drain().deliver_to(
                                 [&](Result<> result) { promise.set(std::move(result)); });
                           })
            .value();
  is_there.open();
  broker_.with([&] { broker_.deliver(2, {"last"}); });
  EXPECT_TRUE(told.get(seconds(20)).has_value());
}

// The time of a future is kept by the client; who waits keeps his own.
TEST_F(DrainTest, GoesOnWithoutTheClientForWhoWaits) {
  Client client = connect();
  WorkerPool pool = start(client);
  Future<> drained = pool.async_drain();
  client.close(milliseconds(0));
  EXPECT_EQ(code_of(std::move(drained)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(pool.async_drain()), ErrorCode::kCancelled);
  EXPECT_EQ(pool.drain(milliseconds(5)).error().code, ErrorCode::kDeadlineExceeded);
  source_.request_stop();
  EXPECT_EQ(pool.drain(source_.get_token()).error().code, ErrorCode::kCancelled);
  go_on_.open();
  EXPECT_TRUE(pool.drain(seconds(20)).has_value());
}

}  // namespace
}  // namespace weir::sdk
