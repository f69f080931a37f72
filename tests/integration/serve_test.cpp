#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What a running broker does: pages, answers to bad requests, its end, and what survives it.
namespace weir::integration {
namespace {

using proto::Errc;
using proto::FrameType;
using testing::HasSubstr;

std::uint32_t number(Errc code) {
  return static_cast<std::uint32_t>(code);
}

class Serve : public testing::Test {
 protected:
  void start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = usual_flags(dir_.path() / "data");
    flags.insert(flags.end(), more.begin(), more.end());
    broker_.emplace(dir_.path(), flags);
    ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  }

  static std::string handle_of(const weir::v1::Welcome& welcome,
                               const weir::v1::Received& received) {
    const weir::v1::Grant& grant = received.grants(0);
    return proto::encode_handle({.incarnation = welcome.incarnation(),
                                 .epoch = welcome.epoch(),
                                 .queue = proto::QueueId(received.id()),
                                 .generation = received.generation(),
                                 .grant = proto::GrantId(grant.grant()),
                                 .index = grant.first_index(),
                                 .nonce = grant.nonce(),
                                 .base_offset = grant.base_offset(),
                                 .shard = welcome.shard()});
  }

  TempDir dir_;
  std::optional<BrokerProcess> broker_;
};

TEST_F(Serve, ShowsHealthReadinessAndMetrics) {
  start();
  WireClient client(broker_->port());
  client.hello();
  ASSERT_FALSE(client.create_queue("work").has_error());
  EXPECT_THAT(http_get(broker_->http_port(), "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(http_get(broker_->http_port(), "/readyz"), HasSubstr("\"ready\":true"));
  const std::string metrics = http_get(broker_->http_port(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr("weir_build_info{"));
  EXPECT_THAT(metrics, HasSubstr("weir_connections 1"));
  EXPECT_THAT(metrics, HasSubstr("queue=\"work\",state=\"ready\"} 0"));
  EXPECT_THAT(metrics, HasSubstr("weir_commit_seconds_count"));
  EXPECT_THAT(http_get(broker_->http_port(), "/"), HasSubstr("404"));
  EXPECT_THAT(http_get(broker_->http_port(), "/metrics", "POST"), HasSubstr("405"));
}

TEST_F(Serve, RefusesSendsWhileTheDiskIsNearlyFull) {
  start({"--min-free-disk-bytes", "1000TiB"});
  EXPECT_THAT(http_get(broker_->http_port(), "/readyz"), HasSubstr("\"ready\":false"));
  EXPECT_THAT(http_get(broker_->http_port(), "/healthz"), HasSubstr("200 OK"));
  WireClient client(broker_->port());
  client.hello();
  ASSERT_FALSE(client.create_queue("work").has_error());
  const std::uint32_t alias = client.attach_queue("work").attached().alias();
  EXPECT_EQ(client.send(alias, "no room").code, number(Errc::kDiskFull));
}

TEST_F(Serve, SaysWhichNamesAreUnknownOrBad) {
  start();
  WireClient client(broker_->port());
  client.hello();
  EXPECT_EQ(client.describe_queue("nowhere").error().code(), number(Errc::kQueueNotFound));
  EXPECT_EQ(client.attach_queue("nowhere").error().code(), number(Errc::kQueueNotFound));
  EXPECT_EQ(client.receive("nowhere").error().code(), number(Errc::kQueueNotFound));
  for (const char* name : {"../../etc/passwd", "a\nb", "a\x01", "", "__x", "a b"}) {
    EXPECT_EQ(client.create_queue(name).error().code(), number(Errc::kInvalidName)) << name;
  }
}

TEST_F(Serve, RefusesAMessageOverTheLimitAndTakesTheNext) {
  start();
  WireClient client(broker_->port());
  client.hello();
  ASSERT_FALSE(client.create_queue("work").has_error());
  const std::uint32_t alias = client.attach_queue("work").attached().alias();
  EXPECT_EQ(client.send(alias, std::string(proto::kMaxMessageBytes + 1, 'x')).code,
            number(Errc::kMessageTooLarge));
  EXPECT_EQ(client.send(alias, "small").code, 0);
}

TEST_F(Serve, AcceptsAHandleOnceAndRefusesOthers) {
  start();
  WireClient client(broker_->port());
  const weir::v1::Welcome welcome = client.hello();
  ASSERT_FALSE(client.create_queue("work").has_error());
  ASSERT_FALSE(client.create_queue("other").has_error());
  const std::uint32_t alias = client.attach_queue("work").attached().alias();
  ASSERT_EQ(client.send(alias, "hello").code, 0);
  const weir::v1::Response response = client.receive("work", 5'000);
  ASSERT_EQ(response.received().grants_size(), 1) << response.error().message();
  const std::string handle = handle_of(welcome, response.received());

  std::string altered = handle;
  altered[10] = altered[10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(client.settle(altered).error().code(), number(Errc::kReceiptInvalid));
  EXPECT_EQ(client.settle("nonsense").error().code(), number(Errc::kReceiptInvalid));
  EXPECT_EQ(client.settle(handle, weir::v1::SETTLE_ACTION_ACK, "other").error().code(),
            number(Errc::kReceiptInvalid));

  // Given back, the old lease has ended: another one may hold the message by now.
  ASSERT_FALSE(client.settle(handle, weir::v1::SETTLE_ACTION_NACK).has_error());
  EXPECT_TRUE(client.settle(handle, weir::v1::SETTLE_ACTION_EXTEND).has_error());
  const weir::v1::Response again = client.receive("work", 5'000);
  ASSERT_EQ(again.received().grants_size(), 1) << again.error().message();
  EXPECT_FALSE(client.settle(handle_of(welcome, again.received())).has_error());
  EXPECT_EQ(client.describe_queue("work").queue().ready(), 0U);
}

TEST_F(Serve, EndsAConnectionThatSendsGarbageAndNoOther) {
  start();
  WireClient good(broker_->port());
  good.hello();
  for (const std::string& garbage : {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                                     std::string(64, '\xff'), std::string(64, '\0'),
                                     std::string("\x05\0\0\0\x11"
                                                 "abcd",
                                                 9)}) {
    WireClient bad(broker_->port());
    bad.send_bytes(garbage);
    const auto frame = bad.next();
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->type, FrameType::kGoAway);
    EXPECT_EQ(proto::parse_go_away(frame->body).value().error().code(), number(Errc::kMalformed));
    EXPECT_TRUE(bad.ends());
  }
  EXPECT_FALSE(good.create_queue("still-there").has_error());
}

TEST_F(Serve, EndsAConnectionThatSaysTooMuchBeforeHello) {
  start();
  WireClient client(broker_->port());
  client.send_frame(FrameType::kHello, std::string(9'000, 'x'));
  const auto frame = client.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, FrameType::kGoAway);
  EXPECT_TRUE(client.ends());
}

TEST_F(Serve, EndsAConnectionThatDoesNotReadItsAnswers) {
  start();
  WireClient client(broker_->port());
  client.hello();
  std::string ping;
  proto::encode_frame(FrameType::kPing, {}, ping);
  std::string pings;
  while (pings.size() < (std::size_t{1} << 20)) {
    pings += ping;
  }
  // Answers as long as this: more than the broker keeps and the system takes between the two.
  for (int i = 0; i < 48; ++i) {
    client.send_bytes(pings);
  }
  WireClient other(broker_->port());
  other.hello();
  EXPECT_THAT(http_get(broker_->http_port(), "/metrics"), HasSubstr("weir_connections 1"));
  EXPECT_THAT(broker_->log(), HasSubstr("it does not read its answers"));
}

TEST_F(Serve, WaitsFiveSecondsForHello) {
  start();
  WireClient client(broker_->port());
  const auto frame = client.next();
  ASSERT_TRUE(frame);
  ASSERT_EQ(frame->type, FrameType::kGoAway);
  EXPECT_EQ(proto::parse_go_away(frame->body).value().error().code(),
            number(Errc::kDeadlineExceeded));
  EXPECT_TRUE(client.ends());
}

TEST_F(Serve, PingsASilentClientThenLetsItGo) {
  start();
  WireClient client(broker_->port(), 40);
  client.hello();
  const auto ping = client.next();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->type, FrameType::kPing);
  const auto end = client.next(FrameType::kGoAway);
  ASSERT_TRUE(end);
  EXPECT_EQ(proto::parse_go_away(end->body).value().error().code(),
            number(Errc::kDeadlineExceeded));
  EXPECT_TRUE(client.ends());
}

TEST_F(Serve, TellsAClientTooManyWhyItIsRefused) {
  start({"--max-connections", "1"});
  WireClient first(broker_->port());
  first.hello();
  WireClient second(broker_->port());
  const auto frame = second.next();
  ASSERT_TRUE(frame);
  ASSERT_EQ(frame->type, FrameType::kGoAway);
  EXPECT_EQ(proto::parse_go_away(frame->body).value().error().code(), number(Errc::kLimitExceeded));
  EXPECT_FALSE(first.create_queue("work").has_error());
}

TEST_F(Serve, AsksClientsToLeaveAndEndsWithZero) {
  start();
  WireClient client(broker_->port());
  client.hello();
  broker_->signal(SIGTERM);
  const auto frame = client.next(FrameType::kGoAway);
  ASSERT_TRUE(frame);
  EXPECT_TRUE(proto::parse_go_away(frame->body).value().draining());
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(broker_->wait().status, 0);
}

TEST_F(Serve, WaitsForAMessageInHandBeforeItEnds) {
  start();
  WireClient client(broker_->port());
  const weir::v1::Welcome welcome = client.hello();
  ASSERT_FALSE(client.create_queue("work").has_error());
  const std::uint32_t alias = client.attach_queue("work").attached().alias();
  ASSERT_EQ(client.send(alias, "in hand").code, 0);
  const weir::v1::Response received = client.receive("work", 5'000);
  ASSERT_EQ(received.received().grants_size(), 1);
  broker_->signal(SIGTERM);
  ASSERT_TRUE(client.next(FrameType::kGoAway));
  EXPECT_FALSE(client.settle(handle_of(welcome, received.received())).has_error());
}

TEST_F(Serve, KeepsWhatItAcknowledgedOverARestartAndAKill) {
  start();
  std::uint32_t sent = 0;
  for (const int signal : {SIGTERM, SIGKILL, SIGKILL}) {
    {
      WireClient client(broker_->port());
      client.hello();
      ASSERT_FALSE(client.create_queue("work").has_error());
      EXPECT_EQ(client.describe_queue("work").queue().ready(), sent);
      const std::uint32_t alias = client.attach_queue("work").attached().alias();
      ASSERT_EQ(client.send(alias, "kept").code, 0);
      ++sent;
    }
    broker_->signal(signal);
    broker_->wait();
    start();
  }
  WireClient client(broker_->port());
  client.hello();
  EXPECT_EQ(client.describe_queue("work").queue().ready(), sent);
}

}  // namespace
}  // namespace weir::integration
