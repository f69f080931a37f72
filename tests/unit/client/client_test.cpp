#include "weir/client.hpp"

#include "tests/unit/client/client_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using test::Latch;

class ClientDriverTest : public ClientTest {};

TEST_F(ClientDriverTest, GreetsWithServiceAndNamespace) {
  ClientOptions options(broker_.address() + "/orders");
  options.set_service("checkout");
  const Result<Client> client = Client::connect(std::move(options));
  ASSERT_TRUE(client.has_value());
  EXPECT_TRUE(client->connected());
  broker_.with([&] {
    ASSERT_EQ(broker_.hellos.size(), 1U);
    EXPECT_EQ(broker_.hellos[0].service(), "checkout");
    EXPECT_EQ(broker_.hellos[0].namespace_(), "orders");
    EXPECT_THAT(broker_.hellos[0].client(), testing::StartsWith("weir-cpp/"));
  });
}

TEST_F(ClientDriverTest, RefusesABadAddressAndTls) {
  EXPECT_EQ(Client::connect(ClientOptions("nonsense")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Client::create(ClientOptions("weirs://a")).error().code, ErrorCode::kUnsupported);
}

TEST_F(ClientDriverTest, FailsToConnectWhenNobodyListens) {
  std::string address;
  {
    const FakeBroker gone;
    address = gone.address();
  }
  const Result<Client> client = Client::connect(ClientOptions(address));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kConnectFailed);
  EXPECT_THAT(client.error().message, testing::HasSubstr("127.0.0.1"));
}

TEST_F(ClientDriverTest, PassesOnWhyTheBrokerRefusesTheSession) {
  broker_.with([&] {
    v1::GoAway refusal;
    refusal.mutable_error()->set_code(static_cast<std::uint32_t>(proto::Errc::kNamespaceNotFound));
    refusal.mutable_error()->set_message("no namespace 'x'");
    broker_.refuse_with = refusal;
  });
  const Result<Client> client = Client::connect(ClientOptions(broker_.address() + "/x"));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kNamespaceNotFound);
  EXPECT_EQ(client.error().message, "no namespace 'x'");
}

TEST_F(ClientDriverTest, TurnsToTheNextHost) {
  std::uint16_t dead_port = 0;
  {
    const FakeBroker gone;
    dead_port = gone.port();
  }
  const Result<Client> client =
      Client::connect(ClientOptions("weir://127.0.0.1:" + std::to_string(dead_port) +
                                    ",localhost:" + std::to_string(broker_.port())));
  ASSERT_TRUE(client.has_value()) << client.error().to_string();
}

TEST_F(ClientDriverTest, AdministersQueuesAndTopics) {
  Client client = connect();
  QueueSettings settings;
  settings.set_lease(seconds(45)).set_max_receive_count(3).set_dead_letter_queue("dead");
  const auto created = client.create_queue("jobs", settings);
  ASSERT_TRUE(created.has_value()) << created.error().to_string();
  EXPECT_TRUE(created->created);
  EXPECT_EQ(created->settings.lease(), seconds(45));
  EXPECT_EQ(created->settings.dead_letter_queue(), "dead");
  EXPECT_EQ(client.describe_queue("jobs")->ready, 5U);
  EXPECT_EQ(client.create_topic("log", TopicSettings().set_partitions(6))->settings.partitions(),
            6U);
  EXPECT_EQ(client.describe_topic("log")->partitions.at(0).high_watermark, 7);
  broker_.with([&] { broker_.positions = {test::position(2, 11, 20)}; });
  const auto offsets = client.list_offsets("log", {PartitionStart(2, StartPosition::end())});
  ASSERT_TRUE(offsets.has_value());
  EXPECT_EQ(offsets->at(0).offset, 11);
  EXPECT_TRUE(client.ack("handle").has_value());
  broker_.with([&] {
    EXPECT_EQ(broker_.requests.back().settle_by_handle().handle(), "handle");
    EXPECT_GT(broker_.requests.back().deadline_ms(), 0U);
  });
}

