#include "proto/batch/record_batch.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/raw_session.hpp"
#include "tests/crash/trace.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::crash {
namespace {

constexpr auto kQueue = "traced";
constexpr auto kPayload = "payload-of-the-traced-message";
/// The calls that carry a request, its bytes on their way to the disk, and its answer.
constexpr auto kCalls =
    "trace=read,recvmsg,recvfrom,readv,write,writev,sendmsg,sendto,fdatasync,fsync,pwrite64";

/// The shipped broker under strace, whose lines come through a pipe: its end is the end of both.
class TracedBroker {
 public:
  TracedBroker() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-trace-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    const std::string out = "/dev/fd/" + std::to_string(ends[1]);
    broker_ = std::make_unique<BrokerProcess>(
        WEIR_BROKER_BINARY, dir_,
        BrokerSetup{.wrapper = {"strace", "-D", "-f", "-ttt", "-yy", "-s", "65536", "-o", out, "-e",
                                kCalls}});
    reader_ = std::thread([this, fd = ends[0]] {
      std::array<char, 65536> bytes{};
      for (ssize_t got = 0; (got = ::read(fd, bytes.data(), bytes.size())) > 0;) {
        text_.append(bytes.data(), static_cast<std::size_t>(got));
      }
      ::close(fd);
    });
    started_ = broker_->start();
    ::close(ends[1]);
  }
  ~TracedBroker() {
    if (reader_.joinable()) {
      broker_.reset();
      reader_.join();
    }
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  TracedBroker(const TracedBroker&) = delete;
  TracedBroker& operator=(const TracedBroker&) = delete;

  [[nodiscard]] const proto::Result<>& started() const { return started_; }
  [[nodiscard]] std::uint16_t port() const { return broker_->port(); }

  /// Stops the broker and gives its calls.
  std::vector<Call> stop() {
    const proto::Result<> stopped = broker_->stop();
    EXPECT_TRUE(stopped) << stopped.error().to_string();
    reader_.join();
    return parse_trace(text_);
  }

 private:
  std::filesystem::path dir_;
  std::unique_ptr<BrokerProcess> broker_;
  proto::Result<> started_;
  std::string text_;  // the reader's until it is joined
  std::thread reader_;
};

/// A client that does one thing at a time and notes its bytes.
class TracedClient {
 public:
  TracedClient() : session_([this](const proto::RawFrame& frame) { return on_frame(frame); }) {}

  void open(std::uint16_t broker_port) {
    ok(session_.open(broker_port));
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(session_.fd(), reinterpret_cast<sockaddr*>(&own), &size);
    connection_ = "TCP:[127.0.0.1:" + std::to_string(broker_port) +
                  "->127.0.0.1:" + std::to_string(ntohs(own.sin_port)) + "]";
  }
  void close() { session_.close(); }

  Exchange create() {
    weir::v1::Request request;
    request.mutable_create_queue()->set_name(kQueue);
    return call(std::move(request), kQueue);
  }

  Exchange send() {
    weir::v1::Request attach;
    attach.mutable_attach()->set_queue(kQueue);
    call(std::move(attach), "");
    proto::RecordInput record;
    record.value = kPayload;
    record.timestamp = 1'700'000'000'000;
    proto::BatchBuilder builder;
    builder.add(record);
    const std::string batch = builder.finish({}, proto::Compression::kNone);
    proto::Send frame;
    frame.alias = response_.attached().alias();
    frame.send_number = 1;
    frame.batch = batch;
    proto::encode(frame, session_.out());
    return exchange(kPayload);
  }

  /// From the credit to the message that it allows.
  Exchange deliver() {
    if (subscription_ == 0) {
      weir::v1::Request request;
      request.mutable_subscribe()->set_queue(kQueue);
      call(std::move(request), "");
      subscription_ = response_.subscribed().alias();
    }
    give_credit(1);
    return exchange("");
  }

