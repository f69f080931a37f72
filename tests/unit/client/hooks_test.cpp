#include "tests/unit/client/client_fixture.hpp"
#include "weir/weir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

// What a client tells of itself: events, log lines, measurements.
namespace weir::sdk {
namespace {

using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using test::Latch;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

class HooksTest : public ClientTest {
 protected:
  using Answer = FakeBroker::Answer;

  [[nodiscard]] ClientOptions listening_options() {
    ClientOptions options = fast_options();
    options.set_event_handler([this](const ClientEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      if (event.kind == ClientEvent::Kind::kRestored) {
        restored_.open();
      }
    });
    options.set_log_handler([this](LogLevel level, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(level, line);
    });
    options.set_metric_handler([this](Metric metric, std::string_view subject, double value) {
      const std::lock_guard lock(mutex_);
      sums_[std::string(name(metric)) + " " + std::string(subject)] += value;
    });
    return options;
  }
  [[nodiscard]] std::vector<ClientEvent::Kind> kinds() {
    const std::lock_guard lock(mutex_);
    std::vector<ClientEvent::Kind> kinds;
    for (const ClientEvent& event : events_) {
      kinds.push_back(event.kind);
    }
    return kinds;
  }

  std::mutex mutex_;
  std::vector<ClientEvent> events_;
  std::vector<std::pair<LogLevel, std::string>> lines_;
  std::map<std::string, double> sums_;
  Latch restored_;
};

TEST_F(HooksTest, RestoredMeansThatSubscriptionsStandAgain) {
  Client client = Client::connect(listening_options()).value();
  const QueueConsumer consumer = client.subscribe("q", {}).value();
  v1::Request kept;
  FakeBroker::Peer* peer = nullptr;
  broker_.with([&] {
    broker_.on_request = [&](FakeBroker::Peer& from, const v1::Request& request) {
      if (!request.has_subscribe()) {
        return Answer::kUsual;
      }
      kept = request;
      peer = &from;
      return Answer::kNothing;
    };
  });
  broker_.hang_up();
  ASSERT_TRUE(broker_.wait([&] { return peer != nullptr; }));
  EXPECT_TRUE(client.describe_queue("other").has_value());
  EXPECT_THAT(kinds(), ElementsAre(ClientEvent::Kind::kConnected, ClientEvent::Kind::kLost,
                                   ClientEvent::Kind::kConnected));
  broker_.with([&] { peer->write(proto::FrameType::kResponse, broker_.answer(*peer, kept)); });
  ASSERT_TRUE(restored_.wait());
  EXPECT_THAT(kinds(), ElementsAre(ClientEvent::Kind::kConnected, ClientEvent::Kind::kLost,
                                   ClientEvent::Kind::kConnected, ClientEvent::Kind::kRestored));
}

TEST_F(HooksTest, LogsWhatAnOperatorMayWantToKnow) {
  broker_.with([&] { broker_.refuse_with = v1::GoAway(); });
  Client client = Client::create(listening_options()).value();
  ASSERT_TRUE(broker_.wait([&] { return broker_.hellos.size() >= 2; }));
  broker_.with([&] { broker_.refuse_with.reset(); });
  EXPECT_TRUE(client.describe_queue("q").has_value());
  broker_.hang_up();
  EXPECT_TRUE(broker_.wait([&] { return broker_.hellos.size() >= 4; }));
  EXPECT_TRUE(client.describe_queue("q").has_value());
  client.close();
  const std::lock_guard lock(mutex_);
  EXPECT_THAT(lines_, Contains(Pair(LogLevel::kDebug, HasSubstr("connecting to 127.0.0.1:"))));
  EXPECT_THAT(lines_, Contains(Pair(LogLevel::kWarning, HasSubstr("SHUTTING_DOWN"))));
  EXPECT_THAT(lines_, Contains(Pair(LogLevel::kInfo, HasSubstr("connected to 127.0.0.1:"))));
  EXPECT_THAT(lines_, Contains(Pair(LogLevel::kWarning, HasSubstr("lost 127.0.0.1:"))));
  EXPECT_THAT(lines_, Contains(Pair(LogLevel::kInfo, AllOf(StartsWith("the next try in "),
                                                           HasSubstr(" ms, 127.0.0.1:")))));
  for (const ClientEvent& event : events_) {
    EXPECT_EQ(event.error.has_value(), event.kind == ClientEvent::Kind::kLost) << event.to_string();
  }
}

TEST_F(HooksTest, HaveNamesForPeople) {
  const ClientEvent lost(ClientEvent::Kind::kLost, "h:1", Error(ErrorCode::kConnectFailed, "gone"));
  EXPECT_EQ(lost.to_string(), "lost h:1: CONNECT_FAILED: gone");
  EXPECT_EQ(name(lost.kind), "lost");
  EXPECT_EQ(ClientEvent(ClientEvent::Kind::kConnected, "h:1").to_string(), "connected to h:1");
  EXPECT_EQ(name(LogLevel::kWarning), "warning");
}

TEST_F(HooksTest, CountsMessagesAndMeasuresBatches) {
  Client client = Client::connect(listening_options()).value();
  Producer producer = client.queue_producer("q", {}).value();
  bool refuses = true;
  broker_.with([&] {
    broker_.on_send = [&](FakeBroker::Peer& peer, const proto::Send& send) {
      if (!std::exchange(refuses, false)) {
        return Answer::kUsual;
      }
      proto::Sent sent;
      proto::SentEntry& entry = sent.entries.emplace_back();
      entry.send_number = send.send_number;
      entry.code = static_cast<std::uint16_t>(proto::Errc::kOverloaded);
      peer.write_frame(sent);
      return Answer::kNothing;
    };
  });
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(producer.send("x").has_value());
  }
  QueueConsumer consumer = client.subscribe("w", {}).value();
  broker_.with([&] { broker_.deliver(1, {"a", "b"}); });
  EXPECT_TRUE((*consumer.next(seconds(20)))->async_ack().get(seconds(20)).has_value());
  client.close();
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(sums_["weir_client_messages_refused_total q"], 1);
  EXPECT_EQ(sums_["weir_client_messages_stored_total q"], 3);
  EXPECT_GT(sums_["weir_client_send_seconds q"], 0);
  EXPECT_EQ(sums_["weir_client_messages_arrived_total w"], 2);
  EXPECT_GE(sums_["weir_client_messages_settled_total w"], 2);
  EXPECT_THAT(lines_, Contains(Pair(LogLevel::kDebug, HasSubstr("refused: OVERLOADED"))));
}

}  // namespace
}  // namespace weir::sdk
