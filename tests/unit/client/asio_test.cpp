#include "weir/asio.hpp"

#include "tests/unit/client/client_fixture.hpp"
#include "weir/weir.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// The library's calls as operations of Asio, on an io_context of the application's own.
namespace weir::sdk {
namespace {

namespace asio = boost::asio;

using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using testing::ElementsAre;

class AsioTest : public ClientTest {
 protected:
  Client client_ = connect();
  asio::io_context io_;
};

asio::awaitable<void> send_and_receive(Producer producer, QueueConsumer consumer,
                                       std::vector<std::string>& log) {
  const auto receipt =
      co_await weir::async_get(producer.async_send(Message("1")), asio::use_awaitable);
  log.push_back(std::to_string(receipt->offset));
  auto next = co_await weir::async_get(consumer.async_next(), asio::use_awaitable);
  log.emplace_back((*next)->body());
  const auto acked = co_await weir::async_get((*next)->async_ack(), asio::use_awaitable);
  log.emplace_back(acked ? "acked" : "not acked");
}

TEST_F(AsioTest, ACoroutineOfAsioAwaits) {
  Producer producer = client_.queue_producer("q", {}).value();
  QueueConsumer consumer = client_.subscribe("q", {}).value();
  broker_.with([&] { broker_.deliver(1, {"body"}); });
  std::vector<std::string> log;
  bool ended = false;
  asio::co_spawn(io_, send_and_receive(producer, consumer, log),
                 [&](const std::exception_ptr& thrown) { ended = thrown == nullptr; });
  io_.run();
  EXPECT_TRUE(ended);
  EXPECT_THAT(log, ElementsAre("0", "body", "acked"));
}

TEST_F(AsioTest, AFutureOfTheStandardLibraryIsFilled) {
  std::future<Result<QueueDescription>> future =
      weir::async_get(client_.async_describe_queue("q"), asio::use_future);
  EXPECT_EQ(future.get()->ready, 5U);
}

TEST_F(AsioTest, ACallbackRunsOnItsExecutorAndKeepsItBusy) {
  std::thread::id thread;
  auto handler = asio::bind_executor(
      io_, [&thread](const Result<QueueDescription>&) { thread = std::this_thread::get_id(); });
  weir::async_get(client_.async_describe_queue("q"), std::move(handler));
  EXPECT_EQ(io_.run(), 1U);
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST_F(AsioTest, AnAnswerThatIsThereIsNotHandedOutAtOnce) {
  int calls = 0;
  auto handler = asio::bind_executor(io_, [&calls](const Result<int>&) { ++calls; });
  weir::async_get(Future<int>(Result<int>(1)), handler);
  weir::async_get(Future<int>(), handler);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(io_.run(), 2U);
  EXPECT_EQ(calls, 2);
}

TEST_F(AsioTest, WhatAHandlerThrowsLeavesThroughTheContext) {
  auto handler =
      asio::bind_executor(io_, [](const Result<int>&) { throw std::runtime_error("handler"); });
  weir::async_get(Future<int>(Result<int>(1)), std::move(handler));
  EXPECT_THROW(io_.run(), std::runtime_error);
}

TEST_F(AsioTest, CancellationStopsTheCall) {
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer&, const v1::Request&) {
      return FakeBroker::Answer::kNothing;
    };
  });
  asio::cancellation_signal signal;
  std::optional<Result<QueueDescription>> described;
  const auto describe = [this](std::stop_token stop) {
    return client_.async_describe_queue("q", std::move(stop));
  };
  const auto keep = [&](Result<QueueDescription> result) { described = std::move(result); };
  weir::async_call(describe,
                   asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io_, keep)));
  ASSERT_TRUE(broker_.wait([&] { return !broker_.requests.empty(); }));
  signal.emit(asio::cancellation_type::terminal);
  io_.run();
  ASSERT_TRUE(described.has_value());
  EXPECT_EQ(described->error().code, ErrorCode::kCancelled);
}

TEST_F(AsioTest, ACallWithoutASlotRuns) {
  const auto describe = [this](const std::stop_token& stop) {
    EXPECT_FALSE(stop.stop_possible());
    return client_.async_describe_queue("q", stop);
  };
  EXPECT_EQ(weir::async_call(describe, asio::use_future).get()->ready, 5U);
}

// A context that is gone takes its handlers with it: messages that were on the way go back.
TEST_F(AsioTest, AMessageForAContextThatIsGoneGoesBackAsNotHandled) {
  QueueConsumer consumer = client_.subscribe("q", {}).value();
  {
    asio::io_context gone;
    auto handler =
        asio::bind_executor(gone, [](const Result<std::optional<Delivery>>&) { FAIL(); });
    Future<std::optional<Delivery>> next = consumer.async_next();
    broker_.with([&] { broker_.deliver(1, {"body"}); });
    ASSERT_TRUE(next.wait_until(std::chrono::steady_clock::now() + seconds(20)));
    weir::async_get(std::move(next), std::move(handler));
  }
  EXPECT_TRUE(broker_.wait([&] { return !broker_.ranges(proto::SettleKind::kRelease).empty(); }));
}

}  // namespace
}  // namespace weir::sdk
