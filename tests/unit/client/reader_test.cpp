#include "tests/unit/client/client_fixture.hpp"
#include "weir/topic_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
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
using test::position;
using testing::ElementsAre;

class ReaderTest : public ClientTest {
 protected:
  ReaderTest() {
    broker_.with([&] { broker_.positions = {position(0, 0, 4)}; });
  }
  /// Sends bytes of partition 0, cut into pieces.
  void feed(const std::string& bytes, proto::Offset next_offset, std::size_t piece = 30) {
    broker_.with([&] { broker_.send_records(bytes, next_offset, piece); });
  }
  static std::string text(const Record& record) { return std::string(*record.value()); }
  std::vector<std::string> read(TopicReader& reader, std::size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count) {
      const auto record = reader.next(seconds(20));
      if (!record || !*record) {
        break;
      }
      texts.push_back(text(**record));
    }
    return texts;
  }
};

TEST_F(ReaderTest, GivesRecordsToNextUntilTheStop) {
  Client client = connect();
  ReaderOptions options;
  options.set_from(StartPosition::start()).set_stop_at_end().add_partition(0);
  Result<TopicReader> reader = client.read_topic("t", options);
  ASSERT_TRUE(reader.has_value()) << reader.error().to_string();
  EXPECT_FALSE(reader->finished());
  feed(FakeBroker::batch({"a", "b"}, 0) + FakeBroker::batch({"c", "d"}, 2), 4);
  EXPECT_THAT(read(*reader, 4), ElementsAre("a", "b", "c", "d"));
  const auto nothing = reader->next(seconds(20));
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  EXPECT_TRUE(reader->finished());
  EXPECT_TRUE(*reader->wait_finished(seconds(0)));
  EXPECT_EQ(reader->positions().at(0).offset, 4);
  EXPECT_TRUE(broker_.wait([&] { return broker_.requests.back().has_unsubscribe(); }));
  broker_.with(
      [&] { EXPECT_TRUE(broker_.requests[0].subscribe_topic().partitions(0).from().start()); });
}

