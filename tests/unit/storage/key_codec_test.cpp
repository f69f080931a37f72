#include "storage/key_codec.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

namespace weir::storage {
namespace {

constexpr std::int64_t kMaxSigned = std::numeric_limits<std::int64_t>::max();

// Numbers at which a codec breaks if it does: ends of the range and both sides of each byte.
const std::vector<std::uint64_t>& edge_numbers() {
  static const std::vector<std::uint64_t> numbers = [] {
    std::vector<std::uint64_t> list = {0, 1, 2};
    for (unsigned bits = 7; bits < 64; bits += 8) {
      for (const unsigned shift : {bits, bits + 1}) {
        if (shift < 64) {
          const std::uint64_t power = std::uint64_t{1} << shift;
          list.insert(list.end(), {power - 1, power, power + 1});
        }
      }
    }
    list.push_back(std::numeric_limits<std::uint64_t>::max());
    return list;
  }();
  return numbers;
}

std::vector<std::int64_t> edge_offsets() {
  std::vector<std::int64_t> list;
  for (const std::uint64_t number : edge_numbers()) {
    if (number <= static_cast<std::uint64_t>(kMaxSigned)) {
      list.push_back(static_cast<std::int64_t>(number));
    }
  }
  list.push_back(kMaxSigned);
  return list;
}

const std::array<std::uint32_t, 5> kGenerations = {0, 1, 255, 256,
                                                   std::numeric_limits<std::uint32_t>::max()};

TEST(KeyCodec, ObjectKeysRoundTrip) {
  for (const KeyKind kind : {KeyKind::kNamespace, KeyKind::kQueue, KeyKind::kTopic,
                             KeyKind::kQueueState, KeyKind::kPartitionState, KeyKind::kProducer}) {
    for (const std::uint64_t id : edge_numbers()) {
      EXPECT_EQ(parse_object_key(kind, object_key(kind, id)), id);
    }
  }
}

TEST(KeyCodec, BatchKeysRoundTripAndSortAsTheirNumbers) {
  std::vector<std::tuple<std::uint64_t, std::uint32_t, std::int64_t, std::string>> rows;
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{256},
                                 std::numeric_limits<std::uint64_t>::max()}) {
    for (const std::uint32_t generation : kGenerations) {
      for (const std::int64_t offset : edge_offsets()) {
        std::string key = batch_key(KeyKind::kTouchedBatch, id, generation, offset).to_string();
        const auto parsed = parse_batch_key(KeyKind::kTouchedBatch, key);
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->id, id);
        EXPECT_EQ(parsed->generation, generation);
        EXPECT_EQ(parsed->last_offset, offset);
        rows.emplace_back(id, generation, offset, std::move(key));
      }
    }
  }
  for (const auto& left : rows) {
    for (const auto& right : rows) {
      const auto& [left_id, left_generation, left_offset, left_key] = left;
      const auto& [right_id, right_generation, right_offset, right_key] = right;
      ASSERT_EQ(std::tie(left_id, left_generation, left_offset) <
                    std::tie(right_id, right_generation, right_offset),
                left_key < right_key);
    }
  }
}

TEST(KeyCodec, TimedBatchKeysRoundTripAndSortByTimeThenOffset) {
  std::string last;
  for (const std::int64_t when :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'700'000'000'000}, kMaxSigned}) {
    for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{300}, kMaxSigned}) {
      const std::string key = timed_batch_key(KeyKind::kTimeIndex, 7, 3, when, offset).to_string();
      const auto parsed = parse_timed_batch_key(KeyKind::kTimeIndex, key);
      ASSERT_TRUE(parsed);
      EXPECT_EQ(parsed->id, 7U);
      EXPECT_EQ(parsed->generation, 3U);
      EXPECT_EQ(parsed->when, when);
      EXPECT_EQ(parsed->last_offset, offset);
      EXPECT_LT(last, key);
      last = key;
    }
  }
}

TEST(KeyCodec, ProducerWindowKeysRoundTrip) {
  const std::string key =
      producer_window_key(proto::ProducerId(0xff00), proto::LogId(9)).to_string();
  const auto parsed = parse_producer_window_key(key);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->producer, proto::ProducerId(0xff00));
  EXPECT_EQ(parsed->log, proto::LogId(9));
}

TEST(KeyCodec, ABoundFromANegativeOffsetSortsBeforeEveryRow) {
  EXPECT_EQ(batch_key(KeyKind::kBatch, 1, 0, -1), batch_key(KeyKind::kBatch, 1, 0, 0));
  EXPECT_EQ(timed_batch_key(KeyKind::kTimeIndex, 1, 0, -5, -1),
            timed_batch_key(KeyKind::kTimeIndex, 1, 0, 0, 0));
}

TEST(KeyCodec, WritesTheBytesThatTheFormatPromises) {
  EXPECT_EQ(batch_key(KeyKind::kBatch, 0x0102030405060708, 0x0a0b0c0d, 0x1112131415161718),
            std::string("\x01\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b\x0c\x0d"
                        "\x11\x12\x13\x14\x15\x16\x17\x18",
                        21));
  EXPECT_EQ(meta_key(MetaRow::kCommit), std::string("\x01\x02", 2));
  EXPECT_EQ(object_key(KeyKind::kQueue, 5), std::string("\x11\0\0\0\0\0\0\0\x05", 9));
}

TEST(KeyCodec, PrefixesBoundExactlyTheirKeys) {
  for (const std::uint64_t id : edge_numbers()) {
    for (const std::uint32_t generation : kGenerations) {
      const std::string prefix = generation_prefix(KeyKind::kTouchedBatch, id, generation);
      const std::string end = prefix_end(prefix);
      for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{77}, kMaxSigned}) {
        const std::string key =
            batch_key(KeyKind::kTouchedBatch, id, generation, offset).to_string();
        EXPECT_TRUE(key.starts_with(object_prefix(KeyKind::kTouchedBatch, id)));
        EXPECT_TRUE(key.starts_with(kind_prefix(KeyKind::kTouchedBatch)));
        EXPECT_LE(prefix, key);
        EXPECT_LT(key, end);
      }
      if (generation < std::numeric_limits<std::uint32_t>::max()) {
        EXPECT_LE(end, batch_key(KeyKind::kTouchedBatch, id, generation + 1, 0));
      }
    }
  }
}

TEST(KeyCodec, PrefixEndCarriesOverBytesOf255) {
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end(std::string("a\xff\xff", 3)), "b");
  EXPECT_EQ(prefix_end(std::string("\xff\xff", 2)), "");
}

TEST(KeyCodec, RefusesOtherKindsLengthsAndNumbers) {
  const std::string key = batch_key(KeyKind::kTouchedBatch, 1, 2, 3).to_string();
  EXPECT_FALSE(parse_batch_key(KeyKind::kBatch, key));
  EXPECT_FALSE(parse_batch_key(KeyKind::kTouchedBatch, key + "x"));
  EXPECT_FALSE(parse_batch_key(KeyKind::kTouchedBatch, ""));
  EXPECT_FALSE(parse_object_key(KeyKind::kQueue, key));
  EXPECT_FALSE(parse_timed_batch_key(KeyKind::kTouchedBatch, key));
  EXPECT_FALSE(parse_producer_window_key(key));
  std::string negative = key;
  negative[13] = '\xff';
  EXPECT_FALSE(parse_batch_key(KeyKind::kTouchedBatch, negative));
}

}  // namespace
}  // namespace weir::storage
