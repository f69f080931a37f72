#include "client/core/batcher.hpp"

#include "client/core/waiters.hpp"
#include "tests/unit/client/start_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::sdk {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

std::vector<std::string> texts_of(proto::BatchBuilder& builder) {
  std::vector<std::string> texts;
  const std::string batch = builder.finish({}, proto::Compression::kNone);
  const auto header = proto::parse_batch_header(batch);
  static_cast<void>(proto::for_each_record(
      std::string_view(batch).substr(proto::kBatchHeaderBytes), header->record_count,
      [&texts](const proto::RecordView& record) { texts.emplace_back(*record.value); }));
  return texts;
}

class BatcherTest : public testing::Test {
 protected:
  std::size_t add(const std::string& text, Duration patience = seconds(10)) {
    proto::RecordInput record;
    record.value = text;
    return batcher_.add(
        record, [this, text](const Result<SendReceipt>&) { answered_.push_back(text); },
        kStart + patience);
  }
  std::optional<WaitingBatch> take(TimePoint now = kStart) {
    std::optional<WaitingBatch> batch = batcher_.take(now, dropped_);
    for (SendCallback& callback : dropped_.callbacks) {
      callback(Error(ErrorCode::kCancelled));
    }
    return batch;
  }
  [[nodiscard]] std::size_t freed() const {
    std::size_t bytes = 0;
    for (const Released& room : dropped_.released) {
      bytes += room.bytes;
    }
    return bytes;
  }

  Batcher batcher_;
  std::vector<std::string> answered_;
  Batcher::Dropped dropped_;
};

TEST_F(BatcherTest, KeepsMessagesThatNameADelayApart) {
  const auto add_delayed = [&](const std::string& text) {
    const std::vector<proto::Header> headers = {{proto::kHeaderDelay, "5"}, {"h", "1"}};
    proto::RecordInput record;
    record.value = text;
    record.headers = headers;
    batcher_.add(record, [](const Result<SendReceipt>&) {}, kStart + seconds(10));
  };
  add("a");
  add_delayed("b");
  add_delayed("c");
  add("d");
  EXPECT_THAT(texts_of(take()->builder), ElementsAre("a"));
  EXPECT_THAT(texts_of(take()->builder), ElementsAre("b", "c"));
  EXPECT_THAT(texts_of(take()->builder), ElementsAre("d"));
}

TEST_F(BatcherTest, GathersUntilItIsTaken) {
  EXPECT_TRUE(batcher_.empty());
  EXPECT_EQ(batcher_.waiting_bytes(), 0U);
  const std::size_t bytes = add("a") + add("b");
  auto batch = take();
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->bytes, bytes);
  EXPECT_EQ(batch->waiters.size(), 2U);
  EXPECT_THAT(texts_of(batch->builder), ElementsAre("a", "b"));
  EXPECT_FALSE(take().has_value());
}

TEST_F(BatcherTest, ClosesABatchAtItsLimits) {
  Batcher::Limits limits;
  limits.max_records = 3;
  batcher_.set_limits(limits);
  for (const char* text : {"1", "2", "3", "4"}) {
    add(text);
  }
  EXPECT_EQ(take()->waiters.size(), 3U);
  EXPECT_EQ(take()->waiters.size(), 1U);

  limits.max_records = 1'000;
  limits.max_bytes = 500;
  batcher_.set_limits(limits);
  for (int i = 0; i < 10; ++i) {
    add(std::string(100, 'x'));
  }
  while (const auto batch = take()) {
    EXPECT_LE(batch->builder.bytes(), 500U);
    EXPECT_GE(batch->waiters.size(), 2U);
  }
}

