#include "proto/batch/record_batch.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace weir::proto {
namespace {

struct OwnedRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  TimeMs timestamp = 0;
};

std::string random_text(std::mt19937_64& random, std::size_t size_max) {
  std::string text(random() % (size_max + 1), '\0');
  for (char& byte : text) {
    byte = static_cast<char>(random() & 0xffU);
  }
  return text;
}

std::optional<std::string> random_field(std::mt19937_64& random, std::size_t size_max) {
  return random() % 4 == 0 ? std::nullopt : std::optional(random_text(random, size_max));
}

std::vector<OwnedRecord> random_records(std::mt19937_64& random, std::size_t count) {
  std::vector<OwnedRecord> records(count);
  for (OwnedRecord& record : records) {
    record.key = random_field(random, 20);
    record.value = random_field(random, random() % 20 == 0 ? 20'000 : 200);
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      record.headers.emplace_back(random_text(random, 10), random_field(random, 100));
    }
    record.timestamp = 1'700'000'000'000 + static_cast<TimeMs>(random() % 100'000) - 50'000;
  }
  return records;
}

/// Views of a record and of its headers.
class Input {
 public:
  explicit Input(const OwnedRecord& record) {
    for (const auto& [key, value] : record.headers) {
      headers_.push_back(Header{key, value});
    }
    input_.key = record.key;
    input_.value = record.value;
    input_.headers = headers_;
    input_.timestamp = record.timestamp;
  }
  [[nodiscard]] const RecordInput& get() const { return input_; }

 private:
  std::vector<Header> headers_;
  RecordInput input_;
};

void expect_same(std::string_view batch, const std::vector<OwnedRecord>& records) {
  const Result<BatchHeader> header = parse_batch_header(batch);
  ASSERT_TRUE(header);
  EXPECT_TRUE(check_batch_crc(batch, *header));
  std::string scratch;
  const Result<std::string_view> bytes = batch_records(batch, *header, 10'000'000, scratch);
  ASSERT_TRUE(bytes);
  std::size_t index = 0;
  const Result<> walked =
      for_each_record(*bytes, header->record_count, [&](const RecordView& record) {
        const Input expected(records.at(index));
        EXPECT_EQ(record.offset_delta, static_cast<std::int32_t>(index));
        EXPECT_EQ(timestamp_of(header->base_timestamp, record), expected.get().timestamp);
        EXPECT_EQ(record.key, expected.get().key);
        EXPECT_EQ(record.value, expected.get().value);
        EXPECT_TRUE(std::equal(record.headers.begin(), record.headers.end(),
                               expected.get().headers.begin(), expected.get().headers.end()));
        ++index;
      });
  EXPECT_TRUE(walked);
  EXPECT_EQ(index, records.size());
}

TEST(BatchBuilder, TakesAnyTimeThatAProducerClaims) {
  constexpr TimeMs kFirst = std::numeric_limits<TimeMs>::min();
  constexpr TimeMs kLast = std::numeric_limits<TimeMs>::max();
  std::vector<OwnedRecord> records(4);
  records[0].timestamp = kLast;
  records[1].timestamp = kFirst;
  records[2].timestamp = -1;
  records[3].timestamp = kLast;
  BatchBuilder builder;
  for (const OwnedRecord& record : records) {
    builder.add(Input(record).get());
  }
  expect_same(builder.finish({}, Compression::kNone), records);
}

TEST(BatchBuilder, MakesWhatReadersReadBack) {
  std::mt19937_64 random(1);
  for (const Compression codec : {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    for (int round = 0; round < 30; ++round) {
      const std::vector<OwnedRecord> records = random_records(random, 1 + random() % 200);
      BatchBuilder builder;
      for (const OwnedRecord& record : records) {
        builder.add(Input(record).get());
      }
      expect_same(builder.finish({}, codec), records);
    }
  }
}

TEST(BatchBuilder, TellsTheSizeExactly) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 30; ++round) {
    BatchBuilder builder;
    EXPECT_EQ(builder.bytes(), kBatchHeaderBytes);
    EXPECT_TRUE(builder.empty());
    for (const OwnedRecord& record : random_records(random, 1 + random() % 200)) {
      const Input input(record);
      const std::size_t expected = builder.bytes() + builder.bytes_of(input.get());
      builder.add(input.get());
      ASSERT_EQ(builder.bytes(), expected);
    }
    const std::size_t expected = builder.bytes();
    EXPECT_EQ(builder.finish({}, Compression::kNone).size(), expected);
  }
}

