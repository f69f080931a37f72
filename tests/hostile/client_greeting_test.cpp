#include "proto/limits.hpp"
#include "tests/hostile/hostile_broker.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::hostile {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

std::string welcome(std::uint32_t protocol = 1) {
  v1::Welcome welcome;
  welcome.set_protocol(protocol);
  welcome.set_broker("one that looks good");
  welcome.set_incarnation(9);
  welcome.set_send_window_bytes(1 << 20);
  return frame_of(proto::FrameType::kWelcome, welcome.SerializeAsString());
}

std::string go_away(const v1::GoAway& message) {
  return frame_of(proto::FrameType::kGoAway, message.SerializeAsString());
}

struct Greeting {
  std::string name;
  std::string bytes;
  ErrorCode code = ErrorCode::kMalformed;
  std::string text;  // of the error
};

std::vector<Greeting> bad_greetings() {
  v1::GoAway forbidden;
  forbidden.mutable_error()->set_code(static_cast<std::uint32_t>(ErrorCode::kPermissionDenied));
  forbidden.mutable_error()->set_message("not you");
  v1::GoAway nameless;
  nameless.mutable_error()->set_code(1003);  // only this library says that
  return {{.name = "HTTP", .bytes = "HTTP/1.1 400 Bad Request\r\n\r\n", .text = "a frame of"},
          {.name = "no length", .bytes = with_length(0, "x"), .text = "a frame of"},
          {.name = "4 GiB", .bytes = with_length(0xFFFFFFFF, "\x02"), .text = "a frame of"},
          {.name = "one too long",
           .bytes = with_length(proto::kMaxFrameBytes + 1, "\x02"),
           .text = "a frame of"},
          {.name = "no type", .bytes = frame_of(99, "abc"), .text = "type"},
          {.name = "no Welcome",
           .bytes = frame_of(proto::FrameType::kWelcome, "\xff\xff\xff"),
           .text = "Welcome"},
          {.name = "a protocol of the future",
           .bytes = welcome(7),
           .code = ErrorCode::kUnsupported,
           .text = "protocol 7"},
          {.name = "no protocol",
           .bytes = frame_of(proto::FrameType::kWelcome, ""),
           .code = ErrorCode::kUnsupported,
           .text = "protocol 0"},
          {.name = "an answer",
           .bytes = frame_of(proto::FrameType::kResponse, "\x08\x01"),
           .text = "before its greeting"},
          {.name = "a delivery",
           .bytes = frame_of(proto::FrameType::kDeliver, std::string(80, 'd')),
           .text = "before its greeting"},
          {.name = "our own words",
           .bytes = frame_of(proto::FrameType::kHello, ""),
           .text = "before its greeting"},
          {.name = "go away",
           .bytes = go_away(forbidden),
           .code = ErrorCode::kPermissionDenied,
           .text = "not you"},
          {.name = "go away, cut off",
           .bytes = frame_of(proto::FrameType::kGoAway, "\x0a\x20x"),
           .text = "GoAway"},
          {.name = "an error of ours",
           .bytes = go_away(nameless),
           .code = ErrorCode::kInternal,
           .text = "1003"}};
}

using ClientGreeting = HostileBrokerTest;

TEST_F(ClientGreeting, TellsWhatTheBrokerSaid) {
  for (const Greeting& greeting : bad_greetings()) {
    SCOPED_TRACE(greeting.name);
    greet_with([&](Peer& peer) { peer.write(greeting.bytes); });
    const auto client = Client::connect(alone());
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, greeting.code) << client.error().to_string();
    EXPECT_THAT(client.error().message, HasSubstr(greeting.text));
  }
}

