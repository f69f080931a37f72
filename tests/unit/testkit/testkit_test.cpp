#include "weir/testkit.hpp"

#include "weir/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::testkit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using namespace std::chrono_literals;

// Long enough for what comes by itself on a slow machine; only a failure waits for so long.
constexpr std::chrono::milliseconds kPatience = 20s;

ClientOptions options_for(const Broker& broker) {
  ClientOptions options(broker.url());
  options.set_reconnect_backoff(5ms, 20ms);
  options.set_connect_timeout(5s);
  return options;
}

Client connect(const Broker& broker) {
  return Client::connect(options_for(broker)).value();
}

void send(Client& client, const std::string& queue, const std::string& body) {
  (void)client.queue_producer(queue, ProducerOptions()).value().send(body).value();
}

std::vector<Delivery> receive(Client& client, const std::string& queue) {
  return client.receive(queue, ReceiveOptions().set_max_messages(10)).value();
}

std::vector<std::string> bodies(const std::vector<Delivery>& deliveries) {
  std::vector<std::string> result;
  for (const Delivery& delivery : deliveries) {
    result.emplace_back(delivery.body());
  }
  return result;
}

// The records of a topic from there to its end.
std::vector<std::string> read(Client& client, const std::string& topic, StartPosition from) {
  TopicReader reader =
      client.read_topic(topic, ReaderOptions().set_from(from).set_stop_at_end()).value();
  std::vector<std::string> result;
  while (const auto record = reader.next(kPatience).value()) {
    result.emplace_back(record->value().value_or("(none)"));
  }
  EXPECT_TRUE(reader.finished());
  return result;
}

// A broker with the queue "work", whose leases last ten minutes, and a client.
class TestkitTest : public testing::Test {
 protected:
  TestkitTest() { (void)client_.create_queue("work", QueueSettings().set_lease(10min)).value(); }

  Broker broker_;
  Client client_ = connect(broker_);
};

TEST_F(TestkitTest, TakesAndGivesMessages) {
  send(client_, "work", "a");
  std::vector<Delivery> got = receive(client_, "work");
  ASSERT_THAT(bodies(got), ElementsAre("a"));
  EXPECT_EQ(got[0].attempt(), 1U);
  EXPECT_TRUE(got[0].ack_and_wait(kPatience));
  broker_.advance(24h);
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
}

TEST_F(TestkitTest, ALeaseRunsOutWhenItsTimeIsMovedThere) {
  send(client_, "work", "a");
  const std::vector<Delivery> hung = receive(client_, "work");
  ASSERT_THAT(hung, SizeIs(1));
  broker_.advance(5min);
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
  broker_.advance(5min);
  const std::vector<Delivery> again = receive(client_, "work");
  ASSERT_THAT(bodies(again), ElementsAre("a"));
  EXPECT_EQ(again[0].attempt(), 2U);
  EXPECT_EQ(client_.ack(hung[0].handle()).error().code, ErrorCode::kReceiptExpired);
}

// Nobody asks: the shard itself has to wake up for a time that it had armed an hour ahead.
TEST_F(TestkitTest, ADelayPassesForWhoIsSubscribed) {
  QueueConsumer consumer = client_.subscribe("work", ConsumerOptions()).value();
  send(client_, "work", "a");
  const std::optional<Delivery> failed = consumer.next(kPatience).value();
  ASSERT_TRUE(failed);
  ASSERT_TRUE(client_.nack(failed->handle(), 1h));
  broker_.advance(59min);
  EXPECT_EQ(client_.describe_queue("work").value().delayed, 1U);
  EXPECT_EQ(consumer.buffered(), 0U);
  broker_.advance(1min);
  const std::optional<Delivery> again = consumer.next(kPatience).value();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->body(), "a");
  EXPECT_EQ(again->attempt(), 2U);
}

// The timer that was armed before time moved is wrong afterwards; what is armed then is not.
TEST_F(TestkitTest, TimeGoesOnByItselfAfterAJump) {
  broker_.advance(1h);
  QueueConsumer consumer = client_.subscribe("work", ConsumerOptions()).value();
  send(client_, "work", "a");
  const std::optional<Delivery> failed = consumer.next(kPatience).value();
  ASSERT_TRUE(failed);
  ASSERT_TRUE(client_.nack(failed->handle(), 20ms));
  EXPECT_TRUE(consumer.next(kPatience).value());
}