TEST(BatchBuilder, WritesItsHeader) {
  BatchBuilder builder;
  for (const TimeMs timestamp : {5'000, 7'000, 1'000}) {
    RecordInput record;
    record.timestamp = timestamp;
    builder.add(record);
  }
  EXPECT_EQ(builder.count(), 3U);
  const std::string batch = builder.finish({4711, 3, 17}, Compression::kNone);
  const Result<BatchHeader> header = parse_batch_header(batch);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, 0);
  EXPECT_EQ(header->total_bytes(), batch.size());
  EXPECT_EQ(header->attributes, 0);
  EXPECT_EQ(header->last_offset_delta, 2);
  EXPECT_EQ(header->base_timestamp, 5'000);
  EXPECT_EQ(header->max_timestamp, 7'000);
  EXPECT_EQ(header->producer_id, 4711);
  EXPECT_EQ(header->producer_epoch, 3);
  EXPECT_EQ(header->base_sequence, 17);
  EXPECT_EQ(header->record_count, 3);
}

TEST(BatchBuilder, KeepsItsFrontFree) {
  for (const Compression codec : {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    BatchBuilder plain;
    BatchBuilder reserving(32);
    for (BatchBuilder* builder : {&plain, &reserving}) {
      for (int i = 0; i < 50; ++i) {
        RecordInput record;
        record.value = "the same again";
        builder->add(record);
      }
    }
    EXPECT_EQ(plain.bytes(), reserving.bytes());
    const std::string expected = plain.finish({}, codec);
    const std::string batch = reserving.finish({}, codec);
    EXPECT_EQ(batch.substr(0, 32), std::string(32, '\0'));
    EXPECT_EQ(batch.substr(32), expected);
  }
}

TEST(BatchBuilder, IsEmptyAfterItGaveTheBatchAway) {
  BatchBuilder builder(8);
  RecordInput record;
  record.value = "v";
  record.timestamp = 99;
  builder.add(record);
  const std::string first = builder.finish({}, Compression::kNone);
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.bytes(), kBatchHeaderBytes);
  builder.add(record);
  EXPECT_EQ(builder.finish({}, Compression::kNone), first);
}

TEST(BatchBuilder, StoresPlainWhatDoesNotShrink) {
  std::mt19937_64 random(3);
  const std::string noise = random_text(random, 1) + std::string(1, 'x') + random_text(random, 500);
  for (const Compression codec : {Compression::kLz4, Compression::kZstd}) {
    BatchBuilder builder;
    RecordInput record;
    record.value = noise;
    builder.add(record);
    const std::string batch = builder.finish({}, codec);
    EXPECT_EQ(parse_batch_header(batch)->compression(), Compression::kNone);

    const std::string even(1000, 'x');
    record.value = even;
    builder.add(record);
    const std::string small = builder.finish({}, codec);
    EXPECT_EQ(parse_batch_header(small)->compression(), codec);
    EXPECT_LT(small.size(), 200U);
  }
}

TEST(BatchBuilder, CarriesTheWidestTimestamps) {
  BatchBuilder builder;
  RecordInput record;
  record.timestamp = std::numeric_limits<TimeMs>::max();
  builder.add(record);
  record.timestamp = std::numeric_limits<TimeMs>::min();
  builder.add(record);
  EXPECT_EQ(builder.bytes_of(record), 7U) << "a delta of 1 after wrapping";
  const std::string batch = builder.finish({}, Compression::kNone);
  EXPECT_EQ(parse_batch_header(batch)->max_timestamp, std::numeric_limits<TimeMs>::max());
}

}  // namespace
}  // namespace weir::proto