  Exchange settle(proto::SettleKind kind) {
    give_credit(0);  // so that the answer is the only one
    proto::Settle settle;
    settle.settle_number = ++settles_;
    settle.alias = subscription_;
    settle.ranges.push_back({.kind = kind,
                             .grant = delivered_.grant,
                             .nonce = delivered_.nonce,
                             .base_offset = delivered_.base_offset,
                             .first_index = delivered_.first_index,
                             .count = delivered_.count,
                             .value = 0});
    proto::encode(settle, session_.out());
    return exchange("");
  }

 private:
  static void ok(const proto::Result<>& result) {
    ASSERT_TRUE(result) << result.error().to_string();
  }

  void give_credit(std::uint32_t messages) {
    proto::Credit credit;
    credit.alias = subscription_;
    credit.window_messages = messages;
    credit.window_bytes = 1'000'000;
    proto::encode(credit, session_.out());
  }

  Exchange call(weir::v1::Request request, std::string payload) {
    const std::uint64_t received = session_.received_bytes();
    proto::Result<weir::v1::Response> response = session_.call(std::move(request));
    EXPECT_TRUE(response) << response.error().to_string();
    if (response) {
      response_ = std::move(*response);
    }
    return {connection_, session_.sent_bytes(), received, std::move(payload)};
  }

  Exchange exchange(std::string payload) {
    const std::uint64_t received = session_.received_bytes();
    answered_ = false;
    ok(session_.wait_for(answered_));
    return {connection_, session_.sent_bytes(), received, std::move(payload)};
  }

  proto::Result<> on_frame(const proto::RawFrame& frame) {
    answered_ = true;
    if (frame.type == proto::FrameType::kDeliver) {
      const proto::Result<proto::Deliver> deliver = proto::decode_deliver(frame.body);
      EXPECT_TRUE(deliver);
      delivered_ = *deliver;
      delivered_.records = {};
    } else if (frame.type == proto::FrameType::kSent) {
      const proto::Result<proto::Sent> sent = proto::decode_sent(frame.body);
      EXPECT_TRUE(sent && sent->entries.size() == 1 && sent->entries[0].code == 0);
    } else if (frame.type == proto::FrameType::kSettled) {
      const proto::Result<proto::Settled> settled = proto::decode_settled(frame.body);
      EXPECT_TRUE(settled && settled->up_to == settles_ && settled->failed.empty());
    } else {
      ADD_FAILURE() << "a frame of type " << static_cast<int>(frame.type);
    }
    return {};
  }