TEST_F(TestkitTest, AMessageThatFailsTooOftenIsDeadWhenAdvanceReturns) {
  ASSERT_TRUE(client_.create_queue("dead", QueueSettings()));
  ASSERT_TRUE(client_.create_queue(
      "strict",
      QueueSettings().set_lease(1min).set_max_receive_count(2).set_dead_letter_queue("dead")));
  send(client_, "strict", "poison");
  const std::vector<Delivery> first = receive(client_, "strict");
  ASSERT_THAT(first, SizeIs(1));
  broker_.advance(1min);
  const std::vector<Delivery> second = receive(client_, "strict");
  ASSERT_THAT(second, SizeIs(1));
  broker_.advance(1min);
  EXPECT_THAT(bodies(receive(client_, "dead")), ElementsAre("poison"));
  EXPECT_THAT(receive(client_, "strict"), IsEmpty());
}

TEST_F(TestkitTest, AReceiveThatWaitsIsAnswered) {
  const auto begun = std::chrono::steady_clock::now();
  std::future<Result<std::vector<Delivery>>> waiting = std::async(std::launch::async, [this] {
    return client_.receive("work", ReceiveOptions().set_wait(20s));
  });
  // It may not have reached the broker when time is moved first.
  while (waiting.wait_for(0s) != std::future_status::ready) {
    broker_.advance(20s);
  }
  EXPECT_THAT(waiting.get().value(), IsEmpty());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
}

// Each is a batch of its own, and so far more than the shard moves in one turn.
TEST_F(TestkitTest, AllTheDeadHaveMovedWhenAdvanceReturns) {
  constexpr std::uint32_t kMessages = 1'000;
  ASSERT_TRUE(client_.create_queue("dead", QueueSettings()));
  ASSERT_TRUE(client_.create_queue(
      "strict",
      QueueSettings().set_lease(1min).set_max_receive_count(1).set_dead_letter_queue("dead")));
  Producer producer = client_.queue_producer("strict", ProducerOptions()).value();
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(producer.send("a"));
  }
  std::vector<std::vector<Delivery>> held;
  for (std::size_t taken = 0; taken < kMessages;) {
    held.push_back(receive(client_, "strict"));
    ASSERT_THAT(held.back(), Not(IsEmpty()));
    taken += held.back().size();
  }
  EXPECT_EQ(client_.describe_queue("strict").value().in_flight, kMessages);
  broker_.advance(1min);
  EXPECT_EQ(client_.describe_queue("dead").value().ready, kMessages);
}

TEST_F(TestkitTest, ATopicIsReplayedFromAnOffsetAndFromATime) {
  ASSERT_TRUE(client_.create_topic("events", TopicSettings()));
  Producer producer = client_.topic_producer("events", ProducerOptions()).value();
  const SendReceipt early = producer.send("a").value();
  broker_.advance(1h);
  const SendReceipt late = producer.send("b").value();
  EXPECT_GE(late.append_time - early.append_time, 1h);
  EXPECT_THAT(read(client_, "events", StartPosition::start()), ElementsAre("a", "b"));
  EXPECT_THAT(read(client_, "events", StartPosition::offset(late.offset)), ElementsAre("b"));
  EXPECT_THAT(read(client_, "events", StartPosition::time(early.append_time + 1min)),
              ElementsAre("b"));
  broker_.restart();
  EXPECT_THAT(read(client_, "events", StartPosition::start()), ElementsAre("a", "b"));
}

TEST_F(TestkitTest, ARestartKeepsWhatIsDoneAndRepeatsWhatWasLeased) {
  send(client_, "work", "done");
  send(client_, "work", "held");
  const std::vector<Delivery> got = receive(client_, "work");
  ASSERT_THAT(bodies(got), ElementsAre("done", "held"));
  ASSERT_TRUE(client_.ack(got[0].handle()));
  broker_.restart();
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
  broker_.advance(10min);
  const std::vector<Delivery> again = receive(client_, "work");
  ASSERT_THAT(bodies(again), ElementsAre("held"));
  EXPECT_EQ(again[0].attempt(), 2U);
}

