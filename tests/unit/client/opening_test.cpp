#include "tests/unit/client/client_fixture.hpp"
#include "tests/unit/client/coroutine.hpp"
#include "tests/unit/client/counted.hpp"
#include "weir/weir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// Calls that open something, each with its twin: what both promise, and what becomes of a thing
// that nobody took.
namespace weir::sdk {
namespace {

using proto::SettleKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::Counted;
using test::Detached;
using test::FakeBroker;
using test::Latch;
using testing::ElementsAre;

// One call and its twin.
struct Opener {
  std::string name;
  std::function<Result<>(Client&, std::string_view, const CallOptions&)> wait;
  std::function<Future<>(Client&, std::string_view, const CallOptions&)> start;
};

void PrintTo(const Opener& opener, std::ostream* out) {
  *out << opener.name;
}

template <class T>
Result<> without_value(const Result<T>& result) {
  return result ? Result<>() : Result<>(result.error());
}

template <class T>
Future<> without_value(Future<T> future) {
  return std::move(future).then([](const Result<T>& result) { return without_value(result); });
}

std::vector<Opener> openers() {
  using Call = const CallOptions&;
  using Name = std::string_view;
  const auto take = [](const Delivery&) {};
  const auto read = [](const Record&) {};
  return {
      {"QueueProducer",
       [](Client& of, Name name, Call call) {
         return without_value(of.queue_producer(name, {}, call));
       },
       [](Client& of, Name name, Call call) {
         return without_value(of.async_queue_producer(name, {}, call));
       }},
      {"TopicProducer",
       [](Client& of, Name name, Call call) {
         return without_value(of.topic_producer(name, {}, call));
       },
       [](Client& of, Name name, Call call) {
         return without_value(of.async_topic_producer(name, {}, call));
       }},
      {"Subscription",
       [](Client& of, Name name, Call call) { return without_value(of.subscribe(name, {}, call)); },
       [](Client& of, Name name, Call call) {
         return without_value(of.async_subscribe(name, {}, call));
       }},
      {"SubscriptionWithAHandler",
       [take](Client& of, Name name, Call call) {
         return without_value(of.subscribe(name, {}, take, call));
       },
       [take](Client& of, Name name, Call call) {
         return without_value(of.async_subscribe(name, {}, take, call));
       }},
      {"Reader",
       [](Client& of, Name name, Call call) {
         return without_value(of.read_topic(name, {}, call));
       },
       [](Client& of, Name name, Call call) {
         return without_value(of.async_read_topic(name, {}, call));
       }},
      {"ReaderWithAHandler",
       [read](Client& of, Name name, Call call) {
         return without_value(of.read_topic(name, {}, read, call));
       },
       [read](Client& of, Name name, Call call) {
         return without_value(of.async_read_topic(name, {}, read, call));
       }},
      {"Workers",
       [take](Client& of, Name name, Call call) {
         return without_value(
             of.start_workers(name, WorkerPoolOptions().set_concurrency(2), take, call));
       },
       [take](Client& of, Name name, Call call) {
         return without_value(
             of.async_start_workers(name, WorkerPoolOptions().set_concurrency(2), take, call));
       }},
  };
}

class OpeningTest : public ClientTest, public testing::WithParamInterface<Opener> {
 protected:
  OpeningTest() {
    broker_.with([&] { broker_.positions = {test::position(0, 0, 0)}; });
  }
  [[nodiscard]] Future<> start(Client& client, const CallOptions& call = CallOptions()) const {
    return GetParam().start(client, "x", call);
  }
  [[nodiscard]] Result<> wait(Client& client, const CallOptions& call = CallOptions()) const {
    return GetParam().wait(client, "x", call);
  }
};

INSTANTIATE_TEST_SUITE_P(All, OpeningTest, testing::ValuesIn(openers()),
                         [](const auto& opener) { return opener.param.name; });

TEST_P(OpeningTest, Succeeds) {
  Client client = connect();
  EXPECT_TRUE(start(client).get(seconds(20)).has_value());
  EXPECT_TRUE(wait(client).has_value());
}

TEST_P(OpeningTest, PassesOnARefusal) {
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kQueueNotFound); });
  Client client = connect();
  EXPECT_EQ(code_of(start(client)), ErrorCode::kQueueNotFound);
  EXPECT_EQ(code_of(wait(client)), ErrorCode::kQueueNotFound);
}

