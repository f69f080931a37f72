#include "storage/data_dir.hpp"

#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::storage {
namespace {

std::string refusal(const std::string& path) {
  const auto opened = DataDir::open(path);
  EXPECT_FALSE(opened);
  if (opened) {
    return "";
  }
  EXPECT_EQ(opened.error().code, proto::Errc::kStorageFailed);
  return opened.error().message;
}

TEST(DataDir, IsMadeAtTheFirstStartAndTakenAgainLater) {
  const TempDir temp;
  for (int start = 0; start < 2; ++start) {
    const DataDir directory = DataDir::open(temp.file("data")).value();
    EXPECT_EQ(read_file(temp.path() / "data" / "FORMAT"), "weir 2\n");
    EXPECT_EQ(directory.database_path(), temp.file("data/db"));
    EXPECT_EQ(directory.mark_path(), temp.file("data/mark"));
  }
}

TEST(DataDir, RefusesASecondBrokerAndNamesTheFirst) {
  const TempDir temp;
  std::optional<DataDir> first = DataDir::open(temp.file("data")).value();
  const std::string message = refusal(temp.file("data"));
  EXPECT_NE(message.find("in use by another broker"), std::string::npos) << message;
  EXPECT_NE(message.find(std::to_string(::getpid())), std::string::npos) << message;
  first.reset();
  EXPECT_TRUE(DataDir::open(temp.file("data")));
}

TEST(DataDir, TheLockEndsWithItsProcess) {
  const TempDir temp;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto opened = DataDir::open(temp.file("data"));
    ::_exit(opened ? 0 : 1);  // without any destructor, as a killed process
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(DataDir::open(temp.file("data")));
}

TEST(DataDir, TakesAnOlderFormatOver) {
  const TempDir temp;
  std::filesystem::create_directories(temp.path() / "data");
  write_file(temp.path() / "data" / "FORMAT", "weir 1\n");
  EXPECT_TRUE(DataDir::open_existing(temp.file("data")));
  EXPECT_EQ(read_file(temp.path() / "data" / "FORMAT"), "weir 1\n") << "looking changes nothing";
  EXPECT_TRUE(DataDir::open(temp.file("data")));
  EXPECT_EQ(read_file(temp.path() / "data" / "FORMAT"), "weir 2\n");
}

TEST(DataDir, RefusesANewerFormatAndLeavesItUntouched) {
  const TempDir temp;
  std::filesystem::create_directories(temp.path() / "data" / "db");
  write_file(temp.path() / "data" / "FORMAT", "weir 3\n");
  write_file(temp.path() / "data" / "db" / "CURRENT", "anything");
  const auto before = files_in(temp.path());
  const std::string message = refusal(temp.file("data"));
  EXPECT_NE(message.find("newer version (format 3"), std::string::npos) << message;
  EXPECT_EQ(files_in(temp.path()), before);
}

TEST(DataDir, RefusesADamagedFormat) {
  for (const std::string_view text : {"", "weir", "weir x", "other 1", "weir 0"}) {
    const TempDir temp;
    write_file(temp.path() / "FORMAT", text);
    EXPECT_NE(refusal(temp.path().string()).find("FORMAT is damaged"), std::string::npos) << text;
  }
}

TEST(DataDir, RefusesADirectoryThatHoldsSomethingElse) {
  const TempDir temp;
  write_file(temp.path() / "thesis.tex", "years of work");
  const auto before = files_in(temp.path());
  const std::string message = refusal(temp.path().string());
  EXPECT_NE(message.find("not a data directory"), std::string::npos) << message;
  EXPECT_EQ(files_in(temp.path()), before);
}

TEST(DataDir, GoesOnAfterAFirstStartThatWasCutShort) {
  const TempDir temp;
  write_file(temp.path() / "lock", "");
  write_file(temp.path() / "FORMAT.new", "we");
  EXPECT_TRUE(DataDir::open(temp.path().string()));
}

TEST(DataDir, IsNoneWhileARestoreFillsIt) {
  const TempDir temp;
  {
    DataDir restoring = DataDir::begin_restore(temp.file("data")).value();
    EXPECT_FALSE(DataDir::begin_restore(temp.file("data")));
    write_file(temp.path() / "data" / "mark", "x");
    std::filesystem::create_directory(temp.path() / "data" / "db");
  }
  EXPECT_NE(refusal(temp.file("data")).find("was not finished"), std::string::npos);
  EXPECT_FALSE(DataDir::begin_restore(temp.file("data"))) << "a person has to look first";
  EXPECT_FALSE(DataDir::open_existing(temp.file("data")));
}

TEST(DataDir, IsOneOnceTheRestoreIsFinished) {
  const TempDir temp;
  {
    DataDir restoring = DataDir::begin_restore(temp.file("data")).value();
    std::filesystem::create_directory(temp.path() / "data" / "db");
    ASSERT_TRUE(restoring.finish_restore());
    EXPECT_NE(refusal(temp.file("data")).find("in use by another broker"), std::string::npos);
  }
  EXPECT_EQ(read_file(temp.path() / "data" / "FORMAT"), "weir 2\n");
  EXPECT_TRUE(DataDir::open_existing(temp.file("data")));
  EXPECT_FALSE(DataDir::begin_restore(temp.file("data")));
  EXPECT_TRUE(DataDir::open(temp.file("data")));
}

TEST(DataDir, TakesAwayWhatAnAbandonedRestoreHasWritten) {
  const TempDir temp;
  {
    DataDir restoring = DataDir::begin_restore(temp.file("data")).value();
    write_file(temp.path() / "data" / "mark", "x");
    std::filesystem::create_directory(temp.path() / "data" / "db");
    write_file(temp.path() / "data" / "db" / "CURRENT", "x");
    restoring.abandon_restore();
  }
  EXPECT_TRUE(DataDir::begin_restore(temp.file("data"))->finish_restore());
}

TEST(DataDir, IsLookedAtOnlyWhereABrokerHasBeen) {
  const TempDir temp;
  EXPECT_FALSE(DataDir::open_existing(temp.file("data")));
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "data"));
  EXPECT_FALSE(DataDir::open_existing(temp.path().string()));
  EXPECT_TRUE(files_in(temp.path()).empty());
  {
    const DataDir broker = DataDir::open(temp.file("data")).value();
  }
  EXPECT_TRUE(DataDir::open_existing(temp.file("data")));
  write_file(temp.path() / "data" / "FORMAT", "weir 3\n");
  EXPECT_FALSE(DataDir::open_existing(temp.file("data")));
}

TEST(DataDir, SaysWhyItCannotBeMade) {
  const TempDir temp;
  EXPECT_NE(refusal(temp.file("missing/data")).find("No such file or directory"),
            std::string::npos);
  write_file(temp.path() / "file", "");
  EXPECT_NE(refusal(temp.file("file/data")).find("Not a directory"), std::string::npos);
  EXPECT_NE(refusal(temp.file("file")).find("cannot be made"), std::string::npos);
}

TEST(DataDir, TellsTheSpaceOfItsFileSystem) {
  const TempDir temp;
  const DataDir directory = DataDir::open(temp.file("data")).value();
  const DiskSpace space = directory.space().value();
  EXPECT_GT(space.total_bytes, 0U);
  EXPECT_LE(space.free_bytes, space.total_bytes);
  EXPECT_FALSE(disk_space(temp.file("nothing")));
}

}  // namespace
}  // namespace weir::storage
