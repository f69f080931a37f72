#include "client/core/reader_machine.hpp"

#include "client/core/record_assembler.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/batch/header_layout.hpp"
#include "proto/endian.hpp"
#include "tests/unit/client/fake_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {
namespace {

using test::FakeBroker;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(RecordAssembler, PutsPiecesOfAnySizeTogether) {
  const std::string bytes =
      FakeBroker::batch({"a", "b"}, 0) + FakeBroker::batch({"c"}, 2) + FakeBroker::batch({"d"}, 3);
  for (const std::size_t piece : {1U, 7U, 61U, 100U, 1'000U}) {
    RecordAssembler assembler(1U << 20U);
    std::vector<proto::Offset> offsets;
    std::string together;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      std::string_view rest = std::string_view(bytes).substr(at, piece);
      while (true) {
        auto batch = assembler.take(rest);
        ASSERT_TRUE(batch.has_value());
        if (!*batch) {
          EXPECT_TRUE(rest.empty());
          break;
        }
        offsets.push_back((*batch)->header.base_offset);
        together += (*batch)->bytes;
      }
    }
    EXPECT_THAT(offsets, ElementsAre(0, 2, 3)) << piece;
    EXPECT_EQ(together, bytes) << piece;
    EXPECT_EQ(assembler.buffered(), 0U);
  }
}

TEST(RecordAssembler, NoticesDamage) {
  std::string bytes = FakeBroker::batch({"abc"}, 0);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  RecordAssembler assembler(1U << 20U);
  std::string_view rest = bytes;
  for (int again = 0; again < 2; ++again) {
    const auto batch = assembler.take(rest);
    ASSERT_FALSE(batch.has_value());
    EXPECT_EQ(batch.error().code, proto::Errc::kCorruptBatch);
    rest = "and more";
  }
}

TEST(RecordAssembler, RefusesABatchThatClaimsToBeHuge) {
  RecordAssembler assembler(100);
  const std::string bytes = FakeBroker::batch({std::string(200, 'x')}, 0);
  std::string_view header = std::string_view(bytes).substr(0, 61);
  const auto batch = assembler.take(header);
  ASSERT_FALSE(batch.has_value());
  EXPECT_EQ(batch.error().code, proto::Errc::kMalformed);
}

PartitionPosition at(std::uint32_t partition, proto::Offset offset, proto::Offset high_watermark) {
  PartitionPosition position;
  position.partition = partition;
  position.offset = offset;
  position.high_watermark = high_watermark;
  return position;
}

class ReaderMachineTest : public testing::Test {
 protected:
  void begin(const ReaderOptions& options, const std::vector<PartitionPosition>& positions) {
    machine_.emplace(options);
    machine_->on_subscribed(positions);
  }
  proto::Result<> arrive(std::uint32_t partition, const std::string& bytes,
                         proto::Offset next_offset, proto::Offset high_watermark = 0) {
    proto::Records frame;
    frame.partition = partition;
    frame.next_offset = next_offset;
    frame.high_watermark = high_watermark;
    frame.bytes = bytes;
    return machine_->on_records(frame);
  }
  /// Everything that waits, as "partition/offset:text".
  std::vector<std::string> read() {
    std::vector<std::string> records;
    while (true) {
      const auto record = machine_->next();
      if (!record || !*record) {
        return records;
      }
      records.push_back(std::to_string((*record)->partition) + "/" +
                        std::to_string((*record)->offset) + ":" +
                        std::string(*(*record)->record.value));
    }
  }

  std::optional<ReaderMachine> machine_;
};

TEST_F(ReaderMachineTest, AsksAsItsOptionsSay) {
  ReaderOptions options;
  options.set_from(StartPosition::offset(5)).set_window_messages(10).set_window_bytes(20);
  const ReaderMachine machine(options);
  EXPECT_THAT(machine.request().partitions, IsEmpty());
  EXPECT_EQ(machine.request().from, StartPosition::offset(5));
  EXPECT_EQ(machine.request().window_messages, 10U);
  EXPECT_FALSE(machine.finished());
}

TEST_F(ReaderMachineTest, GivesRecordsInOrder) {
  begin(ReaderOptions(), {at(0, 0, 0), at(1, 0, 0)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a", "b"}, 0), 2).has_value());
  ASSERT_TRUE(arrive(1, FakeBroker::batch({"x"}, 0), 1).has_value());
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"c"}, 2), 3).has_value());
  EXPECT_THAT(read(), ElementsAre("0/0:a", "0/1:b", "1/0:x", "0/2:c"));
  EXPECT_EQ(machine_->positions().at(0).offset, 3);
  EXPECT_EQ(machine_->positions().at(1).offset, 1);
}