TEST_F(BatcherTest, TakesAMessageThatIsLargerThanTheLimit) {
  Batcher::Limits limits;
  limits.max_bytes = 100;
  batcher_.set_limits(limits);
  add(std::string(1'000, 'x'));
  add("y");
  EXPECT_EQ(take()->waiters.size(), 1U);
  EXPECT_EQ(take()->waiters.size(), 1U);
}

TEST_F(BatcherTest, LeavesOutWhatExpired) {
  add("a", seconds(1));
  add("b", seconds(5));
  add("c", seconds(1));
  EXPECT_EQ(batcher_.earliest_deadline(), kStart + seconds(1));
  batcher_.take_expired(kStart + seconds(1), dropped_);
  EXPECT_EQ(dropped_.callbacks.size(), 2U);
  EXPECT_EQ(freed(), 0U);
  EXPECT_EQ(batcher_.earliest_deadline(), kStart + seconds(5));
  auto batch = take(kStart + seconds(1));
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->waiters.size(), 1U);
  EXPECT_THAT(texts_of(batch->builder), ElementsAre("b"));
}

TEST_F(BatcherTest, DropsABatchThatNobodyWaitsFor) {
  const std::size_t bytes = add("a", seconds(1));
  batcher_.take_expired(kStart + seconds(2), dropped_);
  EXPECT_EQ(freed(), bytes);
  EXPECT_TRUE(batcher_.empty());
  dropped_ = {};

  add("b", seconds(1));
  EXPECT_FALSE(take(kStart + seconds(1)).has_value());
  EXPECT_THAT(answered_, ElementsAre("b"));
}

TEST_F(BatcherTest, KeepsRoundsApart) {
  add("a");
  batcher_.set_round(1);
  add("b");
  EXPECT_EQ(take()->round, 0U);
  EXPECT_EQ(take()->round, 1U);
}

TEST_F(BatcherTest, GivesEverythingBackAtOnce) {
  const std::size_t bytes = add("a") + add("b");
  batcher_.take_all(dropped_);
  EXPECT_EQ(dropped_.callbacks.size(), 2U);
  EXPECT_EQ(freed(), bytes);
  EXPECT_TRUE(batcher_.empty());
}

TEST(RebuildAlive, KeepsKeyHeadersAndTimestamps) {
  const proto::Header header{"h", "v"};
  proto::BatchBuilder builder;
  WaiterList waiters;
  for (int i = 0; i < 3; ++i) {
    proto::RecordInput record;
    const std::string key = "k" + std::to_string(i);
    record.key = key;
    record.headers = std::span(&header, 1);
    record.timestamp = 100 + i;
    builder.add(record);
    waiters.add([](const Result<SendReceipt>&) {}, kStart + seconds(i == 1 ? 1 : 5));
  }
  std::vector<SendCallback> expired;
  waiters.take_expired(kStart + seconds(2), expired);
  const std::string batch = builder.finish({}, proto::Compression::kLz4);
  proto::BatchBuilder rebuilt = rebuild_alive(batch, waiters);
  EXPECT_EQ(waiters.size(), 2U);
  const std::string shorter = rebuilt.finish({}, proto::Compression::kNone);
  ASSERT_TRUE(proto::validate_batch(shorter, proto::BatchUse::kQueue).has_value());
  const auto parsed = proto::parse_batch_header(shorter);
  std::vector<std::string> seen;
  static_cast<void>(proto::for_each_record(
      std::string_view(shorter).substr(proto::kBatchHeaderBytes), parsed->record_count,
      [&](const proto::RecordView& record) {
        EXPECT_THAT(record.headers, ElementsAre(header));
        EXPECT_FALSE(record.value.has_value());
        seen.push_back(std::string(*record.key) + "@" +
                       std::to_string(parsed->base_timestamp + record.timestamp_delta));
      }));
  EXPECT_THAT(seen, ElementsAre("k0@100", "k2@102"));
}

TEST(WaiterList, ExpiresInAnyOrderOfDeadlines) {
  WaiterList waiters;
  for (const int deadline : {5, 1, 3, 2, 4}) {
    waiters.add([](const Result<SendReceipt>&) {}, kStart + seconds(deadline));
  }
  for (int second = 1; second <= 5; ++second) {
    EXPECT_EQ(waiters.earliest(), kStart + seconds(second));
    std::vector<SendCallback> expired;
    waiters.take_expired(kStart + seconds(second), expired);
    EXPECT_EQ(expired.size(), 1U);
  }
  EXPECT_FALSE(waiters.earliest().has_value());
  EXPECT_EQ(waiters.alive(), 0U);
}

TEST(WaiterList, LooksAtTheFrontAloneWhenDeadlinesRise) {
  WaiterList waiters;
  for (int i = 1; i <= 5; ++i) {
    waiters.add([](const Result<SendReceipt>&) {}, kStart + seconds(i));
  }
  std::vector<SendCallback> expired;
  waiters.take_expired(kStart + seconds(3), expired);
  EXPECT_EQ(expired.size(), 3U);
  EXPECT_EQ(waiters.earliest(), kStart + seconds(4));
  EXPECT_FALSE(waiters.is_alive(2));
  EXPECT_TRUE(waiters.is_alive(3));
  std::vector<std::size_t> answered;
  waiters.answer_all([&](std::size_t index, SendCallback&) { answered.push_back(index); });
  EXPECT_THAT(answered, ElementsAre(3, 4));
}

}  // namespace
}  // namespace weir::sdk
