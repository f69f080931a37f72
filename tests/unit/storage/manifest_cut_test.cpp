#include "storage/rocks/manifest_cut.hpp"

#include "storage/commit_chain.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/unit/storage/crash_image.hpp"
#include "tests/unit/storage/log_writer.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace weir::storage {
namespace {

// An entry whose first bytes came and whose middle did not.
std::string torn_entry() {
  return std::string("\x12\x34\x56\x78\x28\0\x01", 7) + std::string(20, '\0') +
         std::string(20, 'x');
}

// A copy of a database that was never closed.
struct TornManifest : testing::Test {
  TornManifest() : path(dir.path() / "db") {
    std::filesystem::copy(image.path(), path, std::filesystem::copy_options::recursive);
    std::string name = read_file(path / "CURRENT");
    name.pop_back();
    manifest = path / name;
    bytes = read_file(manifest);
  }
  [[nodiscard]] std::string torn() const { return bytes + torn_entry(); }
  [[nodiscard]] proto::Result<bool> cut() const {
    return cut_torn_manifest(scan_wal(path.string()).value());
  }
  // The commit that a start finds, or why there is none.
  [[nodiscard]] std::string start(std::optional<std::uint64_t> must_hold = std::nullopt) const {
    OpenOptions options = {.path = path.string()};
    if (must_hold) {
      options.must_hold = proto::CommitIndex(*must_hold);
    }
    const auto opened = open_rocks_store(options);
    if (!opened) {
      return opened.error().message;
    }
    return std::to_string(read_commit_point(*(*opened)->snapshot()).value().index.value);
  }

  CrashImage image{3, 1'000};
  TempDir dir;
  std::filesystem::path path;
  std::filesystem::path manifest;
  std::string bytes;
};

TEST_F(TornManifest, IsCutWhereTheWholeEntriesEnd) {
  write_file(manifest, torn());
  EXPECT_TRUE(cut().value());
  EXPECT_EQ(read_file(manifest), bytes);
  EXPECT_EQ(read_file(manifest.string() + ".torn"), torn());
  EXPECT_EQ(start(), "3");
}

TEST_F(TornManifest, OpensWithEverythingThatWasCommitted) {
  write_file(manifest, torn());
  EXPECT_EQ(start(), "3");
}

TEST_F(TornManifest, StaysAsItIsWhenItIsWhole) {
  EXPECT_FALSE(cut().value());
  EXPECT_EQ(read_file(manifest), bytes);
  EXPECT_FALSE(std::filesystem::exists(manifest.string() + ".torn"));
}

// As after a flush whose entry rotted: the tables that it told of are none for what is left.
TEST_F(TornManifest, IsNoWayPastALogThatIsGone) {
  write_file(manifest, torn());
  for (const std::filesystem::path& log : image.logs()) {
    std::filesystem::remove(path / log.filename());
  }
  EXPECT_NE(start(3).find("data loss"), std::string::npos) << start(3);
}

// Nothing but a manifest and logs.
struct RottenManifest : testing::Test {
  void write(std::uint8_t log_of_rows, std::uint8_t log_of_state) {
    write_manifest(dir.path(), log_of_rows, log_of_state);
    const std::filesystem::path manifest = dir.path() / "MANIFEST-000001";
    write_file(manifest, read_file(manifest) + torn_entry());
  }
  [[nodiscard]] proto::Result<bool> cut() const {
    const proto::Result<WalReport> report = scan_wal(dir.path().string());
    return report ? cut_torn_manifest(*report) : report.error();
  }

  TempDir dir;
};

TEST_F(RottenManifest, StaysWhereTheLogBeginsBehindRowsOfALostTable) {
  write(4, 4);
  LogWriter log;
  log.add(wal_record(50, 2, 9));
  write_file(dir.path() / "000009.log", log.bytes());
  EXPECT_EQ(cut().error().code, proto::Errc::kStorageFailed);
}

TEST_F(RottenManifest, IsCutWhereTheLogGoesOnFromTheTables) {
  write(4, 4);
  LogWriter log;
  log.add(wal_record(6, 2, 9));
  write_file(dir.path() / "000009.log", log.bytes());
  EXPECT_TRUE(cut().value());
}

TEST_F(RottenManifest, WithoutAnyRecordIsCutOnlyWhereAllWasFlushedTogether) {
  write(6, 7);
  EXPECT_FALSE(cut().value());
  write(7, 7);
  EXPECT_TRUE(cut().value());
}

}  // namespace
}  // namespace weir::storage
