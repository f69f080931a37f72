#include "storage/commit_chain.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "storage/rocks/wal_scan.hpp"
#include "tests/unit/storage/crash_image.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

// Directories that a real database left, damaged in the ways that disks and people damage them.
namespace weir::storage {
namespace {

TEST(WalDamage, AKilledDatabaseIsWhole) {
  const CrashImage image(100, 20'000);
  const WalReport report = scan_wal(image.path().string()).value();
  EXPECT_FALSE(report.damage);
  EXPECT_FALSE(report.torn_end);
  EXPECT_EQ(report.readable_records, 100U);
  EXPECT_EQ(report.last_readable, image.last());
  EXPECT_EQ(image.recovered(), image.last());
  EXPECT_EQ(image.refusal_by_mark(), "");
}

TEST(WalDamage, AFlippedByteInTheMiddleIsRefusedAndNothingTouched) {
  const CrashImage image(100, 20'000);
  const std::size_t size = std::filesystem::file_size(image.logs().back());
  flip_byte(image.logs().back(), size / 2);
  const auto before = files_in(image.path());
  const auto opened = image.open();
  ASSERT_FALSE(opened);
  const std::string& message = opened.error().message;
  EXPECT_NE(message.find("write-ahead log is damaged"), std::string::npos) << message;
  EXPECT_NE(message.find(image.logs().back().string()), std::string::npos) << message;
  EXPECT_NE(message.find("up to commit 100. Readable before it are 50 records, up to commit 50"),
            std::string::npos)
      << message;
  EXPECT_EQ(files_in(image.path()), before);
}

TEST(WalDamage, AcceptedDamageKeepsWhatLiesBeforeItAndACopyOfTheRest) {
  const CrashImage image(100, 20'000);
  const std::filesystem::path log = image.logs().back();
  flip_byte(log, std::filesystem::file_size(log) / 2);
  const std::string damaged = read_file(log);
  const auto store = image.open(/*accept_damage=*/true).value();
  EXPECT_EQ(read_commit_point(*store->snapshot()).value().index.value, 50U);
  EXPECT_EQ(rows_of(*store).size(), 51U);
  EXPECT_EQ(read_file(log.string() + ".damaged"), damaged);
}

TEST(WalDamage, AZeroedStretchThatRocksDbWouldPassOverIsRefused) {
  const CrashImage image(400, 1000);
  const std::filesystem::path log = image.logs().back();
  std::string bytes = read_file(log);
  bytes.replace(3 * 32768, 32768, 32768, '\0');
  write_file(log, bytes);
  EXPECT_FALSE(image.open());
  // And when it is accepted, there is no hole: what is left is a beginning of the history.
  const auto store = image.open(/*accept_damage=*/true).value();
  const std::uint64_t last = read_commit_point(*store->snapshot()).value().index.value;
  EXPECT_LT(last, 100U);
  EXPECT_EQ(rows_of(*store).size(), last + 1);
  EXPECT_TRUE(rows_of(*store).contains(key_of(last)));
}

TEST(WalDamage, ATornEndIsDroppedAndNoCommitBeforeIt) {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{5000}, std::size_t{20'000}}) {
    const CrashImage image(20, 20'000);
    const std::filesystem::path log = image.logs().back();
    std::filesystem::resize_file(log, std::filesystem::file_size(log) - cut);
    const auto store = image.open().value();
    EXPECT_TRUE(store->recovered_wal().torn_end);
    EXPECT_EQ(read_commit_point(*store->snapshot()).value().index.value, 19U);
  }
}

TEST(WalDamage, AZeroedEndIsDroppedAndNoCommitBeforeIt) {
  const CrashImage image(20, 20'000);
  const std::filesystem::path log = image.logs().back();
  const std::uintmax_t size = std::filesystem::file_size(log);
  std::filesystem::resize_file(log, size - 10'000);
  std::filesystem::resize_file(log, size + 100'000);
  EXPECT_EQ(image.recovered().index.value, 19U);
}

TEST(WalDamage, GoesOnAfterATornEndAndStartsAgain) {
  const CrashImage image(20, 20'000);
  const std::filesystem::path log = image.logs().back();
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 1);
  {
    const auto store = image.open().value();
    ASSERT_TRUE(commit(*store, a_change().put("later", "1")));
  }
  const auto store = image.open().value();
  EXPECT_FALSE(store->recovered_wal().torn_end);
  EXPECT_EQ(rows_of(*store).at("later"), "1");
}

TEST(WalDamage, ACutLogIsNoticedByTheMark) {
  const CrashImage image(20, 20'000);
  const std::filesystem::path log = image.logs().back();
  std::filesystem::resize_file(log, std::filesystem::file_size(log) / 2);
  EXPECT_NE(image.refusal_by_mark().find("but commit 20 was already durable"), std::string::npos);
}

TEST(WalDamage, ALostLogIsNoticedByTheMark) {
  const CrashImage image(20, 20'000);
  std::filesystem::remove(image.logs().back());
  EXPECT_NE(image.refusal_by_mark().find("data loss"), std::string::npos);
}

// Small buffers, so that flushes leave several logs: the rows of state in them are not flushed yet.
struct ManyLogs : testing::Test {
  CrashImage image{120, 20'000, std::size_t{2} << 20};

  void SetUp() override { ASSERT_GE(image.logs().size(), 2U); }
};

TEST_F(ManyLogs, AreWhole) {
  const WalReport report = scan_wal(image.path().string()).value();
  EXPECT_FALSE(report.damage) << describe_damage(report);
  EXPECT_EQ(report.files, image.logs().size());
  EXPECT_EQ(image.recovered(), image.last());
  EXPECT_EQ(rows_of(*image.open().value()).size(), 121U);
}

TEST_F(ManyLogs, DamageInTheFirstIsRefused) {
  flip_byte(image.logs().front(), 100);
  EXPECT_FALSE(image.open());
}

TEST_F(ManyLogs, TheFirstCutShortIsRefused) {
  std::filesystem::resize_file(image.logs().front(),
                               std::filesystem::file_size(image.logs().front()) - 1);
  EXPECT_FALSE(image.open());
}

TEST_F(ManyLogs, TheFirstMissingIsRefused) {
  std::filesystem::remove(image.logs().front());
  EXPECT_FALSE(image.open());
}

TEST_F(ManyLogs, TheLastMissingIsNoticedByTheMark) {
  std::filesystem::remove(image.logs().back());
  EXPECT_NE(image.refusal_by_mark().find("data loss"), std::string::npos);
}

}  // namespace
}  // namespace weir::storage