TEST_P(OpeningTest, RefusesABadNameAtOnce) {
  Client client = connect();
  Future<> refused = GetParam().start(client, "a b", CallOptions());
  EXPECT_TRUE(refused.is_ready());
  EXPECT_EQ(code_of(std::move(refused)), ErrorCode::kInvalidName);
  EXPECT_EQ(code_of(GetParam().wait(client, "a b", CallOptions())), ErrorCode::kInvalidName);
}

TEST_P(OpeningTest, EndsAtItsDeadline) {
  swallow_requests();
  Client client = connect();
  EXPECT_EQ(code_of(start(client, milliseconds(5))), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(code_of(wait(client, milliseconds(5))), ErrorCode::kDeadlineExceeded);
}

TEST_P(OpeningTest, SaysThatNoBrokerIsThere) {
  broker_.set_accepting(false);
  Client client = Client::create(fast_options()).value();
  EXPECT_EQ(code_of(start(client, milliseconds(5))), ErrorCode::kConnectFailed);
  EXPECT_EQ(code_of(wait(client, milliseconds(5))), ErrorCode::kConnectFailed);
}

TEST_P(OpeningTest, IsStopped) {
  swallow_requests();
  Client client = connect();
  std::stop_source source;
  Future<> opening = start(client, source.get_token());
  ASSERT_TRUE(wait_for_requests(1));
  EXPECT_FALSE(opening.is_ready());
  source.request_stop();
  EXPECT_EQ(code_of(std::move(opening)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(wait(client, source.get_token())), ErrorCode::kCancelled);
}

// Also what it gives is dropped there.
TEST_P(OpeningTest, MayBeginWhereNothingMayWait) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  Latch done;
  ErrorCode waited{};
  bool is_open = false;
  ASSERT_TRUE(producer.send("x", [&](const Result<SendReceipt>&) {
    waited = code_of(wait(client));
    static_cast<void>(start(client).then([&](const Result<>& opened) {
      is_open = opened.has_value();
      done.open();
    }));
  }));
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(is_open);
}

TEST_P(OpeningTest, EndsWithItsClient) {
  swallow_requests();
  Client client = connect();
  Future<> opening = start(client);
  ASSERT_TRUE(wait_for_requests(1));
  client.close(milliseconds(0));
  EXPECT_TRUE(opening.is_ready());
  EXPECT_EQ(code_of(std::move(opening)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(start(client)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(wait(client)), ErrorCode::kCancelled);
}

// ---- what nobody took

class UntakenTest : public ClientTest {
 protected:
  UntakenTest() {
    broker_.with([&] {
      broker_.positions = {test::position(0, 0, 0)};
      broker_.on_request = [this](FakeBroker::Peer& peer, const v1::Request& request) {
        const bool is_held = holds_ && (request.has_subscribe() || request.has_subscribe_topic());
        if (is_held) {
          held_.emplace_back(&peer, request);
        }
        unsubscribed_ += request.has_unsubscribe() ? 1 : 0;
        return is_held ? FakeBroker::Answer::kNothing : FakeBroker::Answer::kUsual;
      };
    });
  }
  /// Answers what subscriptions asked so far.
  void answer_held() {
    broker_.with([&] {
      for (auto& [peer, request] : std::exchange(held_, {})) {
        peer->write(proto::FrameType::kResponse, broker_.answer(*peer, request));
      }
    });
  }
  [[nodiscard]] bool wait_held(std::size_t count) {
    return broker_.wait([&] { return held_.size() == count; });
  }
  [[nodiscard]] bool wait_unsubscribed(int count) {
    return broker_.wait([&] { return unsubscribed_ == count; });
  }
  [[nodiscard]] bool wait_released(std::size_t messages) {
    return broker_.wait([&] {
      std::size_t released = 0;
      for (const proto::SettleRange& range : broker_.ranges(SettleKind::kRelease)) {
        released += range.count;
      }
      return released == messages;
    });
  }
  /// Two messages that have reached the client.
  void deliver(Client& client) {
    broker_.with([&] { broker_.deliver(1, {"a", "b"}); });
    EXPECT_TRUE(client.describe_queue("behind").has_value());
  }

  bool holds_ = false;
  std::vector<std::pair<FakeBroker::Peer*, v1::Request>> held_;
  int unsubscribed_ = 0;
};

TEST_F(UntakenTest, ASubscriptionIsClosedAndItsMessagesGoBack) {
  Client client = connect();
  {
    const Future<QueueConsumer> subscribing = client.async_subscribe("q", {});
    ASSERT_TRUE(subscribing.wait_until(std::chrono::steady_clock::now() + seconds(20)));
    deliver(client);
  }
  EXPECT_TRUE(wait_unsubscribed(1));
  EXPECT_TRUE(wait_released(2));
}

TEST_F(UntakenTest, WhatWasDroppedBeforeItStoodIsClosedOnceItDoes) {
  holds_ = true;
  Client client = connect();
  std::atomic<int> handled = 0;
  const auto count = [&handled](const Delivery&) { ++handled; };
  static_cast<void>(client.async_subscribe("q", {}));
  static_cast<void>(client.async_start_workers("q", WorkerPoolOptions(), count));
  static_cast<void>(client.async_read_topic("t", {}));
  ASSERT_TRUE(wait_held(3));
  answer_held();
  EXPECT_TRUE(wait_unsubscribed(3));
  EXPECT_EQ(handled.load(), 0);
}

TEST_F(UntakenTest, APoolHasBegunNothing) {
  Client client = connect();
  std::atomic<int> handled = 0;
  const auto count = [&handled](const Delivery&) { ++handled; };
  {
    const Future<WorkerPool> starting =
        client.async_start_workers("q", WorkerPoolOptions().set_concurrency(2), count);
    ASSERT_TRUE(starting.wait_until(std::chrono::steady_clock::now() + seconds(20)));
    deliver(client);
  }
  EXPECT_TRUE(wait_released(2));
  EXPECT_EQ(handled.load(), 0);
  broker_.with([&] { EXPECT_TRUE(broker_.ranges(SettleKind::kStarted).empty()); });
}

TEST_F(UntakenTest, AClientHangsUp) {
  const auto is_gone = [this] {
    return broker_.connections == 1 && broker_.last_peer() == nullptr;
  };
  static_cast<void>(Client::async_connect(fast_options()));
  EXPECT_TRUE(broker_.wait(is_gone));
}

// ---- connecting

class ConnectingTest : public ClientTest {
 protected:
  void keep_silent() {
    broker_.with([&] {
      broker_.on_frame = [](FakeBroker::Peer&, const proto::RawFrame&) {
        return FakeBroker::Answer::kNothing;
      };
    });
  }
};

TEST_F(ConnectingTest, GivesAClient) {
  Client client = Client::async_connect(fast_options()).get(seconds(20)).value();
  EXPECT_TRUE(client.connected());
  EXPECT_TRUE(client.describe_queue("q").has_value());
}

TEST_F(ConnectingTest, RefusesABadAddressAtOnce) {
  Future<Client> refused = Client::async_connect(ClientOptions("nonsense"));
  EXPECT_TRUE(refused.is_ready());
  EXPECT_EQ(code_of(std::move(refused)), ErrorCode::kInvalidArgument);
}

TEST_F(ConnectingTest, SaysWhyItFails) {
  broker_.with([&] {
    v1::GoAway refusal;
    refusal.mutable_error()->set_code(static_cast<std::uint32_t>(proto::Errc::kNamespaceNotFound));
    broker_.refuse_with = refusal;
  });
  EXPECT_EQ(code_of(Client::async_connect(fast_options())), ErrorCode::kNamespaceNotFound);
  broker_.set_accepting(false);
  EXPECT_EQ(code_of(Client::async_connect(fast_options())), ErrorCode::kConnectFailed);
}

TEST_F(ConnectingTest, EndsAtItsDeadline) {
  keep_silent();
  EXPECT_EQ(code_of(Client::async_connect(fast_options(), milliseconds(5))),
            ErrorCode::kConnectFailed);
  EXPECT_EQ(Client::connect(fast_options(), milliseconds(5)).error().code,
            ErrorCode::kConnectFailed);
}

TEST_F(ConnectingTest, IsStopped) {
  keep_silent();
  std::stop_source source;
  Future<Client> connecting = Client::async_connect(fast_options(), source.get_token());
  EXPECT_TRUE(broker_.wait([&] { return broker_.connections == 1; }));
  EXPECT_FALSE(connecting.is_ready());
  source.request_stop();
  EXPECT_EQ(code_of(std::move(connecting)), ErrorCode::kCancelled);
  EXPECT_EQ(Client::connect(fast_options(), source.get_token()).error().code,
            ErrorCode::kCancelled);
}

TEST_F(ConnectingTest, MayBeginWhereNothingMayWait) {
  Client client = connect();
  Producer producer = client.queue_producer("q", {}).value();
  Latch done;
  ErrorCode waited{};
  bool is_connected = false;
  ASSERT_TRUE(producer.send("x", [&](const Result<SendReceipt>&) {
    waited = Client::connect(fast_options()).error().code;
    static_cast<void>(Client::async_connect(fast_options()).then([&](Result<Client> other) {
      is_connected = other && other->connected();
      other = Error(ErrorCode::kCancelled);  // it only begins to close here
      done.open();
    }));
  }));
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(is_connected);
}

// ---- from a coroutine, with temporaries of every kind that the headers offer

// A handler of any kind whose copies are counted.
class CountingHandler {
 public:
  CountingHandler(Counted counted, Latch& called)
      : counted_(std::move(counted)), called_(&called) {}
  template <class Given>
  void operator()(const Given&) {
    called_->open();
  }

 private:
  Counted counted_;
  Latch* called_;
};

// Opens a latch when it goes.
class LastOfAll {
 public:
  explicit LastOfAll(Latch& latch) : latch_(&latch) {}
  LastOfAll(const LastOfAll&) = delete;
  LastOfAll& operator=(const LastOfAll&) = delete;
  ~LastOfAll() { latch_->open(); }

 private:
  Latch* latch_;
};

Detached open_everything(FakeBroker& broker, ClientOptions options, Latch& called,
                         std::optional<WorkerPool>& kept, std::vector<std::string>& log,
                         Latch& done) {
  const LastOfAll ended(done);
  const auto say = [&log](const char* what, bool is_good) {
    log.push_back(std::string(is_good ? "" : "not ") + what);
  };
  Result<Client> client = co_await Client::async_connect(
      ClientOptions(options).set_service(std::string(60, 's')), CallOptions(seconds(20)));
  say("connected", client.has_value());
  const Result<Producer> producer = co_await client->async_queue_producer(
      std::string(60, 'q'), ProducerOptions().set_max_buffered_messages(10), seconds(20));
  say("producing", producer.has_value());
  Result<QueueConsumer> consumer = co_await client->async_subscribe(
      std::string(60, 'q'), ConsumerOptions().set_window_messages(3),
      CountingHandler(Counted(1), called),
      CallOptions(seconds(20)).set_stop_token(std::stop_token()));
  say("subscribed", consumer.has_value());
  broker.with([&broker] { broker.deliver(1, std::vector<std::string>(1, "a")); });
  Result<WorkerPool> pool = co_await client->async_start_workers(
      std::string(60, 'q'), WorkerPoolOptions().set_concurrency(2),
      CountingHandler(Counted(2), called));
  say("working", pool.has_value());
  Result<TopicReader> reader = co_await client->async_read_topic(
      std::string(60, 't'), ReaderOptions().set_from(StartPosition::offset(0)).set_stop_at_end(),
      CountingHandler(Counted(3), called), std::chrono::steady_clock::now() + seconds(20));
  say("reading", reader.has_value());
  say("finished", (co_await reader->async_wait_finished(seconds(20))).value_or(false));
  Producer sender = producer.value();
  say("flushed", (co_await sender.async_flush(CallOptions(seconds(20)))).has_value());
  say("ended", (co_await consumer->async_close()).has_value());
  say("drained", (co_await pool->async_drain(seconds(20))).has_value());
  say("closed", (co_await client->async_close()).has_value());
  kept.emplace(std::move(*pool));
}

TEST_F(ConnectingTest, ACoroutineOpensEverything) {
  broker_.with([&] { broker_.positions = {test::position(0, 0, 0)}; });
  Latch called;
  std::optional<WorkerPool> kept;
  std::vector<std::string> log;
  Latch done;
  open_everything(broker_, fast_options(), called, kept, log, done);
  ASSERT_TRUE(done.wait());
  EXPECT_TRUE(called.wait());
  EXPECT_THAT(log, ElementsAre("connected", "producing", "subscribed", "working", "reading",
                               "finished", "flushed", "ended", "drained", "closed"));
  kept.reset();
  EXPECT_GT(Counted::made.load(), 3);
  EXPECT_EQ(Counted::made.load(), Counted::destroyed.load());
}

}  // namespace
}  // namespace weir::sdk