TEST_F(ReaderMachineTest, ReadsAgainWhatALostSessionTookAlongWithItsEnd) {
  begin(ReaderOptions(), {at(0, 0, 0)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a"}, 0), 1).has_value());
  machine_->on_subscription_ended(proto::make_error(proto::Errc::kCorruptBatch));
  machine_->on_session_lost();
  EXPECT_FALSE(machine_->has_waiting());
  machine_->on_subscribed({at(0, 0, 0)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a"}, 0), 1).has_value());
  EXPECT_THAT(read(), ElementsAre("0/0:a"));
  EXPECT_TRUE(machine_->next().has_value());
}

TEST_F(ReaderMachineTest, PassesOverRecordsInFrontOfTheStart) {
  begin(ReaderOptions(), {at(0, 2, 0)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a", "b", "c"}, 0), 3).has_value());
  EXPECT_THAT(read(), ElementsAre("0/2:c"));
}

TEST_F(ReaderMachineTest, EndsInFrontOfTheStop) {
  ReaderOptions options;
  options.set_to(2);
  begin(options, {at(0, 0, 10)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a", "b", "c"}, 0), 3).has_value());
  EXPECT_FALSE(machine_->finished());
  EXPECT_THAT(read(), ElementsAre("0/0:a", "0/1:b"));
  EXPECT_TRUE(machine_->finished());
  EXPECT_EQ(machine_->positions().at(0).offset, 2);
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"d"}, 3), 4).has_value());
  EXPECT_THAT(read(), IsEmpty());
}

TEST_F(ReaderMachineTest, EndsAtTheHighWatermarksOfTheBeginning) {
  ReaderOptions options;
  options.set_stop_at_end();
  begin(options, {at(0, 0, 1), at(1, 7, 7)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a"}, 0), 1, 5).has_value());
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"later"}, 1), 2, 5).has_value());
  EXPECT_THAT(read(), ElementsAre("0/0:a"));
  EXPECT_TRUE(machine_->finished());
}

TEST_F(ReaderMachineTest, IsFinishedAtOnceWhereThereIsNothingToRead) {
  ReaderOptions options;
  options.set_stop_at_end();
  begin(options, {at(0, 0, 0)});
  EXPECT_TRUE(machine_->finished());
}

TEST_F(ReaderMachineTest, FinishesAcrossAGapAtTheStop) {
  ReaderOptions options;
  options.set_stop_at_end();
  begin(options, {at(0, 0, 5)});
  // The last two offsets hold no records for readers.
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a", "b", "c"}, 0), 5).has_value());
  EXPECT_THAT(read(), ElementsAre("0/0:a", "0/1:b", "0/2:c"));
  EXPECT_TRUE(machine_->finished());
}

TEST_F(ReaderMachineTest, GoesOnWhereTheApplicationWas) {
  begin(ReaderOptions(), {at(0, 0, 0), at(1, 4, 4)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a", "b", "c"}, 0), 3).has_value());
  ASSERT_EQ((*machine_->next())->offset, 0);
  machine_->on_session_lost();
  EXPECT_THAT(read(), IsEmpty());
  const auto request = machine_->request();
  ASSERT_EQ(request.partitions.size(), 2U);
  EXPECT_EQ(request.partitions[0].from, StartPosition::offset(1));
  EXPECT_EQ(request.partitions[1].from, StartPosition::offset(4));
  machine_->on_subscribed({at(0, 1, 3), at(1, 4, 4)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a", "b", "c"}, 0), 3).has_value());
  EXPECT_THAT(read(), ElementsAre("0/1:b", "0/2:c"));
}

TEST_F(ReaderMachineTest, AsksOnlyForWhatIsNotFinished) {
  ReaderOptions options;
  options.set_to(1);
  begin(options, {at(0, 0, 0), at(1, 0, 0)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a"}, 0), 1).has_value());
  EXPECT_THAT(read(), ElementsAre("0/0:a"));
  machine_->on_session_lost();
  ASSERT_EQ(machine_->request().partitions.size(), 1U);
  EXPECT_EQ(machine_->request().partitions[0].partition, 1U);
}

TEST_F(ReaderMachineTest, ReturnsCreditAtHalfTheWindow) {
  ReaderOptions options;
  options.set_window_messages(4).set_window_bytes(1U << 20U);
  begin(options, {at(0, 0, 0)});
  const std::string batch = FakeBroker::batch({"a"}, 0);
  ASSERT_TRUE(arrive(0, batch, 1).has_value());
  EXPECT_THAT(read(), ElementsAre("0/0:a"));
  EXPECT_FALSE(machine_->take_credit().has_value());
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"b"}, 1), 2).has_value());
  EXPECT_FALSE(machine_->take_credit().has_value());  // arrived, and not consumed
  EXPECT_THAT(read(), ElementsAre("0/1:b"));
  const auto credit = machine_->take_credit();
  ASSERT_TRUE(credit.has_value());
  EXPECT_EQ(credit->window_messages, 4U);
  EXPECT_EQ(credit->consumed_messages, 2U);
  EXPECT_EQ(credit->consumed_bytes, 2 * batch.size());
  EXPECT_FALSE(machine_->take_credit().has_value());
}

TEST_F(ReaderMachineTest, CountsWhatItPassesOverAsConsumed) {
  ReaderOptions options;
  options.set_window_messages(2);
  begin(options, {at(0, 5, 0)});
  ASSERT_TRUE(arrive(0, FakeBroker::batch({"a"}, 0), 1).has_value());
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_TRUE(machine_->take_credit().has_value());
}

TEST_F(ReaderMachineTest, UnpacksCompressedBatchesWithinItsCap) {
  proto::BatchBuilder builder;
  const std::string text(100'000, 'x');
  for (int i = 0; i < 3; ++i) {
    proto::RecordInput record;
    record.value = text;
    record.timestamp = 50 + i;
    builder.add(record);
  }
  const std::string batch = builder.finish({}, proto::Compression::kZstd);
  begin(ReaderOptions(), {at(0, 0, 0)});
  ASSERT_TRUE(arrive(0, batch, 3).has_value());
  for (int i = 0; i < 3; ++i) {
    const auto record = machine_->next();
    ASSERT_TRUE(record.has_value() && *record);
    EXPECT_EQ((*record)->record.value, text);
    EXPECT_EQ((*record)->timestamp, 50 + i);
  }
  ReaderOptions capped;
  capped.set_max_batch_bytes(200'000);
  begin(capped, {at(0, 0, 0)});
  ASSERT_TRUE(arrive(0, batch, 3).has_value());
  EXPECT_EQ(machine_->next().error().code, proto::Errc::kMessageTooLarge);
}

TEST_F(ReaderMachineTest, RefusesARecordOutsideOfItsBatch) {
  std::string bytes = FakeBroker::batch({"a", "b", "c"}, 0);
  // It says that it has one record less, and so the last lies behind its end.
  proto::store_be<std::int32_t>(bytes.data() + proto::kLastOffsetDeltaAt, 1);
  const std::string_view covered = std::string_view(bytes).substr(proto::kAttributesAt);
  proto::store_be<std::uint32_t>(bytes.data() + proto::kCrcAt, proto::crc32c(0, covered));
  begin(ReaderOptions(), {at(0, 0, 3)});
  ASSERT_TRUE(arrive(0, bytes, 3));
  EXPECT_THAT(read(), ElementsAre("0/0:a", "0/1:b"));
  const auto next = machine_->next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, proto::Errc::kMalformed);
}

TEST_F(ReaderMachineTest, RefusesAPartitionThatWasNotAskedFor) {
  begin(ReaderOptions(), {at(0, 0, 0)});
  EXPECT_EQ(arrive(1, FakeBroker::batch({"a"}, 0), 1).error().code, proto::Errc::kMalformed);
}

}  // namespace
}  // namespace weir::sdk
