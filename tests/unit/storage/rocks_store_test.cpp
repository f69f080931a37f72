#include "storage/rocks/rocks_store.hpp"

#include "proto/batch/crc32c.hpp"
#include "storage/commit_chain.hpp"
#include "storage/rocks/crc32c_override.hpp"
#include "storage/rocks/prefilled_wal.hpp"
#include "tests/unit/storage/live_copy.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;

std::unique_ptr<RocksStore> open_in(const TempDir& directory) {
  return open_rocks_store({.path = directory.file("db")}).value();
}

std::string bytes_of(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  return bytes;
}

TEST(RocksStore, KeepsWhatWasCommittedAcrossReopening) {
  const TempDir directory;
  {
    const auto store = open_in(directory);
    ASSERT_TRUE(commit(*store, a_change().put("a", "1").put("b", "2").put("c", "3")));
    ASSERT_TRUE(commit(*store, a_change().remove("b").put("a", "4")));
    ASSERT_TRUE(commit(*store, a_change().in_log().put("a", bytes_of(100'000, 1))));
  }
  const auto store = open_in(directory);
  EXPECT_EQ(rows_of(*store), (RowMap{{"a", "4"}, {"c", "3"}}));
  EXPECT_EQ(rows_of(*store, Family::kLog), (RowMap{{"a", bytes_of(100'000, 1)}}));
}

TEST(RocksStore, CommitsAllBatchesInOrderAsOne) {
  const TempDir directory;
  const auto store = open_in(directory);
  const ChangeBuilder first = a_change().put("a", "1").put("b", "1").put("c", "1").put("d", "1");
  const ChangeBuilder second = a_change().remove_range("b", "d").put("c", "2").put("a", "2");
  const std::array<const WriteBatch*, 2> batches = {&first.batch(), &second.batch()};
  ASSERT_TRUE(store->commit(batches));
  EXPECT_EQ(rows_of(*store), (RowMap{{"a", "2"}, {"c", "2"}, {"d", "1"}}));
}

TEST(RocksStore, AnInvertedRangeDeletesNothing) {
  const TempDir directory;
  const auto store = open_in(directory);
  ASSERT_TRUE(commit(*store, a_change().put("a", "1").put("b", "1")));
  ASSERT_TRUE(commit(*store, a_change().remove_range("c", "a").remove_range("b", "b")));
  EXPECT_EQ(rows_of(*store), (RowMap{{"a", "1"}, {"b", "1"}}));
}

TEST(RocksStore, ASnapshotSeesItsMomentAndItsScansOutliveIt) {
  const TempDir directory;
  const auto store = open_in(directory);
  ASSERT_TRUE(commit(*store, a_change().put("a", "1").put("b", "1")));
  auto reader = store->snapshot();
  auto scan = reader->scan(Family::kState, "", "", {.sequential = true});
  ASSERT_TRUE(commit(*store, a_change().put("a", "2").remove("b").put("c", "2")));
  EXPECT_EQ(rows_of(*reader), (RowMap{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(reader->get(Family::kState, "b").value(), "1");
  EXPECT_EQ(reader->get(Family::kState, "c").value(), std::nullopt);
  reader.reset();
  ASSERT_TRUE(scan->valid());
  scan->next();
  ASSERT_TRUE(scan->valid());
  EXPECT_EQ(scan->key(), "b");
  scan.reset();
  EXPECT_EQ(rows_of(*store), (RowMap{{"a", "2"}, {"c", "2"}}));
}

TEST(RocksStore, ScansStayInsideTheirBounds) {
  const TempDir directory;
  const auto store = open_in(directory);
  ASSERT_TRUE(commit(*store, a_change().put("a", "1").put("c", "2").put("e", "3")));
  expect_bounded_scans(*store);
}

TEST(RocksStore, TheLibraryUsesOurChecksum) {
  EXPECT_TRUE(crc32c_override_is_exact());
  const TempDir directory;
  const auto store = open_in(directory);
  EXPECT_EQ(store->crc32c_in_use(),
            proto::crc32c_implementation() == "software" ? "software, ours" : "sse4.2, ours");
  const std::uint64_t before = crc32c_override_calls();
  ASSERT_TRUE(commit(*store, a_change().put("a", "1")));
  EXPECT_GT(crc32c_override_calls(), before);
}

TEST(RocksStore, TellsItsSizesAndSyncTimes) {
  const TempDir directory;
  std::atomic<int> syncs = 0;
  const auto store = open_rocks_store({.path = directory.file("db"),
                                       .on_wal_sync =
                                           [&syncs](std::chrono::nanoseconds time) {
                                             EXPECT_GE(time.count(), 0);
                                             ++syncs;
                                           }})
                         .value();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(commit(*store, a_change().in_log().put(std::to_string(i), bytes_of(50'000, 1))));
  }
  EXPECT_GE(syncs.load(), 4);
  const RocksStatistics statistics = store->statistics();
  EXPECT_GE(statistics.wal_bytes, 200'000U);
  EXPECT_GE(statistics.write_buffer_bytes, 200'000U);
  EXPECT_EQ(statistics.reads, 0U);
  EXPECT_EQ(rows_of(*store, Family::kLog).size(), 4U);
  EXPECT_GE(store->statistics().reads, 4U);
}

// The logs of a store that committed some small rows, by name, with their sizes while it was open.
std::map<std::string, std::uintmax_t> logs_of_small_commits(const TempDir& directory,
                                                            OpenOptions options) {
  options.path = directory.file("db");
  const auto store = open_rocks_store(std::move(options)).value();
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(commit(*store, a_change().put(std::to_string(i), bytes_of(100, 1))));
  }
  std::map<std::string, std::uintmax_t> logs;
  for (const auto& entry : std::filesystem::directory_iterator(directory.file("db"))) {
    if (entry.path().extension() == ".log") {
      logs[entry.path().filename().string()] = entry.file_size();
    }
  }
  EXPECT_EQ(store->statistics().wal_bytes, logs.begin()->second);
  return logs;
}

TEST(RocksStore, ZerosAheadOfSmallCommitsDoNotCountForTheBoundOfTheLog) {
  const TempDir directory;
  const auto logs = logs_of_small_commits(directory, {.max_wal_bytes = kPrefillBytes / 4});
  ASSERT_EQ(logs.size(), 1U) << "a log that reaches the bound is followed by another one";
  EXPECT_GE(logs.begin()->second, kPrefillBytes);
  // It was closed: what is left are the records.
  EXPECT_LT(std::filesystem::file_size(directory.file("db/" + logs.begin()->first)),
            kPrefillBytes / 4);
  EXPECT_EQ(rows_of(*open_in(directory)).size(), 40U);
}

TEST(RocksStore, WritesNoZerosAheadWhenToldNotTo) {
  const TempDir directory;
  const auto logs = logs_of_small_commits(directory, {.prefill_wal = false});
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_LT(logs.begin()->second, kPrefillBytes / 4);
}

TEST(RocksStore, ReclaimsTheSpaceOfADeletedRange) {
  const TempDir directory;
  const auto store = open_in(directory);
  for (int i = 10; i < 74; ++i) {
    const std::string value = bytes_of(100'000, static_cast<std::uint64_t>(i));
    ASSERT_TRUE(commit(*store, a_change().in_log().put(std::to_string(i), value)));
  }
  ASSERT_TRUE(store->reclaim(Family::kLog, "", ""));
  EXPECT_GE(store->statistics().blob_bytes, 6'000'000U);
  EXPECT_GE(store->stored_bytes(), 6'000'000U);
  EXPECT_LT(store->stored_bytes(), 8'000'000U);
  ASSERT_TRUE(commit(*store, a_change().in_log().remove_range("10", "72")));
  ASSERT_TRUE(store->reclaim(Family::kLog, "10", "72"));
  EXPECT_EQ(rows_of(*store, Family::kLog).size(), 2U);
  ASSERT_TRUE(commit(*store, a_change().in_log().remove_range("", "99")));
  ASSERT_TRUE(store->reclaim(Family::kLog, "", ""));
  EXPECT_LT(store->statistics().blob_bytes, 1'000'000U);
  EXPECT_LT(store->stored_bytes(), 1'000'000U);
}

TEST(RocksStore, GivesTheDiskBackWhatWasDeletedOneByOne) {
  const TempDir directory;
  const auto store = open_in(directory);
  std::atomic<bool> never = false;
  for (int i = 10; i < 74; ++i) {
    const std::string value = bytes_of(100'000, static_cast<std::uint64_t>(i));
    ASSERT_TRUE(commit(*store, a_change().in_log().put(std::to_string(i), value)));
  }
  ASSERT_TRUE(store->empty_log());
  for (int i = 10; i < 74; ++i) {
    ASSERT_TRUE(commit(*store, a_change().in_log().remove(std::to_string(i))));
  }
  EXPECT_GE(store->statistics().blob_bytes, 6'000'000U);
  // Not even the deletions may be written: nothing happens, and nothing breaks.
  ASSERT_TRUE(store->free_space(0, never));
  EXPECT_GE(store->statistics().blob_bytes, 6'000'000U);
  ASSERT_TRUE(store->free_space(std::uint64_t{64} << 20, never));
  EXPECT_EQ(store->statistics().blob_bytes, 0U);
}

TEST(RocksStore, AnEmptiedLogLeavesTheNextStartNothingToReplay) {
  const TempDir directory;
  RowMap rows;
  {
    const auto store = open_in(directory);
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(commit(*store, a_change().put(std::to_string(i), bytes_of(50'000, 1))));
    }
    ASSERT_TRUE(store->empty_log());
    rows = rows_of(*store);
  }
  const auto store = open_in(directory);
  EXPECT_EQ(store->recovered_wal().readable_records, 0U);
  EXPECT_EQ(rows_of(*store), rows);
}

TEST(RocksStore, AFailureIsFinalWhileReadsGoOn) {
  const TempDir directory;
  std::atomic<int> told = 0;
  const auto store = open_rocks_store({.path = directory.file("db"),
                                       .on_failed = [&told](const proto::Error&) { ++told; }})
                         .value();
  ASSERT_TRUE(commit(*store, a_change().put("a", "1")));
  // A flush has to write a table file; with the directory gone from under it, it cannot.
  std::filesystem::rename(directory.file("db"), directory.file("elsewhere"));
  EXPECT_EQ(store->reclaim(Family::kState, "", "").error().code, Errc::kStorageFailed);
  std::filesystem::rename(directory.file("elsewhere"), directory.file("db"));
  const proto::Result<> first = commit(*store, a_change().put("a", "2"));
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Errc::kStorageFailed);
  EXPECT_EQ(commit(*store, a_change().put("b", "2")).error(), first.error());
  EXPECT_EQ(store->failure(), first.error());
  EXPECT_EQ(told.load(), 1);
  EXPECT_EQ(rows_of(*store), (RowMap{{"a", "1"}}));
}

// A disk that takes no more bytes, of this process only.
void limit_files_to(std::uint64_t bytes) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

// What RocksDB logs about itself grows at each flush, and soon meets the limit.
TEST(RocksStoreDeathTest, ALogOfRocksDbsOwnThatCannotBeWrittenEndsNothing) {
  const TempDir directory;
  const auto write_beyond_the_limit = [&] {
    limit_files_to(100'000);
    const auto store = open_in(directory);
    for (int i = 0; i < 60; ++i) {
      if (!commit(*store, a_change().put("row", bytes_of(100, 1))) || !store->empty_log()) {
        std::_Exit(1);
      }
    }
    std::_Exit(std::filesystem::file_size(directory.file("db/LOG")) == 100'000 ? 0 : 2);
  };
  EXPECT_EXIT(write_beyond_the_limit(), testing::ExitedWithCode(0), "");
}

TEST(RocksStoreDeathTest, AFailedWriteIsToldBeforeRocksDbAssertsOnTheFile) {
  const TempDir directory;
  {
    const auto store = open_in(directory);
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(commit(*store, a_change().put(std::to_string(i), bytes_of(50'000, 1))));
    }
    const std::filesystem::path copy = directory.file("copy");
    std::filesystem::create_directory(copy);
    copy_live(directory.file("db"), copy / "db");  // as after a kill: a log to replay
  }
  const auto open_and_fail = [&] {
    limit_files_to(400'000);
    (void)open_rocks_store(
        {.path = directory.file("copy/db"), .on_failed = [](const proto::Error& error) {
           std::fputs(error.message.c_str(), stderr);
           std::_Exit(3);
         }});
  };
  EXPECT_EXIT(open_and_fail(), testing::ExitedWithCode(3), "File too large");
}

TEST(RocksStore, RecoversAfterAFailureByReopening) {
  const TempDir directory;
  {
    const auto store = open_in(directory);
    ASSERT_TRUE(commit(*store, a_change().put("a", "1")));
    std::filesystem::rename(directory.file("db"), directory.file("elsewhere"));
    ASSERT_FALSE(store->reclaim(Family::kState, "", ""));
    std::filesystem::rename(directory.file("elsewhere"), directory.file("db"));
    ASSERT_FALSE(commit(*store, a_change().put("a", "2")));
  }
  const auto store = open_in(directory);
  EXPECT_EQ(rows_of(*store), (RowMap{{"a", "1"}}));
  EXPECT_TRUE(commit(*store, a_change().put("a", "3")));
}

TEST(RocksStore, SaysWhyItCannotBeOpened) {
  const TempDir directory;
  write_file(directory.path() / "file", "not a directory");
  const auto opened = open_rocks_store({.path = directory.file("file") + "/db"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kStorageFailed);
  EXPECT_NE(opened.error().message.find("file/db"), std::string::npos) << opened.error().message;
}

// Flips the byte in the middle of the largest file with that ending.
void damage_file(const TempDir& directory, std::string_view extension) {
  std::filesystem::path largest;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path() / "db")) {
    if (entry.path().extension() == extension &&
        (largest.empty() || entry.file_size() > std::filesystem::file_size(largest))) {
      largest = entry.path();
    }
  }
  ASSERT_FALSE(largest.empty());
  std::string bytes = read_file(largest);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_file(largest, bytes);
}

TEST(RocksStore, TellsADamagedBatchFromADamagedState) {
  const TempDir directory;
  {
    const auto store = open_in(directory);
    ASSERT_TRUE(commit(*store, a_change().in_log().put("a", bytes_of(100'000, 1))));
    ASSERT_TRUE(commit(*store, a_change().put("a", bytes_of(100'000, 2))));
    ASSERT_TRUE(store->empty_log());
  }
  damage_file(directory, ".blob");
  damage_file(directory, ".sst");
  const auto store = open_in(directory);
  const auto reader = store->snapshot();
  EXPECT_EQ(reader->get(Family::kLog, "a").error().code, Errc::kCorruptBatch);
  EXPECT_EQ(reader->get(Family::kState, "a").error().code, Errc::kStorageFailed);
  const auto batches = reader->scan(Family::kLog, "", "", {});
  EXPECT_FALSE(batches->valid());
  EXPECT_EQ(batches->status().error().code, Errc::kCorruptBatch);
  const auto rows = reader->scan(Family::kState, "", "", {});
  EXPECT_FALSE(rows->valid());
  EXPECT_EQ(rows->status().error().code, Errc::kStorageFailed);
  EXPECT_NE(rows->status().error().message.find("Restore the data directory"), std::string::npos);
}

TEST(RocksStore, AFileThatIsGoneIsDamageOfItsBatchesAlone) {
  const TempDir directory;
  {
    const auto store = open_in(directory);
    ASSERT_TRUE(commit(*store, a_change().in_log().put("a", bytes_of(100'000, 1))));
    ASSERT_TRUE(store->empty_log());
  }
  const auto store = open_in(directory);
  for (const auto& entry : std::filesystem::directory_iterator(directory.file("db"))) {
    if (entry.path().extension() == ".blob") {
      std::filesystem::remove(entry.path());
    }
  }
  EXPECT_EQ(store->snapshot()->get(Family::kLog, "a").error().code, Errc::kCorruptBatch);
  EXPECT_FALSE(store->failure());
}

// The files of a database, without what RocksDB writes for people.
std::map<std::string, std::string> contents_of(const std::filesystem::path& path) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("LOG")) {
      files[name] = read_file(entry.path());
    }
  }
  return files;
}

TEST(RocksStore, ALogThatEndsBeforeWhatWasDurableIsRefusedAndKept) {
  const TempDir directory;
  const auto commit_up_to = [&](RocksStore& store, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t index = first; index <= last; ++index) {
      WriteBatch rows;
      rows.put(Family::kState, "row" + std::to_string(index), bytes_of(1'000, index));
      put_commit_point(rows, {.index = proto::CommitIndex(index), .digest = index, .time = 1});
      const std::array<const WriteBatch*, 1> batches = {&rows};
      ASSERT_TRUE(store.commit(batches));
    }
  };
  const auto open_with = [&](std::uint64_t held) {
    return open_rocks_store({.path = directory.file("db"), .must_hold = proto::CommitIndex(held)});
  };
  {
    const auto store = open_in(directory);
    commit_up_to(*store, 1, 5);
    ASSERT_TRUE(store->empty_log());
  }
  // All is in tables: what they hold is looked up.
  EXPECT_FALSE(open_with(6));
  {
    commit_up_to(**open_with(5), 6, 9);
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory.file("db"))) {
    if (entry.path().extension() == ".log") {
      std::filesystem::resize_file(entry.path(), 2'500);
    }
  }
  const std::map<std::string, std::string> before = contents_of(directory.file("db"));
  const auto refused = open_with(9);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("ends at commit 7, but commit 9"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(contents_of(directory.file("db")), before);
  EXPECT_TRUE(open_with(7));
}

TEST(RocksStore, ReadersRunBesideTheWriter) {
  const TempDir directory;
  const auto store = open_in(directory);
  ASSERT_TRUE(commit(*store, a_change().put("left", "0").put("right", "0")));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const RowMap rows = rows_of(*store);
      ASSERT_EQ(rows.at("left"), rows.at("right"));
    }
  });
  for (int i = 1; i <= 100; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_TRUE(commit(*store, a_change().put("left", value).put("right", value)));
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace weir::storage
