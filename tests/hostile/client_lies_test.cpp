#include "proto/limits.hpp"
#include "tests/hostile/hostile_broker.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace weir::hostile {
namespace {

using proto::FrameType;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::int64_t kHugeOffset = std::numeric_limits<std::int64_t>::max();

template <class Frame>
std::string encoded(const Frame& frame) {
  std::string bytes;
  proto::encode(frame, bytes);
  return bytes;
}

std::string cut(std::string frame, FrameType type) {
  return frame_of(type, std::string_view(frame).substr(5, frame.size() - 6));
}

proto::Deliver delivery(std::uint32_t alias) {
  static const std::string records = sdk::test::FakeBroker::records({"a", "b"});
  proto::Deliver frame;
  frame.alias = alias;
  frame.span = 2;
  frame.count = 2;
  frame.lease_ms = 30'000;
  frame.grant = proto::GrantId(1);
  frame.records = records;
  return frame;
}

/// What a broker says in the middle of a session that it has no right to say.
struct Lie {
  std::string name;
  std::function<std::string(std::uint32_t alias)> bytes;  // of the subscription
  std::string text;                                       // of the error that the session ends with
};

std::vector<Lie> lies() {
  const auto always = [](std::string bytes) {
    return [bytes = std::move(bytes)](std::uint32_t) { return bytes; };
  };
  const auto deliver = [](auto change) {
    return [change](std::uint32_t alias) {
      proto::Deliver frame = delivery(alias);
      change(frame);
      return encoded(frame);
    };
  };
  v1::Welcome welcome;
  welcome.set_protocol(1);
  const auto stored = [](std::int64_t offset, std::uint16_t code = 0) {
    return encoded(
        proto::Sent{.entries = {{.send_number = 1, .code = code, .base_offset = offset}}});
  };
  return {
      {"a frame without length", always(with_length(0, "x")), "a frame of 0 bytes"},
      {"a frame of 4 GiB", always(with_length(0xFFFFFFFF, "\x14")), "a frame of 4294967295 bytes"},
      {"a type that is none", always(frame_of(0xEE, "")), "type 238"},
      {"Hello", always(frame_of(FrameType::kHello, "")), "no broker sends"},
      {"Request", always(frame_of(FrameType::kRequest, "\x08\x01")), "no broker sends"},
      {"Send", always(encoded(proto::Send{})), "no broker sends"},
      {"Settle", always(encoded(proto::Settle{})), "no broker sends"},
      {"Credit", always(encoded(proto::Credit{})), "no broker sends"},
      {"a second greeting", always(frame_of(FrameType::kWelcome, welcome.SerializeAsString())),
       "a second greeting"},
      {"a response that is none", always(frame_of(FrameType::kResponse, "\x0a")), "Response"},
      {"a response to nothing", always(frame_of(FrameType::kResponse, "\x08\xff\x7f")),
       "a request that nobody made"},
      {"Sent, cut off", always(cut(stored(1), FrameType::kSent)), "Sent"},
      {"Sent for nothing", always(stored(1)), "a send that is not open"},
      {"Settled, cut off", always(cut(encoded(proto::Settled{}), FrameType::kSettled)), "Settled"},
      {"Settled for nothing", always(encoded(proto::Settled{.up_to = 1, .failed = {}})),
       "a settlement that is not open"},
      {"credit, cut off", always(frame_of(FrameType::kSendCredit, "abc")), "SendCredit"},
      {"a delivery, cut off", always(frame_of(FrameType::kDeliver, "abc")), "Deliver"},
      {"a delivery of nothing", deliver([](proto::Deliver& frame) { frame.count = 0; }),
       "what no batch holds"},
      {"a delivery of everything",
       deliver([](proto::Deliver& frame) { frame.span = frame.count = 0xFFFFFFFF; }),
       "what no batch holds"},
      {"a delivery beyond the last offset",
       deliver([](proto::Deliver& frame) { frame.base_offset = kHugeOffset; }),
       "what no batch holds"},
      {"a delivery in front of the first offset",
       deliver([](proto::Deliver& frame) { frame.base_offset = -1; }), "what no batch holds"},
      {"a delivery that holds less than it says",
       deliver([](proto::Deliver& frame) { frame.span = frame.count = 3; }), "record"},
      {"a delivery of junk",
       deliver([](proto::Deliver& frame) { frame.records = "\x7f\xff\xff junk"; }), "record"},
      {"records for a queue",
       [](std::uint32_t alias) { return encoded(proto::Records{.alias = alias, .bytes = {}}); },
       "no topic's"},
      {"an end that is none", always(frame_of(FrameType::kSubscriptionEnded, "\x0a")),
       "SubscriptionEnded"},
      {"good-bye", always(frame_of(FrameType::kGoAway, "")), ""}};
}

using ClientLies = HostileBrokerTest;

// The session ends with what the broker did, and everything that stood on it is restored with the
// good one.
TEST_F(ClientLies, EndTheSessionThatTheyCameIn) {
  Client other = Client::connect(good_alone()).value();
  ASSERT_TRUE(other.create_queue("q", QueueSettings()));
  Producer producer = other.queue_producer("q", ProducerOptions()).value();
  for (const Lie& lie : lies()) {
    SCOPED_TRACE(lie.name);
    Disconnects disconnects;
    hostile_.with([&] {
      hostile_.on_request = [&](Peer& peer, const v1::Request& request) {
        peer.write(FrameType::kResponse, hostile_.answer(peer, request));
        if (request.has_subscribe()) {
          peer.write(lie.bytes(hostile_.subscription_alias));
        }
        return Answer::kNothing;
      };
    });
    Client client = Client::create(with_good().set_event_handler([&](const ClientEvent& event) {
                      disconnects.add(event);
                    })).value();
    ASSERT_TRUE(producer.send(Message("from a good one")));
    QueueConsumer consumer = client.subscribe("q", ConsumerOptions()).value();
    std::string body;
    while (body != "from a good one") {
      auto delivery = consumer.next(seconds(20));
      ASSERT_TRUE(delivery) << delivery.error().to_string();
      ASSERT_TRUE(*delivery);
      body = (*delivery)->body();
      (*delivery)->ack();
    }
    const std::optional<Error> why = disconnects.first();
    ASSERT_TRUE(why);
    EXPECT_THAT(why->message, HasSubstr(lie.text));
    EXPECT_EQ(why->code, lie.text.empty() ? ErrorCode::kShuttingDown : ErrorCode::kMalformed);
  }
}

// What is said of a send is judged before the application hears of it; the message is sent again,
// to the good broker.
TEST_F(ClientLies, AboutASendAreNotBelieved) {
  Client other = Client::connect(good_alone()).value();
  ASSERT_TRUE(other.create_queue("q", QueueSettings()));
  using Entry = proto::SentEntry;
  const std::vector<std::pair<std::string, std::function<void(Entry&)>>> kAnswers = {
      {"behind the last offset", [](Entry& entry) { entry.base_offset = kHugeOffset; }},
      {"at no offset", [](Entry& entry) { entry.base_offset = -1; }},
      {"number 0", [](Entry& entry) { entry.send_number = 0; }},
      {"the next one", [](Entry& entry) { ++entry.send_number; }}};
  for (const auto& [name, change] : kAnswers) {
    SCOPED_TRACE(name);
    hostile_.with([&] {
      hostile_.on_send = [&](Peer& peer, const proto::Send& send) {
        proto::Sent sent;
        sent.entries.push_back({.send_number = send.send_number, .base_offset = 5});
        change(sent.entries.back());
        peer.write_frame(sent);
        return Answer::kNothing;
      };
    });
    Client client = Client::create(with_good()).value();
    Producer producer = client.queue_producer("q", ProducerOptions()).value();
    // The good broker does not know this producer: it cannot tell that the first one kept nothing.
    const auto sent = producer.send(Message("x"));
    if (!sent) {
      EXPECT_EQ(sent.error().code, ErrorCode::kUnknownOutcome) << sent.error().to_string();
    }
    const auto next = producer.send(Message("y"));
    ASSERT_TRUE(next) << next.error().to_string();
    const auto described = client.describe_queue("q");
    ASSERT_TRUE(described);
    EXPECT_EQ(described->next_offset, next->offset + 1);
  }
}

// A refusal is the broker's word for as long as its session, and in its own vocabulary.
TEST_F(ClientLies, OfRefusalsAreForgottenWithTheSession) {
  Client other = Client::connect(good_alone()).value();
  ASSERT_TRUE(other.create_queue("q", QueueSettings()));
  hostile_.with([&] {
    hostile_.on_send = [](Peer& peer, const proto::Send& send) {
      proto::Sent sent;
      sent.entries.push_back({.send_number = send.send_number,
                              .code = static_cast<std::uint16_t>(ErrorCode::kOverloaded),
                              .retry_after_ms = 0xFFFFFFFF});
      peer.write_frame(sent);
      peer.hang_up();
      return Answer::kNothing;
    };
  });
  Client client = Client::create(with_good()).value();
  Producer producer = client.queue_producer("q", ProducerOptions()).value();
  const auto sent = producer.send(Message("x"));
  EXPECT_TRUE(sent) << sent.error().to_string();

  hostile_.with([&] {
    hostile_.on_send = [](Peer& peer, const proto::Send& send) {
      proto::Sent refused;
      refused.entries.push_back({.send_number = send.send_number,
                                 .code = static_cast<std::uint16_t>(ErrorCode::kCancelled)});
      peer.write_frame(refused);
      return Answer::kNothing;
    };
  });
  Client lone = Client::connect(alone()).value();
  Producer lone_producer = lone.queue_producer("q", ProducerOptions()).value();
  const auto refused = lone_producer.send(Message("x"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInternal);
}

/// What a broker answers to a request in place of what was asked.
struct Forgery {
  std::string name;
  std::function<void(v1::Response&)> change;
  std::function<Error(Client&)> ask;
};

template <class T>
Error error_of(const Result<T>& result) {
  return result ? Error(ErrorCode::kInternal, "no error") : result.error();
}

std::vector<Forgery> forgeries() {
  const auto topic_producer = [](Client& client) {
    return error_of(client.topic_producer("t", ProducerOptions()));
  };
  const auto send = [](Client& client) {
    return error_of(client.queue_producer("q", ProducerOptions()).value().send(Message("x")));
  };
  const auto read = [](Client& client) {
    return error_of(client.read_topic("t", ReaderOptions()));
  };
  const auto receive = [](Client& client) {
    return error_of(client.receive("q", ReceiveOptions()));
  };
  const auto describe = [](Client& client) { return error_of(client.describe_queue("q")); };
  const auto offsets = [](Client& client) {
    return error_of(client.list_offsets("t", {{0, StartPosition::end()}}));
  };
  const auto with_grant = [](auto change) {
    return [change](v1::Response& response) {
      v1::Grant& grant = *response.mutable_received()->add_grants();
      grant.set_count(1);
      grant.set_records(sdk::test::FakeBroker::records({"a", "b"}));
      change(grant);
    };
  };
  return {
      {"a topic of 4 G partitions",
       [](v1::Response& response) { response.mutable_attached()->set_partitions(0xFFFFFFFF); },
       topic_producer},
      {"attached to nothing", [](v1::Response& response) { response.mutable_done(); },
       topic_producer},
      {"a producer without id",
       [](v1::Response& response) { response.mutable_producer()->set_id(0); }, send},
      {"a producer of another world",
       [](v1::Response& response) { response.mutable_producer()->set_id(~std::uint64_t{0}); },
       send},
      {"a producer of a late epoch",
       [](v1::Response& response) {
         response.mutable_producer()->set_id(7);
         response.mutable_producer()->set_epoch(70'000);
       },
       send},
      {"a reading of nothing",
       [](v1::Response& response) { response.mutable_subscribed_topic()->set_alias(5); }, read},
      {"a reading of everything",
       [](v1::Response& response) {
         for (std::uint32_t i = 0; i <= proto::kMaxPartitionsPerTopic; ++i) {
           response.mutable_subscribed_topic()->add_positions()->set_partition(i);
         }
       },
       read},
      {"received nothing but a grant", with_grant([](v1::Grant& grant) { grant.set_count(0); }),
       receive},
      {"received more than was asked for", with_grant([](v1::Grant& grant) { grant.set_count(2); }),
       receive},
      {"received behind the last offset",
       with_grant([](v1::Grant& grant) { grant.set_base_offset(kHugeOffset); }), receive},
      {"received junk", with_grant([](v1::Grant& grant) { grant.set_records("junk"); }), receive},
      {"described something else", [](v1::Response& response) { response.mutable_topic(); },
       describe},
      {"nowhere", [](v1::Response& response) { response.mutable_offsets(); }, offsets},
      {"somewhere else",
       [](v1::Response& response) {
         response.mutable_offsets()->add_positions();
         response.mutable_offsets()->add_positions();
       },
       offsets}};
}

TEST_F(ClientLies, InAnswersAreToldToWhoAsked) {
  for (const Forgery& forgery : forgeries()) {
    SCOPED_TRACE(forgery.name);
    v1::Response forged;
    forgery.change(forged);
    hostile_.with([&] {
      hostile_.on_request = [&](Peer& peer, const v1::Request& request) {
        v1::Response usual = hostile_.answer(peer, request);
        const bool is_meant = forged.result_case() == usual.result_case() ||
                              request.has_describe_queue() || request.has_receive() ||
                              (forged.has_done() && request.has_attach());
        if (is_meant) {
          forged.set_id(request.id());
        }
        peer.write(FrameType::kResponse, is_meant ? forged : usual);
        return Answer::kNothing;
      };
    });
    Client client = Client::connect(alone()).value();
    const Error error = forgery.ask(client);
    EXPECT_EQ(error.code, ErrorCode::kMalformed) << error.to_string();
    EXPECT_THAT(error.message, testing::Not(testing::IsEmpty()));
  }
}

// ---- more than was asked for

TEST_F(ClientLies, DoNotFillAConsumerBeyondItsWindow) {
  constexpr std::uint32_t kWindow = 10;
  constexpr std::uint64_t kGrants = 30'000;
  Client client = Client::connect(alone()).value();
  QueueConsumer consumer =
      client.subscribe("q", ConsumerOptions().set_window_messages(kWindow)).value();
  hostile_.with([&] {
    for (std::uint64_t grant = 1; grant <= kGrants; ++grant) {
      hostile_.deliver(grant, {"more"});
    }
  });
  ASSERT_TRUE(client.describe_queue("q"));  // comes behind all of it
  EXPECT_GE(consumer.buffered(), kWindow);
  EXPECT_LE(consumer.buffered(), 2 * kWindow + proto::kMaxBatchRecords);
}

TEST_F(ClientLies, DoNotFillAReaderBeyondItsWindow) {
  constexpr std::uint32_t kWindowBytes = 64 << 10;
  Disconnects disconnects;
  hostile_.with([&] { hostile_.positions.emplace_back().set_high_watermark(1'000'000); });
  Client client = Client::connect(alone().set_event_handler([&](const ClientEvent& event) {
                    disconnects.add(event);
                  })).value();
  const TopicReader reader =
      client.read_topic("t", ReaderOptions().set_window_bytes(kWindowBytes)).value();
  const std::string batch = sdk::test::FakeBroker::batch({std::string(1 << 20, 'm')}, 0);
  hostile_.with([&] {
    proto::Records records{
        .alias = hostile_.subscription_alias, .high_watermark = 1'000'000, .bytes = {}};
    std::string bytes = batch;
    for (proto::Offset offset = 0; offset < 20 && hostile_.last_peer() != nullptr; ++offset) {
      proto::poke_offset_and_epoch(bytes, offset, 0);
      records.next_offset = offset + 1;
      records.bytes = bytes;
      hostile_.last_peer()->write_frame(records);
    }
  });
  const std::optional<Error> why = disconnects.first();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, ErrorCode::kMalformed);
  EXPECT_THAT(why->message, HasSubstr("more than there is credit for"));
  EXPECT_TRUE(reader.status()) << reader.status().error().to_string();
}

}  // namespace
}  // namespace weir::hostile