TEST_F(ReaderTest, GivesRecordsToItsHandler) {
  Client client = connect();
  std::vector<std::string> seen;
  ReaderOptions options;
  options.set_to(3);
  Result<TopicReader> reader =
      client.read_topic("t", options, [&](const Record& record) { seen.push_back(text(record)); });
  ASSERT_TRUE(reader.has_value());
  feed(FakeBroker::batch({"a", "b", "c", "d"}, 0), 4);
  EXPECT_TRUE(*reader->wait_finished(seconds(20)));
  EXPECT_THAT(seen, ElementsAre("a", "b", "c"));
  EXPECT_EQ(reader->next(seconds(1)).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ReaderTest, KeepsRecordsAliveAfterTheReader) {
  std::optional<Record> record;
  {
    Client client = connect();
    Result<TopicReader> reader = client.read_topic("t", {});
    ASSERT_TRUE(reader.has_value());
    feed(FakeBroker::batch({"kept"}, 0), 1);
    record = **reader->next(seconds(20));
  }
  EXPECT_EQ(text(*record), "kept");
  EXPECT_EQ(record->offset(), 0);
  EXPECT_EQ(record->timestamp(), Timestamp(milliseconds(1'000)));
}

TEST_F(ReaderTest, GoesOnAfterALostConnection) {
  Client client = connect();
  Result<TopicReader> reader = client.read_topic("t", {});
  ASSERT_TRUE(reader.has_value());
  const std::string batch = FakeBroker::batch({"a", "b", "c"}, 0);
  feed(batch, 3);
  EXPECT_THAT(read(*reader, 1), ElementsAre("a"));
  broker_.with([&] {
    broker_.positions = {position(0, 1, 4)};
    broker_.last_peer()->hang_up();
  });
  ASSERT_TRUE(broker_.wait([&] { return broker_.requests.size() == 2; }));
  feed(batch, 3);
  EXPECT_THAT(read(*reader, 2), ElementsAre("b", "c"));
  broker_.with([&] {
    const auto& again = broker_.requests[1].subscribe_topic();
    ASSERT_EQ(again.partitions_size(), 1);
    EXPECT_EQ(again.partitions(0).from().offset(), 1);
  });
}

TEST_F(ReaderTest, ReturnsCredit) {
  Client client = connect();
  ReaderOptions options;
  options.set_window_messages(4);
  Result<TopicReader> reader = client.read_topic("t", options);
  ASSERT_TRUE(reader.has_value());
  feed(FakeBroker::batch({"a", "b"}, 0), 2);
  EXPECT_THAT(read(*reader, 2), ElementsAre("a", "b"));
  ASSERT_TRUE(broker_.wait([&] { return !broker_.credits.empty(); }));
  broker_.with([&] {
    EXPECT_EQ(broker_.credits[0].alias, broker_.subscription_alias);
    EXPECT_EQ(broker_.credits[0].consumed_messages, 2U);
  });
}

TEST_F(ReaderTest, EndsAtDamage) {
  Client client = connect();
  Result<TopicReader> reader = client.read_topic("t", {});
  ASSERT_TRUE(reader.has_value());
  std::string bytes = FakeBroker::batch({"abc"}, 0);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  feed(bytes, 1, 1'000);
  EXPECT_EQ(reader->next(seconds(20)).error().code, ErrorCode::kCorruptBatch);
  EXPECT_EQ(reader->status().error().code, ErrorCode::kCorruptBatch);
  EXPECT_TRUE(client.connected());
}

TEST_F(ReaderTest, TellsWhyTheBrokerHasEndedItBehindWhatCameBefore) {
  Client client = connect();
  Result<TopicReader> reader = client.read_topic("t", {});
  ASSERT_TRUE(reader.has_value());
  feed(FakeBroker::batch({"a", "b"}, 0), 2);
  broker_.with([&] { broker_.end_subscription("cannot be read at offset 2"); });
  EXPECT_THAT(read(*reader, 2), ElementsAre("a", "b"));
  const auto end = reader->next(seconds(20));
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().code, ErrorCode::kCorruptBatch);
  EXPECT_EQ(end.error().message, "cannot be read at offset 2");
  EXPECT_EQ(reader->status().error().code, ErrorCode::kCorruptBatch);
  EXPECT_EQ(reader->positions().at(0).offset, 2);
  EXPECT_TRUE(client.connected());

  // It is over: a new session does not bring it back.
  broker_.hang_up();
  ASSERT_TRUE(broker_.wait([&] { return broker_.hellos.size() == 2; }));
  // What would have been asked at the begin of the session comes before the second of these.
  ASSERT_TRUE(client.describe_topic("t").has_value());
  ASSERT_TRUE(client.describe_topic("t").has_value());
  broker_.with([&] {
    ASSERT_EQ(broker_.requests.size(), 3U);
    EXPECT_TRUE(broker_.requests[1].has_describe_topic());
    EXPECT_TRUE(broker_.requests[2].has_describe_topic());
  });
}

TEST_F(ReaderTest, TellsItsHandlerFaceWhyTheBrokerHasEndedIt) {
  Client client = connect();
  std::vector<std::string> seen;
  Result<TopicReader> reader =
      client.read_topic("t", {}, [&](const Record& record) { seen.push_back(text(record)); });
  ASSERT_TRUE(reader.has_value());
  feed(FakeBroker::batch({"a", "b"}, 0), 2);
  broker_.with([&] { broker_.end_subscription("cannot be read at offset 2"); });
  const auto finished = reader->wait_finished(seconds(20));
  ASSERT_FALSE(finished.has_value());
  EXPECT_EQ(finished.error().code, ErrorCode::kCorruptBatch);
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

TEST_F(ReaderTest, HasFinishedWhereTheDamageLiesBehindItsStop) {
  Client client = connect();
  ReaderOptions options;
  options.set_to(2);
  Result<TopicReader> reader = client.read_topic("t", options);
  ASSERT_TRUE(reader.has_value());
  feed(FakeBroker::batch({"a", "b"}, 0), 2);
  broker_.with([&] { broker_.end_subscription("cannot be read at offset 2"); });
  EXPECT_THAT(read(*reader, 2), ElementsAre("a", "b"));
  const auto nothing = reader->next(seconds(20));
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  EXPECT_TRUE(reader->status().has_value());
}

TEST_F(ReaderTest, EndsWhenItsHandlerThrows) {
  Client client = connect();
  Result<TopicReader> reader =
      client.read_topic("t", {}, [](const Record&) { throw std::runtime_error("enough"); });
  ASSERT_TRUE(reader.has_value());
  feed(FakeBroker::batch({"a", "b"}, 0), 2);
  const auto finished = reader->wait_finished(seconds(20));
  ASSERT_FALSE(finished.has_value());
  EXPECT_THAT(finished.error().message, testing::HasSubstr("enough"));
}

TEST_F(ReaderTest, ClosesFromWithinItsHandlerAndElsewhere) {
  Client client = connect();
  std::optional<TopicReader> reader;
  Latch ready;
  Latch closed;
  int calls = 0;
  reader = client
               .read_topic("t", {},
                           [&](const Record&) {
                             EXPECT_TRUE(ready.wait());
                             ++calls;
                             reader->close();
                             closed.open();
                           })
               .value();
  ready.open();
  feed(FakeBroker::batch({"a", "b", "c"}, 0), 3);
  ASSERT_TRUE(closed.wait());
  reader->close();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(reader->status().error().code, ErrorCode::kCancelled);
}

TEST_F(ReaderTest, WakesNextWhenItCloses) {
  Client client = connect();
  Result<TopicReader> reader = client.read_topic("t", {});
  ASSERT_TRUE(reader.has_value());
  ErrorCode code{};
  std::thread waiting([&] { code = reader->next(seconds(20)).error().code; });
  reader->close();
  waiting.join();
  EXPECT_EQ(code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace weir::sdk
