#include "storage/commit_chain.hpp"
#include "storage/rocks/log_records.hpp"
#include "storage/rocks/prefilled_wal.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/unit/storage/crash_image.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

// What a log may look like that was written into zeros (prefilled_wal.hpp) when the machine stops:
// the scan and RocksDB itself must agree on where it ends.
namespace weir::storage {
namespace {

// A start on a copy of an image, whose log has other bytes.
struct Start {
  Start(const CrashImage& image, const std::filesystem::path& log, std::string_view bytes)
      : path(directory.path() / "db") {
    std::filesystem::copy(image.path(), path, std::filesystem::copy_options::recursive);
    write_file(path / log.filename(), bytes);
    auto opened = open_rocks_store({.path = path.string()});
    if (!opened) {
      refusal = opened.error().message;
      return;
    }
    store = std::move(*opened);
    last = read_commit_point(*store->snapshot()).value().index.value;
    rows = rows_of(*store, Family::kLog).size();
  }

  [[nodiscard]] bool is_torn() const { return store->recovered_wal().torn_end.has_value(); }

  TempDir directory;
  std::filesystem::path path;
  std::string refusal;
  std::unique_ptr<RocksStore> store;
  std::uint64_t last = 0;  // commit; each has one row in the log
  std::size_t rows = 0;
};

std::string zeros(std::size_t count) {
  return std::string(count, '\0');
}

TEST(WalTail, ZerosOfAnyLengthAreACleanEnd) {
  const std::uint64_t some_end = read_file(CrashImage(1, 20'000).logs().back()).size();
  ASSERT_LT(some_end, kLogBlockBytes);
  // The record ends within a block, where just a header fits, where none fits, at its end.
  for (const std::size_t left : {std::size_t{5000}, std::size_t{8}, std::size_t{7}, std::size_t{6},
                                 std::size_t{1}, std::size_t{0}}) {
    const CrashImage image(1, 20'000 + kLogBlockBytes - some_end - left);
    const std::filesystem::path log = image.logs().back();
    const std::string bytes = read_file(log);
    ASSERT_EQ(bytes.size(), kLogBlockBytes - left);
    for (const std::size_t tail :
         {std::size_t{1}, std::size_t{6}, std::size_t{7}, std::size_t{8}, left, left + 3,
          left + kLogBlockBytes, left + 3 * kLogBlockBytes, 3 * kLogBlockBytes}) {
      const Start start(image, log, bytes + zeros(tail));
      ASSERT_EQ(start.refusal, "") << left << " left, " << tail << " zeros";
      EXPECT_FALSE(start.is_torn()) << left << " left, " << tail << " zeros";
      EXPECT_EQ(start.last, 1U);
      EXPECT_EQ(start.rows, 1U);
    }
  }
}

TEST(WalTail, WhatIsKilledAmongSmallCommitsEndsInZeros) {
  const CrashImage image(100, 100);
  const std::string bytes = read_file(image.logs().back());
  EXPECT_EQ(bytes.back(), '\0');
  EXPECT_GE(bytes.size(), kPrefillBytes);
  const Start start(image, image.logs().back(), bytes);
  EXPECT_FALSE(start.is_torn());
  EXPECT_EQ(start.last, 100U);
  EXPECT_EQ(start.store->recovered_wal().readable_records, 100U);
}

struct TornBeforeZeros : testing::Test {
  // The last record goes over four blocks.
  CrashImage image{4, 100'000};
  std::filesystem::path log = image.logs().back();
  std::string whole = read_file(log);
  std::size_t last_record = 0;  // where it begins

  void SetUp() override {
    const CrashImage without(3, 100'000);
    last_record = std::filesystem::file_size(without.logs().back());
    ASSERT_GT(whole.size(), last_record + 3 * kLogBlockBytes);
  }

  void expect_three(std::string_view bytes, std::string_view what) const {
    const Start start(image, log, bytes);
    ASSERT_EQ(start.refusal, "") << what;
    EXPECT_EQ(start.last, 3U) << what;
    EXPECT_EQ(start.rows, 3U) << what;
  }
};

TEST_F(TornBeforeZeros, AnywhereCutIsDropped) {
  for (std::size_t cut = last_record; cut < last_record + 32; ++cut) {
    expect_three(whole.substr(0, cut) + zeros(100'000), "in or behind its header");
  }
  for (std::size_t cut = last_record + 32; cut < whole.size(); cut += 7919) {
    expect_three(whole.substr(0, cut) + zeros(100'000), "in its fragments");
  }
  // The commit row at its end has zeros itself, as its last byte for one.
  expect_three(whole.substr(0, whole.size() - 32) + zeros(32), "its last bytes");
}

TEST_F(TornBeforeZeros, AnyPartMissingIsDropped) {
  // Before the sync pages reach the disk in any order, the last one first if it so happens.
  for (std::size_t begin = last_record; begin < whole.size(); begin += 4096) {
    for (const std::size_t length : {std::size_t{4096}, kLogBlockBytes}) {
      const std::size_t gap = std::min(length, whole.size() - begin);
      std::string bytes = whole + zeros(50'000);
      bytes.replace(begin, gap, gap, '\0');
      expect_three(bytes, std::to_string(gap) + " bytes");
    }
  }
}

TEST_F(TornBeforeZeros, ANewerLogGoesOnBehindIt) {
  const std::string torn = whole.substr(0, whole.size() - 40'000) + zeros(100'000);
  const std::filesystem::path newer = [&] {
    const Start first(image, log, torn);
    EXPECT_TRUE(first.is_torn());
    EXPECT_TRUE(commit(*first.store, a_change().put("later", "1")));
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(first.path)) {
      if (entry.path().extension() == ".log" && entry.path().filename() > log.filename()) {
        found = entry.path().filename();
        write_file(image.path() / found, read_file(entry.path()) + zeros(10'000));
      }
    }
    return found;
  }();
  ASSERT_FALSE(newer.empty());
  const Start second(image, log, torn);
  ASSERT_EQ(second.refusal, "");
  EXPECT_FALSE(second.is_torn());
  EXPECT_EQ(second.last, 3U);
  EXPECT_EQ(rows_of(*second.store).at("later"), "1");
}

TEST_F(TornBeforeZeros, ARecordBehindAGapShowsThatItIsDamage) {
  // The third record lost a part and the fourth is whole: it began after the third was synced.
  const CrashImage two(2, 100'000);
  const std::size_t third = std::filesystem::file_size(two.logs().back());
  for (std::size_t begin = third; begin < last_record; begin += 20'000) {
    std::string bytes = whole + zeros(100'000);
    const std::size_t gap = std::min(std::size_t{8192}, last_record - begin);
    bytes.replace(begin, gap, gap, '\0');
    const Start start(image, log, bytes);
    EXPECT_NE(start.refusal.find("write-ahead log is damaged"), std::string::npos) << begin;
  }
  // The same when nothing is left of it.
  std::string bytes = whole;
  bytes.replace(third, last_record - third, last_record - third, '\0');
  EXPECT_NE(Start(image, log, bytes).refusal.find("write-ahead log is damaged"), std::string::npos);
}

TEST(WalTail, ZerosBeforeANewerLogAreACleanEnd) {
  const CrashImage image(120, 20'000, std::size_t{2} << 20);
  ASSERT_GE(image.logs().size(), 2U);
  const std::filesystem::path first = image.logs().front();
  for (const std::size_t tail : {std::size_t{1}, std::size_t{7}, kLogBlockBytes, kPrefillBytes}) {
    const Start start(image, first, read_file(first) + zeros(tail));
    ASSERT_EQ(start.refusal, "") << tail;
    EXPECT_FALSE(start.is_torn());
    EXPECT_EQ(start.last, 120U);
    EXPECT_EQ(start.rows, 120U);
  }
  const std::string cut = read_file(first).substr(0, read_file(first).size() - 100);
  EXPECT_NE(Start(image, first, cut + zeros(100'000)).refusal, "");
}

}  // namespace
}  // namespace weir::storage
