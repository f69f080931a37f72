#include "proto/backup_manifest.hpp"
#include "proto/batch/crc32c.hpp"
#include "tests/unit/client/client_fixture.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// A backup as the library reads it, of a broker that says what the test wants.
namespace weir::sdk {
namespace {

using test::FakeBroker;

class BackupTest : public test::ClientTest {
 protected:
  static constexpr std::uint64_t kBackup = 5;

  /// Answers each block by `change`d text; the third is the last.
  void serve(std::function<void(v1::Response&)> change = [](v1::Response&) {}) {
    broker_.with([&] {
      broker_.on_request = [change = std::move(change)](FakeBroker::Peer& peer,
                                                        const v1::Request& request) {
        v1::Response response;
        response.set_id(request.id());
        v1::BackupBlock& block = *response.mutable_backup_block();
        block.set_backup(kBackup);
        block.set_block(request.read_backup().block());
        block.set_expected_bytes(block.block() == 0 ? 25 : 0);
        block.set_bytes("block " + std::to_string(block.block()));
        if (block.block() == 2) {
          block.mutable_summary()->set_broker("weir/9\nrows: 1");
          block.mutable_summary()->set_incarnation(3);
          block.mutable_summary()->set_commit(17);
          block.mutable_summary()->set_commit_digest(18);
          block.mutable_summary()->set_commit_time(19);
          block.mutable_summary()->set_rows(20);
          block.mutable_summary()->set_row_bytes(21);
          block.mutable_summary()->set_rows_digest(22);
        }
        change(response);
        peer.write(proto::FrameType::kResponse, response);
        return FakeBroker::Answer::kNothing;
      };
    });
  }
  BackupSink keep() {
    return [this](std::string_view bytes) -> Result<> {
      got_ += bytes;
      return {};
    };
  }

  std::string got_;
};

TEST_F(BackupTest, GivesEveryBlockInOrderAndWhatDescribesThem) {
  serve();
  Client client = connect();
  const auto backup = client.backup(keep());
  ASSERT_TRUE(backup.has_value()) << backup.error().to_string();
  EXPECT_EQ(got_, "block 0block 1block 2");
  EXPECT_EQ(backup->commit, 17U);
  EXPECT_EQ(backup->commit_time.time_since_epoch().count(), 19);
  EXPECT_EQ(backup->incarnation, 3U);
  EXPECT_EQ(backup->rows, 20U);
  EXPECT_EQ(backup->row_bytes, 21U);
  EXPECT_EQ(backup->digest, "0000000000000016");
  EXPECT_EQ(backup->file_bytes, got_.size());
  const auto manifest = proto::parse_backup_manifest(backup->manifest);
  ASSERT_TRUE(manifest) << "a broker cannot write lines of its own into it";
  EXPECT_EQ(manifest->shard_bytes, got_.size());
  EXPECT_EQ(manifest->shard_crc, proto::crc32c(0, got_));
  EXPECT_EQ(manifest->commit_digest, 18U);
  EXPECT_EQ(manifest->rows_digest, 22U);
  broker_.with([&] {
    ASSERT_EQ(broker_.requests.size(), 3U);
    EXPECT_EQ(broker_.requests[0].read_backup().backup(), 0U);
    EXPECT_EQ(broker_.requests[1].read_backup().backup(), kBackup);
  });
}

TEST_F(BackupTest, SaysFirstWhatToExpect) {
  serve();
  Client client = connect();
  std::vector<std::uint64_t> expected;
  const auto backup = client.backup(keep(), [&](std::uint64_t bytes) {
    EXPECT_EQ(got_, "");
    expected.push_back(bytes);
  });
  ASSERT_TRUE(backup.has_value()) << backup.error().to_string();
  EXPECT_EQ(expected, std::vector<std::uint64_t>{25});
}

TEST_F(BackupTest, EndsWithTheSinksError) {
  serve();
  Client client = connect();
  int calls = 0;
  const auto backup = client.backup([&](std::string_view) -> Result<> {
    return ++calls < 2 ? Result<>() : Error(ErrorCode::kInternal, "no room");
  });
  EXPECT_EQ(backup.error().message, "no room");
  EXPECT_EQ(calls, 2);
}

TEST_F(BackupTest, PassesOnARefusal) {
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kLimitExceeded); });
  Client client = connect();
  EXPECT_EQ(client.backup(keep()).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(got_, "");
}

TEST_F(BackupTest, SaysThatItWasBrokenOffInTheMiddle) {
  serve([](v1::Response& response) {
    if (response.backup_block().block() == 1) {
      response.mutable_error()->set_code(static_cast<std::uint32_t>(proto::Errc::kInvalidArgument));
    }
  });
  Client client = connect();
  EXPECT_EQ(client.backup(keep()).error().code, ErrorCode::kCancelled);
}

TEST_F(BackupTest, BelievesNoBlockThatIsNotTheNext) {
  const std::vector<std::function<void(v1::BackupBlock&)>> lies = {
      [](v1::BackupBlock& block) { block.set_block(block.block() + 1); },
      [](v1::BackupBlock& block) { block.set_backup(block.block() == 1 ? 6 : kBackup); },
      [](v1::BackupBlock& block) { block.set_backup(0); }};
  for (const auto& lie : lies) {
    serve([lie](v1::Response& response) { lie(*response.mutable_backup_block()); });
    Client client = connect();
    EXPECT_EQ(client.backup(keep()).error().code, ErrorCode::kMalformed);
  }
  serve([](v1::Response& response) { response.clear_backup_block(); });
  Client client = connect();
  EXPECT_EQ(client.backup(keep()).error().code, ErrorCode::kMalformed);
}