TEST_F(ClientDriverTest, SettlesManyMessagesEachForItself) {
  Client client = connect();
  const std::vector settlements = {
      Settlement::ack("a"), Settlement("expired", Outcome::nack(seconds(5), "away")),
      Settlement("c", Outcome::release()), Settlement::extend("d", seconds(60))};
  const auto outcomes = client.settle_many(settlements);
  ASSERT_TRUE(outcomes.has_value()) << outcomes.error().to_string();
  ASSERT_EQ(outcomes->size(), 4U);
  EXPECT_TRUE((*outcomes)[0]);
  EXPECT_EQ(code_of((*outcomes)[1]), ErrorCode::kReceiptExpired);
  EXPECT_TRUE((*outcomes)[2]);
  EXPECT_TRUE((*outcomes)[3]);
  const v1::SettleManyByHandle asked =
      broker_.with([&] { return broker_.requests.back().settle_many_by_handle(); });
  ASSERT_EQ(asked.entries_size(), 4);
  EXPECT_EQ(asked.entries(0).handle(), "a");
  EXPECT_EQ(asked.entries(0).action(), v1::SETTLE_ACTION_ACK);
  EXPECT_EQ(asked.entries(1).action(), v1::SETTLE_ACTION_NACK);
  EXPECT_EQ(asked.entries(1).value_ms(), 5'000U);
  EXPECT_EQ(asked.entries(1).reason(), "away");
  EXPECT_FALSE(asked.entries(1).by_policy());
  EXPECT_EQ(asked.entries(2).action(), v1::SETTLE_ACTION_RELEASE);
  EXPECT_EQ(asked.entries(3).action(), v1::SETTLE_ACTION_EXTEND);
  EXPECT_EQ(asked.entries(3).value_ms(), 60'000U);

  const std::vector<std::string> handles = {"expired", "b"};
  const auto acked = client.async_ack_many(handles).get(seconds(20));
  ASSERT_TRUE(acked.has_value());
  EXPECT_EQ(code_of(acked->at(0)), ErrorCode::kReceiptExpired);
  EXPECT_TRUE(acked->at(1));
}

TEST_F(ClientDriverTest, SettlesNothingAndTooManyWithoutARoundTrip) {
  Client client = connect();
  const auto none = client.settle_many({});
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(none->empty());
  const std::vector<std::string> handles(Client::kMaxSettlements + 1, "a");
  const auto refused = client.ack_many(handles);
  EXPECT_EQ(code_of(refused), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "one call settles at most 1000 messages, not 1001");
  broker_.with([&] { EXPECT_TRUE(broker_.requests.empty()); });
}

TEST_F(ClientDriverTest, TakesNoAnswerThatLacksAnOutcome) {
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer& peer, const v1::Request& request) {
      v1::Response response;
      response.set_id(request.id());
      response.mutable_settled_many()->add_outcomes();
      peer.write(proto::FrameType::kResponse, response);
      return FakeBroker::Answer::kNothing;
    };
  });
  Client client = connect();
  const std::vector<std::string> handles = {"a", "b"};
  EXPECT_EQ(code_of(client.ack_many(handles)), ErrorCode::kMalformed);
}

TEST_F(ClientDriverTest, ChecksNamesWithoutARoundTrip) {
  Client client = connect();
  EXPECT_EQ(client.describe_queue("a b").error().code, ErrorCode::kInvalidName);
  EXPECT_EQ(client.create_topic("..", {}).error().code, ErrorCode::kInvalidName);
  EXPECT_EQ(client.queue_producer("", {}).error().code, ErrorCode::kInvalidName);
  broker_.with([&] { EXPECT_TRUE(broker_.requests.empty()); });
}