TEST_F(ClientGreeting, TellsEachCallWhatTheBrokerSaid) {
  greet_with([](Peer& peer) { peer.write(frame_of(99, "abc")); });
  Client client = Client::create(alone().set_overall_timeout(milliseconds(100))).value();
  const auto described = client.describe_queue("q");
  ASSERT_FALSE(described);
  EXPECT_THAT(described.error().message, HasSubstr("type"));
  const auto producer = client.queue_producer("q", ProducerOptions());
  ASSERT_FALSE(producer);
  EXPECT_EQ(producer.error().code, ErrorCode::kConnectFailed);
  EXPECT_THAT(producer.error().message, HasSubstr("type"));
  const auto consumer = client.subscribe("q", ConsumerOptions());
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().code, ErrorCode::kConnectFailed);
  EXPECT_THAT(consumer.error().message, HasSubstr("type"));
  const auto reader = client.read_topic("t", ReaderOptions());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kConnectFailed);
  EXPECT_THAT(reader.error().message, HasSubstr("type"));
}

TEST_F(ClientGreeting, TurnsToTheGoodBrokerWhateverTheFirstOneSays) {
  for (const Greeting& greeting : bad_greetings()) {
    SCOPED_TRACE(greeting.name);
    greet_with([&](Peer& peer) { peer.write(greeting.bytes); });
    auto client = Client::connect(with_good());
    ASSERT_TRUE(client) << client.error().to_string();
    expect_works(*client, "q");
  }
}

// At the accept, behind so many bytes of the greeting, behind all of it, and at the first request:
// closed, and reset.
TEST_F(ClientGreeting, SurvivesTheEndOfTheConnectionAtEachByteOfTheGreeting) {
  const std::string whole = welcome();
  for (const bool resets : {false, true}) {
    for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
      SCOPED_TRACE(std::to_string(bytes) + (resets ? " bytes and a reset" : " bytes"));
      greet_with([&](Peer& peer) {
        peer.write(whole.substr(0, bytes));
        resets ? peer.reset() : peer.hang_up();
      });
      Client client = Client::create(with_good()).value();
      const auto made = client.create_queue("q", QueueSettings());
      ASSERT_TRUE(made) << made.error().to_string();
    }
  }
  hostile_.set_accepting(false);
  Client client = Client::create(with_good()).value();
  expect_works(client, "q");
}

TEST_F(ClientGreeting, SurvivesTheEndOfTheConnectionAtEachByteOfAnAnswer) {
  v1::Response response;
  response.set_id(1);
  response.mutable_queue()->set_name("a queue of no broker");
  const std::string whole = frame_of(proto::FrameType::kResponse, response.SerializeAsString());
  for (const bool resets : {false, true}) {
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      SCOPED_TRACE(std::to_string(bytes) + (resets ? " bytes and a reset" : " bytes"));
      hostile_.with([&] {
        hostile_.on_request = [&](Peer& peer, const v1::Request&) {
          peer.write(whole.substr(0, bytes));
          resets ? peer.reset() : peer.hang_up();
          return Answer::kNothing;
        };
      });
      Client client = Client::create(with_good()).value();
      const auto made = client.create_queue("q", QueueSettings());
      ASSERT_TRUE(made) << made.error().to_string();
      EXPECT_EQ(made->name, "q");
    }
  }
}

TEST_F(ClientGreeting, DoesNotWaitForOneThatFallsSilent) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{3}, std::size_t{9}}) {
    SCOPED_TRACE(std::to_string(bytes) + " bytes of the greeting");
    greet_with([&](Peer& peer) { peer.write(welcome().substr(0, bytes)); });
    const auto lone = Client::connect(alone().set_request_timeout(milliseconds(50)));
    ASSERT_FALSE(lone);
    EXPECT_EQ(lone.error().code, ErrorCode::kConnectFailed);
    EXPECT_THAT(lone.error().message, HasSubstr("does not answer the greeting"));
    Client client = Client::create(with_good().set_request_timeout(milliseconds(200))).value();
    expect_works(client, "q");
  }
}

