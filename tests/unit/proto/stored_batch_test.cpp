#include "proto/batch/stored_batch.hpp"

#include "proto/batch/record_batch.hpp"
#include "tests/unit/proto/batch_samples.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::proto {
namespace {

constexpr StoredHeader kHeader{StoredKind::kRebuilt, 1'700'000'000'123, 41};

std::string stored_sample() {
  BatchBuilder builder(kStoredHeaderBytes);
  for (int i = 0; i < 3; ++i) {
    RecordInput record;
    record.value = "value";
    builder.add(record);
  }
  std::string stored = builder.finish({}, Compression::kNone);
  poke_offset_and_epoch(std::span(stored).subspan(kStoredHeaderBytes), 42, 1);
  write_stored_header(stored, kHeader);
  return stored;
}

TEST(StoredBatch, ReadsBackWhatWasWritten) {
  const std::string stored = stored_sample();
  const Result<StoredBatchView> view = parse_stored_batch(stored, true);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->header.kind, kHeader.kind);
  EXPECT_EQ(view->header.append_time, kHeader.append_time);
  EXPECT_EQ(view->header.prev_last_offset, kHeader.prev_last_offset);
  EXPECT_EQ(view->batch, std::string_view(stored).substr(kStoredHeaderBytes));
  EXPECT_EQ(parse_batch_header(view->batch)->base_offset, 42);
}

TEST(StoredBatch, KeepsTheLayoutOfFormatOne) {
  const std::string stored = stored_sample();
  const char* at = stored.data();
  EXPECT_EQ(at[0], 1);
  EXPECT_EQ(at[1], 2);
  EXPECT_EQ(load_le<std::uint16_t>(at + 2), 0);
  EXPECT_EQ(load_le<std::uint32_t>(at + 4), stored.size() - 32);
  EXPECT_EQ(load_le<std::int64_t>(at + 8), 1'700'000'000'123);
  EXPECT_EQ(load_le<std::int64_t>(at + 16), 41);
  EXPECT_EQ(load_le<std::uint32_t>(at + 24), 0U);
  EXPECT_EQ(load_le<std::uint32_t>(at + 28),
            crc32c(0, stored.substr(0, 28) + stored.substr(32, kBatchHeaderBytes)));
}

TEST(StoredBatch, SeesEveryFlippedBit) {
  const std::string stored = stored_sample();
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    std::string damaged = stored;
    damaged[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1U << (bit % 8)));
    const Result<StoredBatchView> checked = parse_stored_batch(damaged, true);
    ASSERT_FALSE(checked) << bit;
    ASSERT_EQ(checked.error().code, Errc::kCorruptBatch) << bit;
    const bool in_headers = bit / 8 < kStoredHeaderBytes + kBatchHeaderBytes;
    ASSERT_EQ(parse_stored_batch(damaged, false).has_value(), !in_headers) << bit;
  }
}

TEST(StoredBatch, SeesEveryOtherLength) {
  const std::string stored = stored_sample();
  for (std::size_t size = 0; size < stored.size(); ++size) {
    ASSERT_EQ(parse_stored_batch(stored.substr(0, size), false).error().code, Errc::kCorruptBatch)
        << size;
  }
  EXPECT_EQ(parse_stored_batch(stored + "x", false).error().code, Errc::kCorruptBatch);
}

TEST(StoredBatch, RefusesWhatAnotherVersionWrote) {
  const auto with_checksum = [](std::string stored) {
    store_le<std::uint32_t>(stored.data() + 28,
                            crc32c(0, stored.substr(0, 28) + stored.substr(32, kBatchHeaderBytes)));
    return stored;
  };
  for (const std::size_t at : {0UL, 1UL, 2UL, 24UL}) {
    std::string other = stored_sample();
    other[at] = 9;
    EXPECT_EQ(parse_stored_batch(with_checksum(other), false).error().code, Errc::kCorruptBatch)
        << at;
  }
  EXPECT_TRUE(parse_stored_batch(with_checksum(stored_sample()), true));
}

}  // namespace
}  // namespace weir::proto
