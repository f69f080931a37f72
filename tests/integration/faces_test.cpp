#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"
#include "tests/unit/client/coroutine.hpp"
#include "weir/asio.hpp"
#include "weir/weir.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// The library's faces and the real broker.
namespace weir::integration {
namespace {

namespace asio = boost::asio;
using std::chrono::seconds;

class Faces : public testing::Test {
 protected:
  void SetUp() override {
    broker_.emplace(dir_.path(), usual_flags(dir_.path() / "data"));
    ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  }
  [[nodiscard]] ClientOptions options() const {
    return ClientOptions("weir://127.0.0.1:" + std::to_string(broker_->port()));
  }
  [[nodiscard]] Client connect() const { return Client::connect(options()).value(); }

  TempDir dir_;
  std::optional<BrokerProcess> broker_;
};

constexpr int kMessages = 200;

// One message after the other, through a queue and back.
sdk::test::Detached there_and_back(Client& client, Promise<int> done) {
  const auto created = co_await client.async_create_queue("work", QueueSettings());
  EXPECT_TRUE(created.has_value());
  int acked = 0;
  for (int i = 0; i < kMessages; ++i) {
    const auto options = ReceiveOptions().set_wait(seconds(10));
    auto got = co_await client.async_receive("work", options);
    if (!got || got->empty() || got->front().body() != std::to_string(i)) {
      break;
    }
    const Result<> is_durable = co_await got->front().async_ack();
    acked += is_durable ? 1 : 0;
  }
  done.set(acked);
}

TEST_F(Faces, ACoroutineWorksWhatFuturesSend) {
  Client client = connect();
  Promise<int> done;
  Future<int> acked = done.future();
  there_and_back(client, std::move(done));
  ASSERT_TRUE(client.create_queue("work", QueueSettings()).has_value());
  Producer producer = client.queue_producer("work", ProducerOptions()).value();
  std::vector<Future<SendReceipt>> sends;
  for (int i = 0; i < kMessages; ++i) {
    sends.push_back(producer.async_send(std::to_string(i)));
  }
  for (Future<SendReceipt>& send : sends) {
    EXPECT_TRUE(send.get(seconds(20)).has_value());
  }
  EXPECT_EQ(acked.get(seconds(20)).value(), kMessages);
}

asio::awaitable<void> publish_and_read(Client& client, std::vector<std::string>& values) {
  Producer producer = client.topic_producer("events", ProducerOptions()).value();
  for (int i = 0; i < 3; ++i) {
    const auto stored =
        co_await weir::async_get(producer.async_send(std::to_string(i)), asio::use_awaitable);
    EXPECT_TRUE(stored.has_value());
  }
  TopicReader reader = client.read_topic("events", ReaderOptions().set_stop_at_end()).value();
  while (true) {
    const auto next = co_await weir::async_get(reader.async_next(), asio::use_awaitable);
    if (!next || !*next) {
      break;
    }
    values.emplace_back((*next)->value().value_or(""));
  }
}

TEST_F(Faces, ACoroutineOfAsioReadsWhatItPublished) {
  Client client = connect();
  ASSERT_TRUE(client.create_topic("events", TopicSettings()).has_value());
  std::vector<std::string> values;
  std::exception_ptr thrown;
  asio::io_context io;
  asio::co_spawn(io, publish_and_read(client, values),
                 [&thrown](const std::exception_ptr& error) { thrown = error; });
  io.run();
  EXPECT_EQ(thrown, nullptr);
  EXPECT_EQ(values, (std::vector<std::string>{"0", "1", "2"}));
}

// From the connection to its end without a thread that waits.
sdk::test::Detached live(ClientOptions options, std::vector<std::string>& values,
                         Promise<std::uint64_t> done) {
  Result<Client> client = co_await Client::async_connect(std::move(options));
  const auto queue = co_await client->async_create_queue("work", QueueSettings());
  const auto topic = co_await client->async_create_topic("events", TopicSettings());
  EXPECT_TRUE(queue && topic);
  Result<Producer> producer = co_await client->async_queue_producer("work", ProducerOptions());
  Result<Producer> publisher = co_await client->async_topic_producer("events", ProducerOptions());
  std::vector<Future<SendReceipt>> sends;
  for (int i = 0; i < kMessages; ++i) {
    sends.push_back(producer->async_send(std::to_string(i)));
    sends.push_back(publisher->async_send(std::to_string(i)));
  }
  const Result<> stored = co_await producer->async_flush();
  const Result<> published = co_await publisher->async_flush(seconds(20));
  EXPECT_TRUE(stored && published);

  Result<QueueConsumer> consumer = co_await client->async_subscribe("work", ConsumerOptions());
  auto first = co_await consumer->async_next();
  values.emplace_back((*first)->body());
  const Result<> acked = co_await (*first)->async_ack();
  EXPECT_TRUE(acked);
  const Result<> unsubscribed = co_await consumer->async_close();
  EXPECT_TRUE(unsubscribed);

  Result<TopicReader> reader = co_await client->async_read_topic(
      "events", ReaderOptions().set_from(StartPosition::offset(kMessages - 1)).set_stop_at_end());
  const auto last = co_await reader->async_next();
  values.emplace_back((*last)->value().value_or(""));
  const Result<bool> finished = co_await reader->async_wait_finished();
  EXPECT_TRUE(finished.value_or(false));

  std::uint64_t bytes = 0;
  const auto count = [&bytes](const std::string& block) {
    bytes += block.size();
    return Future<>(Result<>());
  };
  const auto backup = co_await client->async_backup(count);
  EXPECT_EQ(backup->file_bytes, bytes);
  const Result<> closed = co_await client->async_close();
  done.set(closed ? Result<std::uint64_t>(bytes) : closed.error());
}

TEST_F(Faces, ACoroutineLivesWithoutWaiting) {
  std::vector<std::string> values;
  Promise<std::uint64_t> done;
  Future<std::uint64_t> bytes = done.future();
  live(options(), values, std::move(done));
  EXPECT_GT(bytes.get(seconds(60)).value(), 0U);
  EXPECT_EQ(values, (std::vector<std::string>{"0", std::to_string(kMessages - 1)}));
}

// Workers that a coroutine starts and drains on the application's own event loop.
asio::awaitable<void> work_off(Client& client, std::uint64_t& acked) {
  const auto handle = [](const Delivery&) {};
  auto starting = client.async_start_workers("work", WorkerPoolOptions().set_concurrency(4), handle,
                                             seconds(20));
  auto pool = co_await weir::async_get(std::move(starting), asio::use_awaitable);
  while (pool->stats().acked < kMessages) {
    const auto queue =
        co_await weir::async_get(client.async_describe_queue("work"), asio::use_awaitable);
    EXPECT_TRUE(queue.has_value());
  }
  const auto drained = co_await weir::async_get(pool->async_drain(), asio::use_awaitable);
  EXPECT_TRUE(drained.has_value());
  acked = pool->stats().acked;
}

TEST_F(Faces, ACoroutineOfAsioStartsWorkersAndDrainsThem) {
  Client client = connect();
  ASSERT_TRUE(client.create_queue("work", QueueSettings()).has_value());
  Producer producer = client.queue_producer("work", ProducerOptions()).value();
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(producer.send("m", [](const Result<SendReceipt>&) {}).has_value());
  }
  std::uint64_t acked = 0;
  std::exception_ptr thrown;
  asio::io_context io;
  asio::co_spawn(io, work_off(client, acked),
                 [&thrown](const std::exception_ptr& error) { thrown = error; });
  io.run();
  EXPECT_EQ(thrown, nullptr);
  EXPECT_EQ(acked, static_cast<std::uint64_t>(kMessages));
}

// What is certain about a stopped send is true: what the queue holds afterwards says so.
TEST_F(Faces, ASendThatIsSaidNotToBeStoredIsNot) {
  Client client = connect();
  ASSERT_TRUE(client.create_queue("work", QueueSettings()).has_value());
  Producer producer = client.queue_producer("work", ProducerOptions()).value();
  std::stop_source stop;
  std::vector<Future<SendReceipt>> sends;
  for (int i = 0; i < kMessages; ++i) {
    sends.push_back(producer.async_send(std::to_string(i), stop.get_token()));
  }
  stop.request_stop();
  std::uint64_t stored = 0;
  std::uint64_t unknown = 0;
  for (Future<SendReceipt>& send : sends) {
    const Result<SendReceipt> result = send.get(seconds(20));
    if (result) {
      ++stored;
    } else if (result.error().code == ErrorCode::kUnknownOutcome) {
      ++unknown;
    } else {
      EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
    }
  }
  client.close();
  Client other = connect();
  const std::uint64_t ready = other.describe_queue("work").value().ready;
  EXPECT_GE(ready, stored);
  EXPECT_LE(ready, stored + unknown);
}

}  // namespace
}  // namespace weir::integration
