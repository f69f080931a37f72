#include "proto/wire_message.hpp"

#include "proto/endian.hpp"
#include "proto/limits.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace weir::proto {
namespace {

weir::v1::Request request_sample() {
  weir::v1::Request request;
  request.set_id(7);
  request.set_deadline_ms(500);
  weir::v1::SubscribeTopic& subscribe = *request.mutable_subscribe_topic();
  subscribe.set_topic("orders");
  for (std::uint32_t partition = 0; partition < 3; ++partition) {
    weir::v1::PartitionStart& start = *subscribe.add_partitions();
    start.set_partition(partition);
    start.mutable_from()->set_offset(partition * 1'000);
  }
  return request;
}

/// A field of length `bytes`, by hand.
std::string submessage(std::uint32_t number, const std::string& bytes) {
  std::string out(1, static_cast<char>(number << 3U | 2U));
  for (std::size_t rest = bytes.size();; rest >>= 7U) {
    if (rest < 0x80) {
      out.push_back(static_cast<char>(rest));
      return out + bytes;
    }
    out.push_back(static_cast<char>(static_cast<unsigned char>(rest | 0x80U)));
  }
}

TEST(WireMessage, ComesBackThroughAFrame) {
  std::string frame = "before";
  append_frame(FrameType::kRequest, request_sample(), frame);
  frame.erase(0, 6);
  EXPECT_EQ(load_le<std::uint32_t>(frame.data()), frame.size() - 4);
  EXPECT_EQ(static_cast<FrameType>(frame[4]), FrameType::kRequest);
  const Result<weir::v1::Request> request = parse_request(std::string_view(frame).substr(5));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->SerializeAsString(), request_sample().SerializeAsString());
}

TEST(WireMessage, AppendsTheSameFrameAsThePlainEncoder) {
  std::string expected;
  encode_frame(FrameType::kRequest, request_sample().SerializeAsString(), expected);
  std::string frame;
  append_frame(FrameType::kRequest, request_sample(), frame);
  EXPECT_EQ(frame, expected);
  frame.clear();
  append_frame(FrameType::kPing, weir::v1::Done(), frame);
  EXPECT_EQ(frame, std::string("\x01\0\0\0\x05", 5));
}

TEST(WireMessage, ParsesEachKind) {
  weir::v1::Hello hello;
  hello.set_service("billing");
  EXPECT_EQ(parse_hello(hello.SerializeAsString())->service(), "billing");
  weir::v1::Welcome welcome;
  welcome.set_session(kMaxFrameBytes);
  EXPECT_EQ(parse_welcome(welcome.SerializeAsString())->session(), kMaxFrameBytes);
  weir::v1::Response response;
  response.mutable_error()->set_code(8);
  EXPECT_EQ(parse_response(response.SerializeAsString())->error().code(), 8U);
  weir::v1::GoAway go_away;
  go_away.set_draining(true);
  EXPECT_TRUE(parse_go_away(go_away.SerializeAsString())->draining());
}

TEST(WireMessage, TakesAnEmptyBodyForAnEmptyMessage) {
  EXPECT_TRUE(parse_request(""));
  EXPECT_EQ(parse_request("")->method_case(), weir::v1::Request::METHOD_NOT_SET);
}

TEST(WireMessage, IgnoresFieldsThatItDoesNotKnow) {
  weir::v1::Hello hello;
  hello.set_client("x");
  const Result<weir::v1::Hello> parsed =
      parse_hello(hello.SerializeAsString() + submessage(15, "a field of the future"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->client(), "x");
}

TEST(WireMessage, RefusesWhatIsCutOffInsideAField) {
  const std::string bytes = request_sample().SerializeAsString();
  int whole = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<weir::v1::Request> request = parse_request(bytes.substr(0, size));
    whole += request ? 1 : 0;
    if (!request) {
      ASSERT_EQ(request.error().code, Errc::kMalformed);
    }
  }
  EXPECT_EQ(whole, 3) << "only between the fields of the outermost message";
}

TEST(WireMessage, RefusesForeignBytes) {
  for (const std::string_view bytes :
       {std::string_view("\xff\xff\xff\xff"), std::string_view("\x0a\x05hi"),
        std::string_view("\x0c"), std::string_view("\0", 1), std::string_view("GET / HTTP/1.1")}) {
    EXPECT_EQ(parse_hello(bytes).error().code, Errc::kMalformed);
  }
}

TEST(WireMessage, RefusesTextThatIsNotUtf8WithoutAWord) {
  testing::internal::CaptureStderr();
  EXPECT_FALSE(parse_hello("\x1a\x02\xff\xfe"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(WireMessage, SurvivesNoise) {
  std::mt19937_64 random(1);
  const std::string good = request_sample().SerializeAsString();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (std::uint64_t i = 1 + random() % 5; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random() & 0xffU);
    }
    const Result<weir::v1::Request> request = parse_request(bytes);
    if (!request) {
      ASSERT_EQ(request.error().code, Errc::kMalformed);
    }
  }
}

TEST(WireMessage, LimitsNesting) {
  // Groups of an unknown field nest without any message type that would bound them.
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '\x7b') +
           std::string(static_cast<std::size_t>(depth), '\x7c');
  };
  EXPECT_TRUE(parse_request(nested(10)));
  EXPECT_FALSE(parse_request(nested(20)));
  EXPECT_FALSE(parse_request(nested(100'000)));
}

TEST(WireMessage, LimitsTheSizeOfRequests) {
  weir::v1::Request request;
  request.mutable_create_queue()->set_name(std::string(kMaxRequestBytes - 100, 'x'));
  EXPECT_TRUE(parse_request(request.SerializeAsString()));
  request.mutable_create_queue()->set_name(std::string(kMaxRequestBytes, 'x'));
  EXPECT_EQ(parse_request(request.SerializeAsString()).error().code, Errc::kMalformed);

  weir::v1::Response response;
  response.mutable_received()->add_grants()->set_records(std::string(4'000'000, 'x'));
  EXPECT_TRUE(parse_response(response.SerializeAsString()));
}

TEST(WireError, KeepsCodeMessageAndDelay) {
  Error error = make_error(Errc::kThrottled, "slow down");
  error.retry_after_ms = 250;
  const weir::v1::Error wire = to_wire(error);
  EXPECT_EQ(wire.code(), 27U);
  EXPECT_EQ(from_wire(wire), error);
}

TEST(WireError, NamesACodeThatItDoesNotKnow) {
  for (const std::uint32_t number : {0U, 42U, 1001U, 65'537U, 4'000'000'000U}) {
    weir::v1::Error wire;
    wire.set_code(number);
    wire.set_message("news");
    wire.set_retry_after_ms(9);
    const Error error = from_wire(wire);
    EXPECT_EQ(error.code, Errc::kInternal);
    EXPECT_NE(error.message.find(std::to_string(number)), std::string::npos);
    EXPECT_NE(error.message.find("news"), std::string::npos);
    EXPECT_EQ(error.retry_after_ms, 9U);
  }
}

TEST(WireError, NeverSendsTheClientsOwnCodes) {
  for (const Errc code : {Errc::kUnknownOutcome, Errc::kConnectFailed, Errc::kCancelled}) {
    EXPECT_EQ(to_wire(make_error(code)).code(), static_cast<std::uint32_t>(Errc::kInternal));
  }
}

}  // namespace
}  // namespace weir::proto