TEST_F(ClientDriverTest, PassesOnARefusal) {
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kAlreadyExists); });
  Client client = connect();
  EXPECT_EQ(client.create_queue("q", {}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(client.queue_producer("q", {}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(client.subscribe("q", {}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(client.read_topic("t", {}).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(ClientDriverTest, DoesNotWaitForAnAnswerBeyondItsTime) {
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer&, const v1::Request&) {
      return FakeBroker::Answer::kNothing;
    };
  });
  Client client = connect();
  EXPECT_EQ(client.describe_queue("q", milliseconds(50)).error().code,
            ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(client.create_queue("q", {}, milliseconds(50)).error().code,
            ErrorCode::kUnknownOutcome);
}

TEST_F(ClientDriverTest, AsksAgainInTheNextSession) {
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer& peer, const v1::Request&) {
      if (peer.number() == 1) {
        peer.hang_up();
        return FakeBroker::Answer::kNothing;
      }
      return FakeBroker::Answer::kUsual;
    };
  });
  Client client = connect();
  EXPECT_EQ(client.describe_queue("q")->ready, 5U);
  broker_.with([&] { EXPECT_EQ(broker_.connections, 2); });
}

TEST_F(ClientDriverTest, KeepsTheConnectionAliveWithPings) {
  broker_.with([&] {
    broker_.heartbeat_ms = 10;
    broker_.dead_after_ms = 60'000;
  });
  Client client = connect();
  EXPECT_TRUE(broker_.wait([&] { return broker_.pings >= 3; }));
  broker_.with([&] { EXPECT_EQ(broker_.connections, 1); });
}

TEST_F(ClientDriverTest, LeavesABrokerThatWentSilent) {
  broker_.with([&] {
    broker_.heartbeat_ms = 20;
    broker_.dead_after_ms = 60;
    broker_.on_frame = [](FakeBroker::Peer& peer, const proto::RawFrame& frame) {
      return peer.number() == 1 && frame.type == proto::FrameType::kPing
                 ? FakeBroker::Answer::kNothing
                 : FakeBroker::Answer::kUsual;
    };
  });
  Client client = connect();
  EXPECT_TRUE(broker_.wait([&] { return broker_.hellos.size() >= 2; }));
}

TEST_F(ClientDriverTest, ReconnectsAfterAFrameThatNoBrokerSends) {
  Client client = connect();
  broker_.with([&] { broker_.last_peer()->write_frame(proto::Credit{}); });
  EXPECT_TRUE(broker_.wait([&] { return broker_.hellos.size() == 2; }));
  EXPECT_EQ(client.describe_queue("q")->ready, 5U);
}

TEST_F(ClientDriverTest, TellsWhatHappensToItsConnection) {
  std::mutex mutex;
  std::vector<ClientEvent::Kind> kinds;
  Latch reconnected;
  ClientOptions options = fast_options();
  options.set_event_handler([&](const ClientEvent& event) {
    const std::lock_guard lock(mutex);
    kinds.push_back(event.kind);
    if (kinds.size() == 4) {
      reconnected.open();
    }
  });
  const Result<Client> client = Client::connect(std::move(options));
  ASSERT_TRUE(client.has_value());
  broker_.hang_up();
  ASSERT_TRUE(reconnected.wait());
  const std::lock_guard lock(mutex);
  EXPECT_THAT(kinds,
              testing::ElementsAre(ClientEvent::Kind::kConnected, ClientEvent::Kind::kLost,
                                   ClientEvent::Kind::kConnected, ClientEvent::Kind::kRestored));
}

TEST_F(ClientDriverTest, ConnectsInTheBackgroundWhenItIsOnlyCreated) {
  broker_.set_accepting(false);
  Result<Client> client = Client::create(fast_options());
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(client->describe_queue("q", milliseconds(50)).error().code, ErrorCode::kConnectFailed);
  broker_.set_accepting(true);
  EXPECT_EQ(client->describe_queue("q")->ready, 5U);
}

// ---- the end

TEST_F(ClientDriverTest, ClosesFromManyThreadsAtOnce) {
  Client client = connect();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&client] { client.close(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  client.close();
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(client.describe_queue("q").error().code, ErrorCode::kCancelled);
  EXPECT_EQ(client.queue_producer("q", {}).error().code, ErrorCode::kCancelled);
}

TEST_F(ClientDriverTest, WakesCallsThatWaitWhenItCloses) {
  Latch asked;
  broker_.with([&] {
    broker_.on_request = [&](FakeBroker::Peer&, const v1::Request&) {
      asked.open();
      return FakeBroker::Answer::kNothing;
    };
  });
  Client client = connect();
  ErrorCode code{};
  std::thread caller([&] { code = client.describe_queue("q").error().code; });
  ASSERT_TRUE(asked.wait());
  client.close();
  caller.join();
  EXPECT_EQ(code, ErrorCode::kCancelled);
}

TEST_F(ClientDriverTest, ClosingIsBoundedWhileASendIsUnanswered) {
  Client client = connect();
  broker_.with([&] {
    broker_.on_send = [](FakeBroker::Peer&, const proto::Send&) {
      return FakeBroker::Answer::kNothing;
    };
  });
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  std::atomic<int> answers{0};
  ErrorCode code{};
  ASSERT_TRUE(producer->send("x", [&](const Result<SendReceipt>& result) {
    code = result.error().code;
    ++answers;
  }));
  ASSERT_TRUE(broker_.wait([&] { return broker_.sends.size() == 1; }));
  const auto began = std::chrono::steady_clock::now();
  client.close(milliseconds(50));
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(code, ErrorCode::kUnknownOutcome);
  EXPECT_EQ(producer->send("y").error().code, ErrorCode::kCancelled);
}

TEST_F(ClientDriverTest, ClosingWaitsForUnconfirmedSends) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  std::atomic<int> confirmed{0};
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(producer->send(
        "x", [&](const Result<SendReceipt>& result) { confirmed += result.has_value() ? 1 : 0; }));
  }
  client.close();
  EXPECT_EQ(confirmed, 1'000);
}

TEST_F(ClientDriverTest, ClosesFromWithinACallback) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  Latch closed;
  ASSERT_TRUE(producer->send("x", [&](const Result<SendReceipt>&) {
    producer->close();
    client.close();
    client.close(milliseconds(1));
    closed.open();
  }));
  ASSERT_TRUE(closed.wait());
  client.close();
  EXPECT_FALSE(client.connected());
}

TEST_F(ClientDriverTest, MayBeDestroyedWithinACallback) {
  auto client = std::make_unique<Client>(connect());
  Latch gone;
  {
    Result<Producer> producer = client->queue_producer("q", {});
    ASSERT_TRUE(producer.has_value());
    ASSERT_TRUE(producer->send("x", [&](const Result<SendReceipt>&) {
      client.reset();
      gone.open();
    }));
  }
  ASSERT_TRUE(gone.wait());
  EXPECT_TRUE(broker_.wait([&] { return broker_.last_peer() == nullptr; }));
}

TEST_F(ClientDriverTest, RefusesToWaitWithinACallback) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  std::vector<ErrorCode> codes;
  Latch done;
  ASSERT_TRUE(producer->send("x", [&](const Result<SendReceipt>&) {
    codes.push_back(producer->send("y").error().code);
    codes.push_back(producer->flush().error().code);
    codes.push_back(client.describe_queue("q").error().code);
    codes.push_back(client.queue_producer("q", {}).error().code);
    codes.push_back(client.receive("q", {}).error().code);
    done.open();
  }));
  ASSERT_TRUE(done.wait());
  EXPECT_THAT(codes, testing::Each(ErrorCode::kInvalidArgument));
}

TEST_F(ClientDriverTest, ReplacesAClientByAnother) {
  Client client = connect();
  client = connect();
  EXPECT_TRUE(client.connected());
  Client other = std::move(client);
  EXPECT_EQ(other.describe_queue("q")->ready, 5U);
}

TEST_F(ClientDriverTest, OutlivesItsProducersAndTheOtherWayRound) {
  std::optional<Producer> producer;
  {
    Client client = connect();
    producer = client.queue_producer("q", {}).value();
    static_cast<void>(client.queue_producer("q", {}).value());
  }
  EXPECT_EQ(producer->send("x").error().code, ErrorCode::kCancelled);
  EXPECT_EQ(producer->buffered_messages(), 0U);
}

// Destroyed behind main(), with whatever else is static.
std::optional<Client>& static_client() {
  static std::optional<Client> client;
  return client;
}

TEST_F(ClientDriverTest, MayLiveInStaticStorage) {
  static_client() =
      Client::create(ClientOptions("weir://127.0.0.1:1").set_drain_timeout(milliseconds(0)))
          .value();
  EXPECT_FALSE(static_client()->connected());
}

}  // namespace
}  // namespace weir::sdk
