#include "broker/cli/backup_files.hpp"

#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;
using storage::files_in;
using storage::read_file;
using storage::TempDir;

TEST(BackupFiles, AreABackupOnceTheyAreFinished) {
  const TempDir temp;
  {
    BackupFiles files = BackupFiles::create(temp.file("backup")).value();
    EXPECT_TRUE(files.write("one ").has_value());
    EXPECT_TRUE(files.write("two").has_value());
    EXPECT_FALSE(fs::exists(temp.path() / "backup" / "MANIFEST"));
    BackupFiles moved = std::move(files);
    EXPECT_TRUE(moved.finish("whole\n").has_value());
  }
  EXPECT_EQ(read_file(temp.path() / "backup" / "shard-0"), "one two");
  EXPECT_EQ(read_file(temp.path() / "backup" / "MANIFEST"), "whole\n");
  EXPECT_EQ(files_in(temp.path()).size(), 2U);
}

TEST(BackupFiles, GoAwayWhenTheyAreNotFinished) {
  const TempDir temp;
  fs::create_directory(temp.path() / "given");
  for (const char* name : {"given", "made", "made/"}) {
    BackupFiles files = BackupFiles::create(temp.file(name)).value();
    EXPECT_TRUE(files.write("half").has_value());
  }
  EXPECT_TRUE(files_in(temp.path()).empty());
  EXPECT_TRUE(fs::exists(temp.path() / "given")) << "it was there before";
  EXPECT_FALSE(fs::exists(temp.path() / "made"));
}

TEST(BackupFiles, TakeOnlyADirectoryOfTheirOwn) {
  const TempDir temp;
  fs::create_directory(temp.path() / "full");
  storage::write_file(temp.path() / "full" / "thesis.tex", "years of work");
  for (const char* name : {"full", "full/thesis.tex"}) {
    EXPECT_EQ(BackupFiles::check(temp.file(name)).error().code, ErrorCode::kAlreadyExists);
    EXPECT_EQ(BackupFiles::create(temp.file(name)).error().code, ErrorCode::kAlreadyExists);
  }
  EXPECT_TRUE(BackupFiles::check(temp.file("new")).has_value());
  EXPECT_FALSE(fs::exists(temp.path() / "new")) << "a look makes nothing";
  EXPECT_FALSE(BackupFiles::create(temp.file("missing/new")).has_value());
  EXPECT_EQ(files_in(temp.path()).size(), 1U);
}

TEST(BackupFiles, AreNoBackupWhereTheManifestCannotBeMade) {
  const TempDir temp;
  {
    BackupFiles files = BackupFiles::create(temp.file("backup")).value();
    EXPECT_TRUE(files.write("bytes").has_value());
    fs::create_directory(temp.path() / "backup" / "MANIFEST.new");
    EXPECT_FALSE(files.finish("whole\n").has_value());
  }
  EXPECT_TRUE(files_in(temp.path()).empty());
}

}  // namespace
}  // namespace weir::cli
