#include "tests/unit/proto/golden_vectors.hpp"

#include "proto/batch/record_batch.hpp"
#include "tests/unit/proto/batch_samples.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace weir::proto {
namespace {

using test::golden_vectors;
using test::GoldenVector;
using test::sealed;
using test::with;

constexpr TimeMs kBaseTimestamp = 1'700'000'000'000;
constexpr std::uint16_t kTransactional = 0x10;

Compression codec_of(const GoldenVector& vector) {
  const std::vector<std::string> names = {"none", "gzip", "snappy", "lz4", "zstd"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == vector.codec) {
      return static_cast<Compression>(i);
    }
  }
  throw std::runtime_error("a codec without a number: " + vector.codec);
}

bool is_readable(const GoldenVector& vector) {
  return vector.codec != "gzip" && vector.codec != "snappy";
}

/// The n-th record of every vector.
void expect_content(const RecordView& record, int index) {
  static const std::vector<Header> kFirstHeaders = {{"h1", "x"}, {"h2", std::nullopt}};
  EXPECT_EQ(record.offset_delta, index);
  if (index == 0) {
    EXPECT_EQ(record.key, "k1");
    EXPECT_EQ(record.value, "v1");
    EXPECT_EQ(record.headers, kFirstHeaders);
    EXPECT_EQ(record.timestamp_delta, 0);
    return;
  }
  EXPECT_TRUE(record.headers.empty());
  if (index == 1) {
    EXPECT_EQ(record.key, std::nullopt);
    EXPECT_EQ(record.value, "v2");
    EXPECT_EQ(record.timestamp_delta, 5);
  } else if (index == 2) {
    EXPECT_EQ(record.key, "k3");
    EXPECT_EQ(record.value, std::nullopt);
    EXPECT_EQ(record.timestamp_delta, 1);
  } else {
    const std::string number = std::to_string(index);
    EXPECT_EQ(record.key, "key-" + number);
    EXPECT_EQ(record.value, "value-value-value-" + number);
    EXPECT_EQ(record.timestamp_delta, index);
  }
}

TEST(GoldenVectors, HaveHeadersAndChecksumsThatFit) {
  const std::vector<GoldenVector> vectors = golden_vectors();
  EXPECT_EQ(vectors.size(), 10U);
  for (const GoldenVector& vector : vectors) {
    SCOPED_TRACE(vector.codec);
    const Result<BatchHeader> header = parse_batch_header(vector.bytes);
    ASSERT_TRUE(header);
    EXPECT_TRUE(check_batch_crc(vector.bytes, *header));
    EXPECT_EQ(header->base_offset, 0);
    EXPECT_EQ(header->leader_epoch, 0);
    EXPECT_EQ(header->total_bytes(), vector.bytes.size());
    EXPECT_EQ(header->compression(), codec_of(vector));
    EXPECT_EQ(header->record_count, vector.records);
    EXPECT_EQ(header->last_offset_delta, vector.records - 1);
    EXPECT_EQ(header->base_timestamp, kBaseTimestamp);
    EXPECT_EQ(header->max_timestamp, kBaseTimestamp + (vector.records == 3 ? 5 : 59));
    EXPECT_EQ(header->producer_id, vector.producer[0]);
    EXPECT_EQ(header->producer_epoch, vector.producer[1]);
    EXPECT_EQ(header->base_sequence, vector.producer[2]);
    EXPECT_EQ(header->transactional(), vector.producer[0] >= 0);
    EXPECT_FALSE(header->control());
    EXPECT_FALSE(header->log_append_time());
  }
}

TEST(GoldenVectors, HoldTheSameRecordsInEveryCodecWeRead) {
  for (const GoldenVector& vector : golden_vectors()) {
    SCOPED_TRACE(vector.codec);
    const Result<BatchHeader> header = parse_batch_header(vector.bytes);
    ASSERT_TRUE(header);
    std::string scratch;
    const Result<std::string_view> records =
        batch_records(vector.bytes, *header, 1'000'000, scratch);
    if (!is_readable(vector)) {
      ASSERT_FALSE(records);
      EXPECT_EQ(records.error().code, Errc::kUnsupported);
      continue;
    }
    ASSERT_TRUE(records);
    int index = 0;
    EXPECT_TRUE(for_each_record(*records, header->record_count, [&](const RecordView& record) {
      expect_content(record, index++);
    }));
    EXPECT_EQ(index, vector.records);
  }
}

TEST(GoldenVectors, AreTakenFromProducersWhereWeCanReadThem) {
  for (const GoldenVector& vector : golden_vectors()) {
    SCOPED_TRACE(vector.codec);
    const Result<BatchHeader> header = parse_batch_header(vector.bytes);
    ASSERT_TRUE(header);
    std::string bytes = vector.bytes;
    if (header->transactional()) {
      EXPECT_EQ(validate_batch(bytes, BatchUse::kTopic).error().code, Errc::kUnsupported);
      bytes = sealed(with<std::uint16_t>(bytes, 21, header->attributes & ~kTransactional));
    }
    const Result<BatchColumns> topic = validate_batch(bytes, BatchUse::kTopic);
    const Result<BatchColumns> queue = validate_batch(bytes, BatchUse::kQueue);
    if (!is_readable(vector)) {
      EXPECT_EQ(topic.error().code, Errc::kUnsupported);
      EXPECT_EQ(queue.error().code, Errc::kUnsupported);
      continue;
    }
    ASSERT_TRUE(topic);
    EXPECT_EQ(topic->count(), static_cast<std::uint32_t>(vector.records));
    if (vector.codec == "none") {
      EXPECT_EQ(topic->records.size(), topic->count());
      ASSERT_TRUE(queue);
      EXPECT_EQ(queue->records.size(), topic->count());
    } else {
      EXPECT_TRUE(topic->records.empty());
      EXPECT_EQ(queue.error().code, Errc::kInvalidArgument);
    }
  }
}

TEST(GoldenVectors, AreWhatTheBuilderMakesByteForByte) {
  int compared = 0;
  for (const GoldenVector& vector : golden_vectors()) {
    if (vector.codec != "none") {
      continue;
    }
    const std::vector<Header> headers = {{"h1", "x"}, {"h2", std::nullopt}};
    std::vector<RecordInput> inputs(3);
    inputs[0].key = "k1";
    inputs[0].value = "v1";
    inputs[0].headers = headers;
    inputs[0].timestamp = kBaseTimestamp;
    inputs[1].value = "v2";
    inputs[1].timestamp = kBaseTimestamp + 5;
    inputs[2].key = "k3";
    inputs[2].timestamp = kBaseTimestamp + 1;
    BatchBuilder builder;
    for (const RecordInput& input : inputs) {
      builder.add(input);
    }
    BatchBuilder::Producer producer;
    producer.id = vector.producer[0];
    producer.epoch = static_cast<std::int16_t>(vector.producer[1]);
    producer.base_sequence = static_cast<std::int32_t>(vector.producer[2]);
    std::string built = builder.finish(producer, Compression::kNone);
    if (producer.id >= 0) {
      // Batches of a transaction are not the builder's to make; the rest of the bytes is.
      built = sealed(with<std::uint16_t>(built, 21, kTransactional));
    }
    EXPECT_EQ(built, vector.bytes);
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

}  // namespace
}  // namespace weir::proto