// Behind the greeting: each call has its answer when its time is up, and a broker that does not
// even answer pings is left for the next.
TEST_F(ClientGreeting, AnswersCallsWhenTheBrokerStopsInTheMiddleOfAnAnswer) {
  hostile_.with([&] {
    hostile_.heartbeat_ms = 20;
    hostile_.dead_after_ms = 100;
    hostile_.on_frame = [](Peer& peer, const proto::RawFrame& frame) {
      if (frame.type == proto::FrameType::kHello) {
        return Answer::kUsual;
      }
      if (frame.type == proto::FrameType::kRequest) {
        peer.write(with_length(1000, "\x04 half of it"));
      }
      return Answer::kNothing;
    };
  });
  Client lone = Client::connect(alone().set_overall_timeout(seconds(1))).value();
  const auto described = lone.describe_queue("q", milliseconds(50));
  ASSERT_FALSE(described);
  const auto made = lone.create_queue("q", QueueSettings(), milliseconds(50));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnknownOutcome);
  const auto positions = lone.list_offsets("t", {}, milliseconds(50));
  ASSERT_FALSE(positions);
  const auto handled = lone.ack("weir1:whatever");
  ASSERT_FALSE(handled);

  Disconnects disconnects;
  Client client = Client::create(with_good().set_event_handler([&](const ClientEvent& event) {
                    disconnects.add(event);
                  })).value();
  expect_works(client, "q");
  ASSERT_TRUE(disconnects.first());
  EXPECT_THAT(disconnects.first()->message, HasSubstr("went silent"));
}

TEST_F(ClientGreeting, ReadsWhatComesAByteAtATime) {
  hostile_.with([&] {
    hostile_.piece_bytes = 1;
    hostile_.positions.emplace_back().set_high_watermark(2);
  });
  Client client = Client::connect(alone()).value();
  ASSERT_TRUE(client.create_queue("q", QueueSettings()));
  Producer producer = client.queue_producer("q", ProducerOptions()).value();
  const auto sent = producer.send(Message("one"));
  ASSERT_TRUE(sent) << sent.error().to_string();
  QueueConsumer consumer = client.subscribe("q", ConsumerOptions()).value();
  hostile_.with([&] { hostile_.deliver(1, {"a", "b"}); });
  for (const std::string_view text : {"a", "b"}) {
    auto delivery = consumer.next(seconds(20));
    ASSERT_TRUE(delivery && *delivery);
    EXPECT_EQ((*delivery)->body(), text);
    EXPECT_TRUE((*delivery)->ack_and_wait(seconds(20)));
  }
  TopicReader reader = client.read_topic("t", ReaderOptions().set_stop_at_end()).value();
  hostile_.with([&] {
    const std::string batch = sdk::test::FakeBroker::batch({"x", "y"}, 0);
    hostile_.last_peer()->write_frame(proto::Records{.alias = hostile_.subscription_alias,
                                                     .partition = 0,
                                                     .next_offset = 2,
                                                     .high_watermark = 2,
                                                     .bytes = batch});
  });
  for (const std::string_view text : {"x", "y"}) {
    const auto record = reader.next(seconds(20));
    ASSERT_TRUE(record && *record);
    EXPECT_EQ((*record)->value(), text);
  }
  EXPECT_TRUE(reader.finished());
}

// The broker is replaced under the same address, as after a mistake in a configuration.
TEST_F(ClientGreeting, WorksOnceAGoodBrokerHasTheAddress) {
  std::optional<sdk::test::FakeBroker> impostor(std::in_place);
  impostor->with([&] {
    impostor->on_frame = [](Peer& peer, const proto::RawFrame&) {
      peer.write("220 mail.example.org ESMTP\r\n");
      return Answer::kNothing;
    };
  });
  const std::string address = impostor->address();
  const std::uint16_t port = impostor->port();
  Client client = Client::create(ClientOptions(address).set_reconnect_backoff(milliseconds(1),
                                                                              milliseconds(10)))
                      .value();
  EXPECT_TRUE(impostor->wait([&] { return impostor->connections >= 2; }));
  impostor.reset();
  const integration::TempDir dir;
  std::vector<std::string> flags = integration::usual_flags(dir.path() / "data");
  *(std::ranges::find(flags, "--listen") + 1) = "127.0.0.1:" + std::to_string(port);
  integration::BrokerProcess good(dir.path(), flags);
  ASSERT_TRUE(good.wait_until_ready()) << good.log();
  expect_works(client, "q");
}

}  // namespace
}  // namespace weir::hostile