TEST_F(BackupTest, AsksForNoBlockTwiceHoweverLateItIs) {
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer&, const v1::Request&) {
      return FakeBroker::Answer::kNothing;
    };
  });
  ClientOptions options = fast_options();
  options.set_request_timeout(std::chrono::milliseconds(20));
  Client client = Client::connect(options).value();
  const auto backup = client.backup(keep(), CallOptions(std::chrono::milliseconds(200)));
  EXPECT_EQ(backup.error().code, ErrorCode::kDeadlineExceeded);
  broker_.with([&] { EXPECT_EQ(broker_.requests.size(), 1U); });
}

// ---- without waiting

class AsyncBackupTest : public BackupTest {
 protected:
  AsyncBackupSink keep_async() {
    return [this](const std::string& bytes) {
      got_ += bytes;
      return Future<>(Result<>());
    };
  }
  void keep_silent() {
    broker_.with([&] {
      broker_.on_request = [](FakeBroker::Peer&, const v1::Request&) {
        return FakeBroker::Answer::kNothing;
      };
    });
  }
};

TEST_F(AsyncBackupTest, GivesWhatTheCallThatWaitsGives) {
  serve();
  Client client = connect();
  const auto waited = client.backup(keep());
  ASSERT_TRUE(waited.has_value());
  const std::string bytes = std::exchange(got_, {});
  std::vector<std::uint64_t> expected;
  const auto expect = [&](std::uint64_t about) { expected.push_back(about); };
  const auto backup = client.async_backup(keep_async(), expect).get(std::chrono::seconds(20));
  ASSERT_TRUE(backup.has_value()) << backup.error().to_string();
  EXPECT_EQ(got_, bytes);
  EXPECT_EQ(backup->manifest, waited->manifest);
  EXPECT_EQ(expected, std::vector<std::uint64_t>{25});
}

TEST_F(AsyncBackupTest, AsksForTheNextBlockWhenTheSinkHasTakenOne) {
  serve();
  Client client = connect();
  std::array<test::Latch, 3> handed;
  std::array<Promise<>, 3> taken;
  std::size_t block = 0;
  Future<BackupDescription> reading = client.async_backup([&](const std::string& bytes) {
    got_ += bytes;
    Future<> future = taken.at(block).future();
    handed.at(block++).open();
    return future;
  });
  for (std::size_t i = 0; i < handed.size(); ++i) {
    ASSERT_TRUE(handed.at(i).wait());
    EXPECT_FALSE(reading.is_ready());
    broker_.with([&] { EXPECT_EQ(broker_.requests.size(), i + 1); });
    taken.at(i).set({});
  }
  EXPECT_EQ(reading.get(std::chrono::seconds(20))->commit, 17U);
  EXPECT_EQ(got_, "block 0block 1block 2");
}

TEST_F(AsyncBackupTest, EndsWithWhatTheSinkSaysOrThrows) {
  serve();
  Client client = connect();
  const auto refuse = [](const std::string&) {
    return Future<>(Error(ErrorCode::kInternal, "no room"));
  };
  const auto fail = [](const std::string&) -> Future<> { throw std::runtime_error("thrown"); };
  EXPECT_EQ(code_of(client.async_backup(refuse)), ErrorCode::kInternal);
  EXPECT_EQ(code_of(client.async_backup(fail)), ErrorCode::kCancelled);
}

TEST_F(AsyncBackupTest, PassesOnARefusal) {
  broker_.with([&] { broker_.on_request = test::refuse_all(proto::Errc::kLimitExceeded); });
  Client client = connect();
  EXPECT_EQ(code_of(client.async_backup(keep_async())), ErrorCode::kLimitExceeded);
  EXPECT_EQ(got_, "");
}

TEST_F(AsyncBackupTest, EndsByItsDeadlineAndByItsStop) {
  keep_silent();
  Client client = connect();
  EXPECT_EQ(code_of(client.async_backup(keep_async(), std::chrono::milliseconds(5))),
            ErrorCode::kDeadlineExceeded);
  std::stop_source source;
  Future<BackupDescription> stopped = client.async_backup(keep_async(), source.get_token());
  source.request_stop();
  EXPECT_EQ(code_of(std::move(stopped)), ErrorCode::kCancelled);
}

TEST_F(AsyncBackupTest, MayBeginWhereNothingMayWait) {
  serve();
  Client client = connect();
  test::Latch done;
  ErrorCode waited{};
  Future<BackupDescription> reading;
  // A backup that is over before somebody asks for it is delivered on the thread that asks.
  Promise<> asked;
  Future<> go_on = asked.future();
  bool is_first = true;
  Future<BackupDescription> first = client.async_backup([&](const std::string&) {
    return std::exchange(is_first, false) ? std::move(go_on) : Future<>(Result<>());
  });
  std::move(first).deliver_to([&](const Result<BackupDescription>&) {
    waited = client.backup(keep()).error().code;
    reading = client.async_backup(keep_async());
    done.open();
  });
  asked.set({});
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(waited, ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::move(reading)), ErrorCode{});
  EXPECT_EQ(got_, "block 0block 1block 2");
}

TEST_F(AsyncBackupTest, EndsWithItsClientAndGoesOnWithoutItsFuture) {
  serve();
  Client client = connect();
  test::Latch whole;
  static_cast<void>(client.async_backup([&](const std::string& bytes) {
    if (bytes == "block 2") {
      whole.open();
    }
    return Future<>(Result<>());
  }));
  EXPECT_TRUE(whole.wait());
  keep_silent();
  Future<BackupDescription> reading = client.async_backup(keep_async());
  client.close(std::chrono::milliseconds(0));
  EXPECT_EQ(code_of(std::move(reading)), ErrorCode::kCancelled);
  EXPECT_EQ(code_of(client.async_backup(keep_async())), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace weir::sdk
