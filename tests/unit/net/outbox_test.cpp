#include "broker/net/outbox.hpp"

#include "broker/net/send_budget.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace weir::net {
namespace {

std::string write_some(Outbox& outbox, std::size_t at_most) {
  std::string bytes;
  for (const std::string_view view : outbox.gather(64)) {
    bytes += view.substr(0, at_most - bytes.size());
    if (bytes.size() == at_most) {
      break;
    }
  }
  outbox.consume(bytes.size());
  return bytes;
}

shard::TopicBatch topic_batch(std::size_t value_bytes) {
  const std::string value(value_bytes, 'x');
  proto::BatchBuilder builder;
  builder.add(
      proto::RecordInput{.key = std::nullopt, .value = value, .headers = {}, .timestamp = 1});
  std::string batch = builder.finish({}, proto::Compression::kNone);
  proto::poke_offset_and_epoch(batch, 500, 0);
  return shard::TopicBatch{.alias = 3,
                           .partition = 1,
                           .batch = proto::SharedBytes(std::move(batch)),
                           .next_offset = 501,
                           .high_watermark = 900};
}

std::vector<std::pair<proto::FrameType, std::string>> frames_of(std::string_view bytes) {
  std::vector<std::pair<proto::FrameType, std::string>> frames;
  proto::FrameReader reader(proto::kMaxFrameBytes);
  while (!bytes.empty()) {
    const std::span<char> room = reader.prepare();
    const std::size_t part = std::min(room.size(), bytes.size());
    bytes.copy(room.data(), part);
    bytes.remove_prefix(part);
    reader.commit(part);
    while (const auto frame = reader.next().value()) {
      frames.emplace_back(frame->type, std::string(frame->body));
    }
  }
  return frames;
}

TEST(Outbox, CutsATopicBatchIntoPiecesAndMovesOnWithTheLast) {
  Outbox outbox;
  const shard::TopicBatch batch = topic_batch(600'000);
  outbox.add_topic_batch(batch);
  std::string bytes;
  while (!outbox.empty()) {
    bytes += write_some(outbox, 1'000'000);
  }
  const auto frames = frames_of(bytes);
  ASSERT_EQ(frames.size(), 3U);
  std::string joined;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_LE(frames[i].second.size(), proto::kMaxPieceBytes);
    const proto::Records records = proto::decode_records(frames[i].second).value();
    EXPECT_EQ(records.alias, 3U);
    EXPECT_EQ(records.partition, 1U);
    EXPECT_EQ(records.high_watermark, 900);
    EXPECT_EQ(records.next_offset, i + 1 == frames.size() ? 501 : 500);
    joined += records.bytes;
  }
  EXPECT_EQ(joined, batch.batch.view());
}

TEST(Outbox, WritesControlBeforeBulkThatWaited) {
  Outbox outbox;
  outbox.add_topic_batch(topic_batch(600'000));
  proto::encode_frame(proto::FrameType::kPong, {}, outbox.control());
  std::string bytes = write_some(outbox, 1'000'000);
  EXPECT_LE(bytes.size(), proto::kMaxPieceBytes + 5);
  proto::encode_frame(proto::FrameType::kPing, {}, outbox.control());
  while (!outbox.empty()) {
    bytes += write_some(outbox, 1'000'000);
  }
  const auto frames = frames_of(bytes);
  ASSERT_EQ(frames.size(), 5U);
  EXPECT_EQ(frames[0].first, proto::FrameType::kPong);
  EXPECT_EQ(frames[1].first, proto::FrameType::kRecords);
  EXPECT_EQ(frames[2].first, proto::FrameType::kPing);
}

TEST(Outbox, KeepsFramesWholeHoweverWritesAreCut) {
  Outbox outbox;
  std::string bytes;
  for (int round = 0; round < 50; ++round) {
    outbox.add_topic_batch(topic_batch(100));
    proto::encode_frame(proto::FrameType::kPong, {}, outbox.control());
    bytes += write_some(outbox, 7);
  }
  while (!outbox.empty()) {
    bytes += write_some(outbox, 7);
  }
  EXPECT_EQ(frames_of(bytes).size(), 100U);
  EXPECT_EQ(outbox.bulk_bytes(), 0U);
}

TEST(Outbox, TellsHowMuchBulkItTakes) {
  Outbox outbox;
  EXPECT_EQ(outbox.bulk_room(), Outbox::kBulkRoom);
  outbox.add_topic_batch(topic_batch(600'000));
  EXPECT_EQ(outbox.bulk_room(), 0U);
  outbox.drop_bulk();
  EXPECT_EQ(outbox.bulk_room(), 0U);
  EXPECT_TRUE(outbox.empty());
}

TEST(Outbox, NoticesAPeerThatDoesNotReadAnswers) {
  Outbox outbox;
  outbox.control().assign(Outbox::kMaxControlBytes, 'x');
  EXPECT_FALSE(outbox.overflowed());
  (void)outbox.gather(64);
  outbox.control().push_back('x');
  EXPECT_TRUE(outbox.overflowed());
}

TEST(SendBudget, GivesLessAndGrowsNothingWhenItIsUsedUp) {
  SendBudget budget(3 * SendBudget::kFirstWindow);
  const std::uint32_t first = budget.open();
  EXPECT_EQ(first, SendBudget::kFirstWindow);
  const std::uint32_t grown = budget.grow(first);
  EXPECT_EQ(grown, 2 * SendBudget::kFirstWindow);
  EXPECT_EQ(budget.open(), SendBudget::kFirstWindow);
  EXPECT_EQ(budget.open(), SendBudget::kSmallWindow);
  EXPECT_EQ(budget.grow(grown), grown);
  budget.close(grown);
  EXPECT_EQ(budget.open(), SendBudget::kFirstWindow);
}

TEST(SendBudget, GrowsToTheLargestWindowAndNoFurther) {
  SendBudget budget(std::size_t{1} << 30);
  std::uint32_t window = budget.open();
  for (int i = 0; i < 10; ++i) {
    window = budget.grow(window);
  }
  EXPECT_EQ(window, SendBudget::kLargestWindow);
  EXPECT_EQ(budget.used_bytes(), SendBudget::kLargestWindow);
}

}  // namespace
}  // namespace weir::net