TEST_F(TestkitTest, AHandleIsGoodAfterARestart) {
  send(client_, "work", "a");
  const std::vector<Delivery> got = receive(client_, "work");
  ASSERT_THAT(got, SizeIs(1));
  broker_.restart();
  EXPECT_TRUE(client_.ack(got[0].handle()));
  broker_.advance(10min);
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
}

// A lease lasts longer by the time that the broker was away, but by half a minute at most.
TEST_F(TestkitTest, TimePassesWhileItIsStopped) {
  broker_.advance(1h);
  send(client_, "work", "a");
  const std::vector<Delivery> held = receive(client_, "work");
  ASSERT_THAT(held, SizeIs(1));
  broker_.stop();
  broker_.advance(10min);
  broker_.restart();
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
  broker_.advance(30s);
  EXPECT_THAT(bodies(receive(client_, "work")), ElementsAre("a"));
}

TEST_F(TestkitTest, ARestartNeitherTakesBackNorRepeatsWhatTimeWasMovedBy) {
  Producer producer = client_.queue_producer("work", ProducerOptions()).value();
  const SendReceipt before = producer.send("a").value();
  broker_.advance(1h);
  const std::vector<Delivery> held = receive(client_, "work");
  ASSERT_THAT(held, SizeIs(1));
  broker_.restart();
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
  const SendReceipt after = producer.send("b").value();
  EXPECT_GE(after.append_time - before.append_time, 1h);
  EXPECT_LT(after.append_time - before.append_time, 2h);
}

TEST_F(TestkitTest, StopCutsConnectionsUntilTheRestart) {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_cut = false;
  Client watcher =
      Client::connect(options_for(broker_).set_event_handler([&](const ClientEvent& event) {
        const std::lock_guard lock(mutex);
        is_cut |= event.kind == ClientEvent::Kind::kLost;
        changed.notify_all();
      })).value();
  broker_.stop();
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kPatience, [&] { return is_cut; }));
  }
  EXPECT_EQ(Client::connect(options_for(broker_)).error().code, ErrorCode::kConnectFailed);
  broker_.stop();
  broker_.restart();
  EXPECT_TRUE(watcher.describe_queue("work"));
  watcher.close();
}

TEST_F(TestkitTest, TwoBrokersHaveNothingInCommon) {
  Broker other;
  EXPECT_NE(other.url(), broker_.url());
  Client client = connect(other);
  EXPECT_EQ(client.describe_queue("work").error().code, ErrorCode::kQueueNotFound);
  send(client_, "work", "a");
  const std::vector<Delivery> held = receive(client_, "work");
  other.advance(1h);
  EXPECT_THAT(receive(client_, "work"), IsEmpty());
}

TEST(TestkitBroker, StopsWhileAClientSendsAndListens) {
  auto broker = std::make_unique<Broker>();
  Client client = Client::connect(options_for(*broker).set_drain_timeout(0ms)).value();
  ASSERT_TRUE(client.create_queue("work", QueueSettings()));
  QueueConsumer consumer =
      client.subscribe("work", ConsumerOptions(), [](Delivery delivery) { delivery.ack(); })
          .value();
  Producer producer = client.queue_producer("work", ProducerOptions()).value();
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(producer.send("a", [](const Result<SendReceipt>&) {}));
  }
  broker.reset();
  EXPECT_FALSE(producer.send("b", 50ms));
}

TEST(TestkitBroker, TakesThePortThatItIsGiven) {
  std::string url;
  std::uint16_t port = 0;
  {
    const Broker first;
    url = first.url();
    port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  const Broker second(BrokerOptions().set_port(port));
  EXPECT_EQ(second.url(), url);
  EXPECT_TRUE(connect(second).connected());
}

TEST(TestkitBrokerDeathTest, SaysWhyItCannotStart) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Broker broker;
  const auto port = std::stoi(broker.url().substr(broker.url().rfind(':') + 1));
  EXPECT_DEATH(Broker(BrokerOptions().set_port(static_cast<std::uint16_t>(port))),
               HasSubstr("in use"));
}

TEST(TestkitBrokerDeathTest, RefusesTimeThatGoesBack) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Broker broker;
  EXPECT_DEATH(broker.advance(-1ms), HasSubstr("advance"));
}

TEST(Testkit, HasNoConfigFile) {
  const Broker broker;
  Client client = connect(broker);
  EXPECT_EQ(client.reload_config().error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace weir::testkit
