#include "storage/rocks/wal_scan.hpp"

#include "storage/rocks/manifest.hpp"
#include "tests/unit/storage/log_writer.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

// Files made by hand, for every rule of the scan. What a real database leaves is tested in
// wal_damage_test.cpp.
namespace weir::storage {
namespace {

struct WalScanTest : testing::Test {
  WalScanTest() { write_manifest(directory.path(), 4, 4); }

  void write_log(int number, std::string_view bytes) {
    write_file(directory.path() / ("00000" + std::to_string(number) + ".log"), bytes);
  }
  WalReport scan() { return scan_wal(directory.path().string()).value(); }

  TempDir directory;
};

// Records 1 to `count` of two operations each, with the offsets where they begin.
struct SomeRecords {
  explicit SomeRecords(std::uint64_t count, std::uint64_t first = 1, std::size_t bytes = 100) {
    for (std::uint64_t i = first; i < first + count; ++i) {
      offsets.push_back(log.add(wal_record(2 * i, 2, i, bytes)));
    }
  }
  LogWriter log;
  std::vector<std::size_t> offsets;
};

std::string flipped(std::string bytes, std::size_t position) {
  bytes.at(position) = static_cast<char>(bytes.at(position) ^ 0x20);
  return bytes;
}

TEST_F(WalScanTest, AWholeLogIsReadable) {
  const SomeRecords records(20, 1, 5000);
  write_log(4, records.log.bytes());
  const WalReport report = scan();
  EXPECT_FALSE(report.damage);
  EXPECT_FALSE(report.torn_end);
  EXPECT_EQ(report.files, 1U);
  EXPECT_EQ(report.bytes, records.log.bytes().size());
  EXPECT_EQ(report.readable_records, 20U);
  EXPECT_EQ(report.last_readable->index.value, 20U);
}

TEST_F(WalScanTest, EveryFlippedByteBeforeTheLastRecordIsDamage) {
  const SomeRecords records(4, 1, 300);
  for (std::size_t position = 0; position < records.offsets.back(); ++position) {
    write_log(4, flipped(records.log.bytes(), position));
    const WalReport report = scan();
    ASSERT_TRUE(report.damage) << "byte " << position;
    EXPECT_FALSE(report.torn_end);
    EXPECT_LE(report.damage->offset, position);
    EXPECT_GE(report.records_behind, 1U);
    EXPECT_EQ(report.last_behind->index.value, 4U);
  }
}

TEST_F(WalScanTest, EveryFlippedByteOfTheLastRecordIsATornEnd) {
  const SomeRecords records(4, 1, 300);
  for (std::size_t position = records.offsets.back(); position < records.log.bytes().size();
       ++position) {
    write_log(4, flipped(records.log.bytes(), position));
    const WalReport report = scan();
    ASSERT_FALSE(report.damage) << "byte " << position;
    ASSERT_TRUE(report.torn_end) << "byte " << position;
    EXPECT_EQ(report.torn_end->offset, records.offsets.back());
    EXPECT_EQ(report.readable_records, 3U);
  }
}

TEST_F(WalScanTest, ALogMayEndAnywhere) {
  const SomeRecords records(6, 1, 20'000);  // over several blocks
  const std::string& bytes = records.log.bytes();
  for (std::size_t size = 0; size < bytes.size(); size += 1009) {
    write_log(4, bytes.substr(0, size));
    const WalReport report = scan();
    ASSERT_FALSE(report.damage) << size << " bytes";
    // Zeros behind it are what a file looks like that was allocated ahead.
    write_log(4, bytes.substr(0, size) + std::string(100'000, '\0'));
    ASSERT_FALSE(scan().damage) << size << " bytes and zeros";
    EXPECT_EQ(scan().readable_records, report.readable_records);
  }
}

TEST_F(WalScanTest, GarbageBehindTheEndIsATornEnd) {
  const SomeRecords records(3);
  std::mt19937_64 random(1);
  std::string garbage(100'000, '\0');
  for (char& byte : garbage) {
    byte = static_cast<char>(random());
  }
  write_log(4, records.log.bytes() + garbage);
  const WalReport report = scan();
  EXPECT_FALSE(report.damage);
  EXPECT_EQ(report.torn_end->offset, records.log.bytes().size());
  EXPECT_EQ(report.readable_records, 3U);
}

TEST_F(WalScanTest, ATornRecordOfManyBlocksMayHaveItsPiecesInAnyOrder) {
  LogWriter log;
  log.add(wal_record(2, 2, 1));
  const std::size_t torn = log.add(wal_record(4, 2, 2, 300'000));
  // Blocks reach the disk in any order before the sync: zero each but the last few.
  for (std::size_t block = 0; block < 8; ++block) {
    std::string bytes = log.bytes();
    const std::size_t begin = std::max(torn, block * kLogBlockBytes);
    const std::size_t end = (block + 1) * kLogBlockBytes;
    bytes.replace(begin, end - begin, end - begin, '\0');
    write_log(4, bytes);
    EXPECT_FALSE(scan().damage) << "block " << block;
    EXPECT_EQ(scan().readable_records, 1U);
  }
}

TEST_F(WalScanTest, ABeginningBehindItProvesThatARecordWasSynced) {
  LogWriter log;
  log.add(wal_record(2, 2, 1));
  const std::size_t middle = log.add(wal_record(4, 2, 2, 1000));
  log.add(wal_record(6, 2, 3, 100'000));
  // The last record is torn as well, but it had begun.
  const std::string bytes = flipped(log.bytes(), middle + 500).substr(0, 2 * kLogBlockBytes);
  write_log(4, bytes);
  ASSERT_TRUE(scan().damage);
  EXPECT_EQ(scan().damage->offset, middle);
}

TEST_F(WalScanTest, ZerosInTheMiddleAreDamage) {
  const SomeRecords records(100, 1, 5000);
  std::string bytes = records.log.bytes();
  bytes.replace(4 * kLogBlockBytes, kLogBlockBytes, kLogBlockBytes, '\0');
  write_log(4, bytes);
  ASSERT_TRUE(scan().damage);
  // Zeros that replace whole records, so that nothing breaks off.
  LogWriter log;
  log.add(wal_record(2, 2, 1, kLogBlockBytes - 7 - 12 - 32));
  log.add(wal_record(4, 2, 2, kLogBlockBytes - 7 - 12 - 32));
  log.add(wal_record(6, 2, 3));
  bytes = log.bytes();
  bytes.replace(kLogBlockBytes, kLogBlockBytes, kLogBlockBytes, '\0');
  write_log(4, bytes);
  const WalReport report = scan();
  ASSERT_TRUE(report.damage);
  EXPECT_NE(report.damage->what.find("records are missing"), std::string::npos);
  EXPECT_EQ(report.damage->offset, 2 * kLogBlockBytes);
}

TEST_F(WalScanTest, AZeroedHeaderIsDamage) {
  const SomeRecords records(3);
  std::string bytes = records.log.bytes();
  bytes.replace(records.offsets[1], 7, 7, '\0');
  write_log(4, bytes);
  ASSERT_TRUE(scan().damage) << "RocksDB passes over it without a word";
}

TEST_F(WalScanTest, SequencesRunOnThroughTheFiles) {
  write_log(4, SomeRecords(3, 1).log.bytes());
  write_log(6, SomeRecords(3, 4).log.bytes());
  write_log(9, "");
  WalReport report = scan();
  EXPECT_FALSE(report.damage);
  EXPECT_EQ(report.readable_records, 6U);
  EXPECT_EQ(report.last_readable->index.value, 6U);
  // A file in between is gone.
  write_log(8, SomeRecords(3, 8).log.bytes());
  report = scan();
  ASSERT_TRUE(report.damage);
  EXPECT_NE(report.damage->file.find("000008.log"), std::string::npos);
  EXPECT_EQ(report.last_readable->index.value, 6U);
  EXPECT_EQ(report.last_behind->index.value, 10U);
}

TEST_F(WalScanTest, DamageInAnOlderFileIsDamage) {
  const SomeRecords records(3);
  for (const std::size_t position : {records.offsets[0] + 9, records.offsets[2] + 9}) {
    write_log(4, flipped(records.log.bytes(), position));
    write_log(5, SomeRecords(1, 4).log.bytes());
    ASSERT_TRUE(scan().damage);
    EXPECT_NE(scan().damage->file.find("000004.log"), std::string::npos);
  }
  write_log(4, records.log.bytes().substr(0, records.offsets[2] + 50));
  ASSERT_TRUE(scan().damage) << "cut off although a later record exists";
}

TEST_F(WalScanTest, ATornEndThatAnEarlierStartDroppedIsNoDamage) {
  const SomeRecords records(3);
  write_log(4, flipped(records.log.bytes(), records.offsets[2] + 9));
  // RocksDB's empty record, then commits that go on where the readable part ends.
  LogWriter log;
  log.add(wal_record(6, 0, 2));
  log.add(wal_record(6, 2, 3));
  write_log(5, log.bytes());
  const WalReport report = scan();
  EXPECT_FALSE(report.damage);
  EXPECT_FALSE(report.torn_end);
  EXPECT_EQ(report.readable_records, 4U);
}

TEST_F(WalScanTest, FilesThatWaitForTheirDeletionDoNotCount) {
  write_manifest(directory.path(), 7, 6);
  write_log(3, flipped(SomeRecords(3).log.bytes(), 9));
  write_log(5, SomeRecords(3, 50).log.bytes());
  write_log(6, SomeRecords(3, 3).log.bytes());
  const WalReport report = scan();
  EXPECT_FALSE(report.damage);
  EXPECT_EQ(report.files, 1U);
  EXPECT_EQ(report.readable_records, 3U);
}

TEST_F(WalScanTest, AMissingFirstFileIsDamage) {
  // The manifest says that table files hold everything up to sequence 5; 6 and 7 are nowhere.
  write_log(5, SomeRecords(3, 4).log.bytes());
  const WalReport report = scan();
  ASSERT_TRUE(report.damage);
  EXPECT_NE(report.damage->what.find("sequence 8 instead of 6"), std::string::npos)
      << report.damage->what;
  EXPECT_EQ(report.records_behind, 3U);
  write_log(5, SomeRecords(3, 3).log.bytes());
  EXPECT_FALSE(scan().damage);
}

TEST_F(WalScanTest, WithoutAnyFileTheMarkHasToTell) {
  EXPECT_FALSE(scan().damage);
  EXPECT_EQ(scan().files, 0U);
}

TEST_F(WalScanTest, AValueThatHoldsAnotherLogIsNotTakenForRecords) {
  // A torn record whose bytes are themselves a log with whole records, of other sequences.
  LogWriter inner;
  for (std::uint64_t i = 0; i < 20; ++i) {
    inner.add(wal_record(1'000'000 + i, 1, 1));
  }
  LogWriter log;
  log.add(wal_record(2, 2, 1));
  std::string record = wal_record(4, 2, 2);
  record += inner.bytes();
  const std::size_t torn = log.add(record);
  write_log(4, flipped(log.bytes(), torn + 20));
  EXPECT_FALSE(scan().damage);
  EXPECT_EQ(scan().torn_end->offset, torn);
  EXPECT_EQ(scan().readable_records, 1U);
}

TEST_F(WalScanTest, AManifestFromTheFutureIsSkippedOrGivenUp) {
  // An unknown tag that carries its length, then a family of a later log.
  write_manifest(directory.path(), 7, 6, std::string("\xff\x7f\x03xyz", 6));
  EXPECT_EQ(read_manifest(directory.path().string()).value().first_live_wal, 6U);
  write_manifest(directory.path(), 7, 6, std::string("\x63\x03xyz", 5));
  EXPECT_EQ(read_manifest(directory.path().string()).value().first_live_wal, std::nullopt);
  // Then a jump between files proves nothing, but one within a file does.
  write_log(3, SomeRecords(2, 1).log.bytes());
  write_log(6, SomeRecords(2, 10).log.bytes());
  EXPECT_FALSE(scan().damage);
  EXPECT_EQ(scan().readable_records, 4U);
  write_log(6, flipped(SomeRecords(2, 10).log.bytes(), 9));
  EXPECT_TRUE(scan().damage);
}

TEST_F(WalScanTest, ADroppedFamilyHoldsNothingBack) {
  write_manifest(directory.path(), 7, 6, std::string("\xc8\x01\x01\xca\x01", 5));
  EXPECT_EQ(read_manifest(directory.path().string()).value().first_live_wal, 7U);
}

TEST_F(WalScanTest, EditsOfAGroupCountTogether) {
  LogWriter manifest;
  manifest.add(std::string("\x02\x04", 2));
  manifest.add(std::string("\x02\x09\xac\x02\x01", 5));  // one more edit of the group is to come
  write_file(directory.path() / "MANIFEST-000001", manifest.bytes());
  EXPECT_EQ(read_manifest(directory.path().string()).value().first_live_wal, 4U);
  manifest.add(std::string("\x0a\x08\xac\x02\x00", 5));
  write_file(directory.path() / "MANIFEST-000001", manifest.bytes());
  EXPECT_EQ(read_manifest(directory.path().string()).value().first_live_wal, 9U);
}

TEST(WalScan, ADirectoryWithoutADatabaseIsEmpty) {
  const TempDir directory;
  EXPECT_EQ(scan_wal(directory.path().string()).value().files, 0U);
  EXPECT_EQ(scan_wal(directory.file("nothing")).value().files, 0U);
}

TEST(WalScan, ADatabaseThatWasNotFinishedIsEmpty) {
  const TempDir directory;
  write_file(directory.path() / "MANIFEST-000001", "begun");
  write_file(directory.path() / "IDENTITY", "x");
  EXPECT_EQ(scan_wal(directory.path().string()).value().files, 0U);
}

TEST(WalScan, ADatabaseThatLostItsCurrentFileIsNotTakenForANewOne) {
  const TempDir directory;
  write_file(directory.path() / "000004.log", "");
  const auto report = scan_wal(directory.path().string());
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("lost its file CURRENT"), std::string::npos);
  write_file(directory.path() / "CURRENT", "no name of a manifest");
  std::string message = scan_wal(directory.path().string()).error().message;
  EXPECT_NE(message.find("CURRENT must name the manifest"), std::string::npos) << message;
  EXPECT_NE(message.find("There is no manifest at all"), std::string::npos) << message;
  // A person can put it right.
  write_file(directory.path() / "MANIFEST-000005", "");
  write_file(directory.path() / "CURRENT", "MANIFEST-000004\n");
  message = scan_wal(directory.path().string()).error().message;
  EXPECT_NE(message.find("The newest manifest there is 'MANIFEST-000005'"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace weir::storage
