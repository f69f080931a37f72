#include "storage/mark_file.hpp"

#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace weir::storage {
namespace {

using proto::Errc;

CommitPoint a_point(std::uint64_t index) {
  return {.index = proto::CommitIndex(index), .digest = index * 1000, .time = 7};
}

std::string refusal(const std::string& path, const CommitPoint& recovered) {
  const auto mark = open_checked_mark(path, recovered, MissingCommits::kRefuse);
  EXPECT_FALSE(mark);
  return mark ? "" : mark.error().message;
}

void flip_byte(const std::string& path, std::size_t position) {
  std::string bytes = read_file(path);
  bytes.at(position) = static_cast<char>(bytes.at(position) ^ 1);
  write_file(path, bytes);
}

TEST(MarkFile, IsMadeAtTheFirstStartAndRemembersTheLatestPoint) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  {
    auto mark = open_checked_mark(path, CommitPoint{}, MissingCommits::kRefuse).value();
    EXPECT_FALSE(mark.accepted_loss);
    for (std::uint64_t index = 1; index <= 5; ++index) {
      ASSERT_TRUE(mark.file.write(a_point(index)));
    }
  }
  const auto mark = open_checked_mark(path, a_point(5), MissingCommits::kRefuse).value();
  EXPECT_EQ(mark.file.last(), a_point(5));
  EXPECT_FALSE(mark.accepted_loss);
}

TEST(MarkFile, MayBeBehindTheDatabase) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  ASSERT_TRUE(MarkFile::create(path, a_point(5)));
  EXPECT_TRUE(open_checked_mark(path, a_point(900), MissingCommits::kRefuse));
}

TEST(MarkFile, RefusesADatabaseThatLostCommits) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  ASSERT_TRUE(MarkFile::create(path, a_point(5)));
  const std::string message = refusal(path, a_point(3));
  EXPECT_NE(message.find("ends at commit 3, but commit 5"), std::string::npos) << message;
  EXPECT_NE(message.find("--accept-damage"), std::string::npos) << message;
  EXPECT_NE(refusal(path, CommitPoint{}).find("ends at commit 0"), std::string::npos);
}

TEST(MarkFile, RefusesAnotherHistoryOfTheSameLength) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  ASSERT_TRUE(MarkFile::create(path, a_point(5)));
  CommitPoint other = a_point(5);
  other.digest += 1;
  EXPECT_NE(refusal(path, other).find("different histories"), std::string::npos);
}

TEST(MarkFile, RefusesToBeMissingWhereThereAreCommits) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  EXPECT_NE(refusal(path, a_point(1)).find("missing"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(MarkFile, UsesTheOtherSlotWhenOneIsTorn) {
  for (const bool tear_newer : {true, false}) {
    const TempDir directory;
    const std::string path = directory.file("mark");
    {
      MarkFile mark = MarkFile::create(path, a_point(1)).value();
      ASSERT_TRUE(mark.write(a_point(2)));  // slot 1
      ASSERT_TRUE(mark.write(a_point(3)));  // slot 0
    }
    flip_byte(path, tear_newer ? 20 : 4096 + 20);
    MarkFile mark = MarkFile::open(path).value();
    EXPECT_EQ(mark.last(), a_point(tear_newer ? 2 : 3));
    // The whole slot stays as it is until the torn one is whole again.
    ASSERT_TRUE(mark.write(a_point(4)));
    EXPECT_EQ(MarkFile::open(path).value().last(), a_point(4));
    flip_byte(path, tear_newer ? 20 : 4096 + 20);
    EXPECT_EQ(MarkFile::open(path).value().last(), a_point(tear_newer ? 2 : 3));
  }
}

TEST(MarkFile, RefusesWhenBothSlotsAreDamaged) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  ASSERT_TRUE(MarkFile::create(path, a_point(5)));
  flip_byte(path, 0);
  flip_byte(path, 4096 + 31);
  EXPECT_NE(refusal(path, a_point(5)).find("no slot is whole"), std::string::npos);
  write_file(path, "");
  EXPECT_NE(refusal(path, a_point(5)).find("no slot is whole"), std::string::npos);
}

TEST(MarkFile, EverySingleFlippedBitOfASlotIsSeen) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  {
    MarkFile mark = MarkFile::create(path, a_point(1)).value();
    ASSERT_TRUE(mark.write(a_point(2)));  // slot 1
  }
  const std::string whole = read_file(path);
  for (std::size_t bit = 0; bit < kCommitPointBytes * 8; ++bit) {
    std::string bytes = whole;
    bytes[4096 + bit / 8] = static_cast<char>(bytes[4096 + bit / 8] ^ (1 << (bit % 8)));
    write_file(path, bytes);
    EXPECT_EQ(MarkFile::open(path).value().last(), a_point(1)) << "bit " << bit;
  }
}

TEST(MarkFile, BeginsAnewAtTheFirstCommitWhenAPersonAcceptsTheLoss) {
  const TempDir directory;
  const std::string path = directory.file("mark");
  for (const bool exists : {true, false}) {
    std::filesystem::remove(path);
    if (exists) {
      ASSERT_TRUE(MarkFile::create(path, a_point(5)));
    }
    {
      const auto mark = open_checked_mark(path, a_point(3), MissingCommits::kAccept).value();
      EXPECT_TRUE(mark.accepted_loss);
      EXPECT_EQ(mark.file.last(), a_point(3));
    }
    // That start broke off before it committed anything: the loss is still to be accepted.
    refusal(path, a_point(3));
    auto mark = open_checked_mark(path, a_point(3), MissingCommits::kAccept).value();
    EXPECT_TRUE(mark.accepted_loss);
    ASSERT_TRUE(mark.file.write(a_point(4)));
    ASSERT_TRUE(mark.file.write(a_point(5)));
    const auto later = open_checked_mark(path, a_point(5), MissingCommits::kAccept).value();
    EXPECT_FALSE(later.accepted_loss) << "nothing is missing any more";
  }
}

TEST(MarkFile, SaysWhichFileCannotBeMade) {
  const TempDir directory;
  write_file(directory.path() / "file", "");
  const auto mark = MarkFile::create(directory.file("file") + "/mark", CommitPoint{});
  ASSERT_FALSE(mark);
  EXPECT_EQ(mark.error().code, Errc::kStorageFailed);
  EXPECT_NE(mark.error().message.find("file/mark"), std::string::npos) << mark.error().message;
}

}  // namespace
}  // namespace weir::storage