  RawSession session_;
  std::string connection_;
  weir::v1::Response response_;
  proto::Deliver delivered_;
  std::uint32_t subscription_ = 0;
  std::uint64_t settles_ = 0;
  bool answered_ = false;
};

TEST(FsyncTrace, EveryAnswerOfTheShippedBrokerFollowsItsSync) {
  TracedBroker broker;
  ASSERT_TRUE(broker.started()) << broker.started().error().to_string();
  TracedClient client;
  client.open(broker.port());
  std::vector<std::pair<std::string, Exchange>> exchanges;
  exchanges.emplace_back("create", client.create());
  exchanges.emplace_back("send", client.send());
  exchanges.emplace_back("delivery", client.deliver());
  exchanges.emplace_back("nack", client.settle(proto::SettleKind::kNack));
  exchanges.emplace_back("second delivery", client.deliver());
  exchanges.emplace_back("ack", client.settle(proto::SettleKind::kAck));
  client.close();
  const std::vector<Call> calls = broker.stop();
  for (const auto& [what, exchange] : exchanges) {
    EXPECT_EQ(find_unsynced_answer(calls, exchange), "") << what;
  }
}

// ---- the judge itself, on traces that were made up

constexpr auto kSocket = "TCP:[127.0.0.1:7340->127.0.0.1:50000]";
const std::string kRead = "10 1.0 recvmsg(5<TCP:[127.0.0.1:7340->127.0.0.1:50000]>, {…}, 0) = 40\n";
const std::string kWrite = "11 1.1 write(9</d/000004.log>, \"..body..\", 80) = 80\n";
const std::string kSync = "11 1.2 fdatasync(9</d/000004.log>) = 0\n";
const std::string kAnswer =
    "10 1.3 sendmsg(5<TCP:[127.0.0.1:7340->127.0.0.1:50000]>, {…}, 0) = 20\n";

std::string judge(const std::string& trace) {
  return find_unsynced_answer(parse_trace(trace), {kSocket, 40, 0, "body"});
}

TEST(FsyncTraceJudge, AcceptsAnAnswerBehindItsSync) {
  EXPECT_EQ(judge(kRead + kWrite + kSync + kAnswer), "");
}

TEST(FsyncTraceJudge, RejectsAnAnswerInFrontOfItsSync) {
  EXPECT_NE(judge(kRead + kWrite + kAnswer + kSync), "");
  EXPECT_NE(judge(kRead + kAnswer + kWrite + kSync), "");
}

TEST(FsyncTraceJudge, RejectsASyncThatReturnsBehindTheAnswer) {
  EXPECT_NE(judge(kRead + kWrite + "11 1.2 fdatasync(9</d/000004.log> <unfinished ...>\n" +
                  kAnswer + "11 1.4 <... fdatasync resumed>) = 0\n"),
            "");
}

TEST(FsyncTraceJudge, PutsTheHalvesOfACallTogether) {
  EXPECT_EQ(judge("10 1.0 recvmsg(5<TCP:[127.0.0.1:7340->127.0.0.1:50000]> <unfinished ...>\n"
                  "12 1.0 write(3</d/LOG>, \"x\", 1) = 1\n"
                  "10 1.0 <... recvmsg resumed>, {…}, 0) = 40\n"
                  "11 1.1 write(9</d/000004.log>, \"..body..\", 80 <unfinished ...>\n"
                  "12 1.1 +++ exited with 0 +++\n"
                  "11 1.1 <... write resumed>) = 80\n"
                  "11 1.2 fdatasync(9</d/000004.log> <unfinished ...>\n"
                  "12 1.2 read(4<pipe:[1]>, \"\", 1) = 0\n"
                  "11 1.2 <... fdatasync resumed>) = 0\n" +
                  kAnswer),
            "");
}

TEST(FsyncTraceJudge, RejectsASyncInFrontOfTheWrite) {
  EXPECT_NE(judge(kRead + kSync + kWrite + kAnswer), "");
}

TEST(FsyncTraceJudge, RejectsAWriteOfSomethingElse) {
  EXPECT_NE(judge(kRead + "11 1.1 write(9</d/000004.log>, \"other\", 80) = 80\n" + kSync + kAnswer),
            "");
}

TEST(FsyncTraceJudge, RejectsASyncOfAnotherFile) {
  EXPECT_NE(judge(kRead + kWrite + "11 1.2 fdatasync(9</d/000005.log>) = 0\n" + kAnswer), "");
}

TEST(FsyncTraceJudge, RejectsASyncThatFailed) {
  EXPECT_NE(judge(kRead + kWrite +
                  "11 1.2 fdatasync(9</d/000004.log>) = -1 EIO (Input/output error)\n" + kAnswer),
            "");
}

TEST(FsyncTraceJudge, TakesOnlyWhatFollowsTheRequest) {
  EXPECT_NE(judge(kWrite + kSync + kRead + kAnswer), "");
}

TEST(FsyncTraceJudge, FindsTheAnswerByItsBytes) {
  const std::string earlier =
      "10 0.9 sendmsg(5<TCP:[127.0.0.1:7340->127.0.0.1:50000]>, {…}, 0) = 7\n";
  const Exchange second{kSocket, 40, 7, "body"};
  EXPECT_EQ(find_unsynced_answer(parse_trace(earlier + kRead + kWrite + kSync + kAnswer), second),
            "");
  EXPECT_NE(judge(earlier + kRead + kWrite + kSync + kAnswer), "");
}

}  // namespace
}  // namespace weir::crash
