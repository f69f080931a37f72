#include "storage/rocks/prefilled_wal.hpp"

#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace weir::storage {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSRandomRWFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What was done to the files below, in order, and how these calls end.
struct Calls {
  std::vector<std::string> made;
  IOStatus append;
  IOStatus sync;
  IOStatus zeros;
  IOStatus open_zeros;
};

class RecordedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  RecordedFile(std::unique_ptr<FSWritableFile> file, Calls& calls)
      : FSWritableFileOwnerWrapper(std::move(file)), calls_(calls) {}

  // A failed append has written the half.
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    calls_.made.emplace_back("append");
    if (calls_.append.ok()) {
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    FSWritableFileOwnerWrapper::Append(Slice(data.data(), data.size() / 2), options, debug)
        .PermitUncheckedError();
    return calls_.append;
  }
  // What the disk would do makes no difference here.
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    calls_.made.emplace_back("sync");
    return calls_.sync;
  }
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    calls_.made.emplace_back("fsync");
    return calls_.sync;
  }

 private:
  Calls& calls_;
};

class RecordedZeros final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  RecordedZeros(std::unique_ptr<FSRandomRWFile> file, Calls& calls)
      : FSRandomRWFileOwnerWrapper(std::move(file)), calls_(calls) {}

  // A failed write has written one page.
  IOStatus Write(std::uint64_t offset, const Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    calls_.made.emplace_back("zeros");
    const std::size_t bytes = calls_.zeros.ok() ? data.size() : 4096;
    const IOStatus written =
        FSRandomRWFileOwnerWrapper::Write(offset, Slice(data.data(), bytes), options, debug);
    return calls_.zeros.ok() ? written : calls_.zeros;
  }

 private:
  Calls& calls_;
};

class RecordingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit RecordingFileSystem(Calls& calls)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), calls_(calls) {}

  [[nodiscard]] const char* Name() const override { return "RecordingFileSystem"; }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& /*options*/,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    IOStatus made = target()->NewWritableFile(path, FileOptions(), file, debug);
    *file = std::make_unique<RecordedFile>(std::move(*file), calls_);
    return made;
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSRandomRWFile>* file, IODebugContext* debug) override {
    if (!calls_.open_zeros.ok()) {
      return calls_.open_zeros;
    }
    IOStatus made = target()->NewRandomRWFile(path, options, file, debug);
    *file = std::make_unique<RecordedZeros>(std::move(*file), calls_);
    return made;
  }

 private:
  Calls& calls_;
};

struct PrefilledWalTest : testing::Test {
  void open(const std::string& name = "000004.log", const FileOptions& options = FileOptions()) {
    path = directory.file(name);
    appended.clear();
    ASSERT_TRUE(files->NewWritableFile(path, options, &file, nullptr).ok());
    calls.made.clear();
  }

  IOStatus append(std::size_t bytes) {
    const std::string data(bytes, static_cast<char>('a' + appended.size() % 26));
    IOStatus status = file->Append(data, IOOptions(), nullptr);
    appended += status.ok() ? data : "";
    return status;
  }
  void commit(std::size_t bytes) {
    ASSERT_TRUE(append(bytes).ok());
    ASSERT_TRUE(file->Sync(IOOptions(), nullptr).ok());
  }
  void commit_small_ones(std::uint32_t count = kSmallCommitsBefore) {
    for (std::uint32_t i = 0; i < count; ++i) {
      commit(100);
    }
    calls.made.clear();
  }

  [[nodiscard]] std::uint64_t size_on_disk() const { return std::filesystem::file_size(path); }
  // Everything that was appended, and nothing but zeros behind it.
  void expect_whole() const {
    std::string bytes = read_file(path);
    EXPECT_GE(bytes.size(), appended.size());
    EXPECT_EQ(bytes.find_first_not_of('\0', appended.size()), std::string::npos);
    bytes.resize(appended.size());
    EXPECT_TRUE(bytes == appended);
  }

  TempDir directory;
  Calls calls;
  std::shared_ptr<rocksdb::FileSystem> files =
      prefill_wals(std::make_shared<RecordingFileSystem>(calls));
  std::string path;
  std::string appended;
  std::unique_ptr<FSWritableFile> file;
};

using Made = std::vector<std::string>;

TEST_F(PrefilledWalTest, WritesZerosBetweenAnAppendAndItsSyncAndThenIntoThem) {
  open();
  commit_small_ones();
  EXPECT_EQ(size_on_disk(), appended.size());
  commit(100);
  EXPECT_EQ(calls.made, (Made{"append", "zeros", "sync"}));
  const std::uint64_t size = size_on_disk();
  EXPECT_EQ(size % 4096, 0U);
  EXPECT_GT(size, appended.size() + kPrefillBytes - 4096);
  calls.made.clear();
  while (appended.size() + 100 <= size) {
    commit(100);
    ASSERT_EQ(calls.made, (Made{"append", "sync"}));
    calls.made.clear();
  }
  EXPECT_EQ(size_on_disk(), size);
  expect_whole();
  commit(100);
  EXPECT_EQ(calls.made, (Made{"append", "zeros", "sync"}));
  EXPECT_GT(size_on_disk(), size);
  expect_whole();
}

TEST_F(PrefilledWalTest, LargeCommitsGetNoZeros) {
  open();
  for (std::uint32_t i = 0; i < 2 * kSmallCommitsBefore; ++i) {
    commit(kSmallCommitBytes + 1);
  }
  EXPECT_EQ(size_on_disk(), appended.size());
  commit_small_ones(kSmallCommitsBefore - 1);
  // Large in many pieces.
  for (std::uint64_t i = 0; i <= kSmallCommitBytes / 100; ++i) {
    ASSERT_TRUE(append(100).ok());
  }
  commit(100);
  commit_small_ones();
  EXPECT_EQ(size_on_disk(), appended.size()) << "the count began again";
  commit(kSmallCommitBytes + 1);
  EXPECT_EQ(size_on_disk(), appended.size()) << "large behind small ones";
  commit_small_ones();
  commit(kSmallCommitBytes);
  EXPECT_GT(size_on_disk(), appended.size());
  expect_whole();
}

TEST_F(PrefilledWalTest, ALargeCommitGoesOverTheZerosAndTheirEnd) {
  open();
  commit_small_ones(kSmallCommitsBefore + 1);
  commit(3 * kPrefillBytes);
  EXPECT_EQ(size_on_disk(), appended.size());
  expect_whole();
  commit_small_ones(kSmallCommitsBefore + 1);
  expect_whole();
}

TEST_F(PrefilledWalTest, ASyncWithNothingToSyncCountsNothing) {
  open();
  for (std::uint32_t i = 0; i < 2 * kSmallCommitsBefore; ++i) {
    ASSERT_TRUE(file->Sync(IOOptions(), nullptr).ok());
  }
  commit(100);
  EXPECT_EQ(size_on_disk(), appended.size());
}

TEST_F(PrefilledWalTest, PassesOnEachKindOfSyncAndItsFailure) {
  open();
  calls.sync = IOStatus::IOError("broken");
  EXPECT_TRUE(file->Sync(IOOptions(), nullptr).IsIOError());
  EXPECT_TRUE(file->Fsync(IOOptions(), nullptr).IsIOError());
  EXPECT_EQ(calls.made, (Made{"sync", "fsync"}));
}

TEST_F(PrefilledWalTest, ALogThatIsClosedEndsWhereItsRecordsEnd) {
  open();
  commit_small_ones(kSmallCommitsBefore + 1);
  ASSERT_GT(size_on_disk(), appended.size());
  EXPECT_EQ(file->GetFileSize(IOOptions(), nullptr), appended.size());
  ASSERT_TRUE(file->Close(IOOptions(), nullptr).ok());
  EXPECT_EQ(size_on_disk(), appended.size());
  expect_whole();
}

TEST_F(PrefilledWalTest, WritesZerosIntoWhatIsReservedAndGivesBackTheRest) {
  const auto reserved_bytes = [this] {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return std::uint64_t{512} * static_cast<std::uint64_t>(status.st_blocks);
  };
  open();
  file->SetPreallocationBlockSize(std::size_t{4} << 20);
  file->PrepareWrite(0, 100, IOOptions(), nullptr);
  const std::uint64_t reserved = reserved_bytes();
  commit_small_ones(kSmallCommitsBefore + 1);
  EXPECT_EQ(reserved_bytes(), std::max(reserved, size_on_disk()));
  ASSERT_TRUE(file->Close(IOOptions(), nullptr).ok());
  EXPECT_EQ(size_on_disk(), appended.size());
  EXPECT_LE(reserved_bytes(), 4096U);
  expect_whole();
}

TEST_F(PrefilledWalTest, OtherFilesStayAsTheyAre) {
  for (const char* name : {"MANIFEST-000004", "000004.sst", "LOG", ".log", "a4.log", "4.log.old"}) {
    open(name);
    commit_small_ones(2 * kSmallCommitsBefore);
    EXPECT_EQ(size_on_disk(), appended.size()) << name;
  }
  FileOptions direct;
  direct.use_direct_writes = true;
  FileOptions mapped;
  mapped.use_mmap_writes = true;
  for (const FileOptions& options : {direct, mapped}) {
    open("000004.log", options);
    commit_small_ones(2 * kSmallCommitsBefore);
    EXPECT_EQ(size_on_disk(), appended.size());
  }
}

TEST_F(PrefilledWalTest, WithoutSpaceForZerosTheLogGoesOnWithoutThem) {
  open();
  commit_small_ones();
  calls.zeros = IOStatus::NoSpace("full");
  commit(100);
  EXPECT_EQ(calls.made, (Made{"append", "zeros", "sync"}));
  expect_whole();
  calls.zeros = IOStatus::OK();
  calls.made.clear();
  for (int i = 0; i < 100; ++i) {
    commit(100);
  }
  EXPECT_EQ(std::ranges::count(calls.made, "zeros"), 0) << "once is enough on a full disk";
  ASSERT_TRUE(file->Close(IOOptions(), nullptr).ok());
  EXPECT_EQ(size_on_disk(), appended.size());
  expect_whole();
}

TEST_F(PrefilledWalTest, AnyOtherFailureOfWritingZerosIsTheAppends) {
  open();
  commit_small_ones();
  calls.zeros = IOStatus::IOError("broken");
  EXPECT_TRUE(append(100).IsIOError());
}

TEST_F(PrefilledWalTest, BehindAFailedAppendNothingIsZeroedOrCutOff) {
  open();
  commit_small_ones(kSmallCommitsBefore + 1);
  calls.append = IOStatus::NoSpace("full");
  ASSERT_TRUE(append(100).IsNoSpace());
  calls.append = IOStatus::OK();
  const std::uint64_t size = size_on_disk();
  calls.made.clear();
  for (std::uint64_t i = 0; i < kPrefillBytes / 4096; ++i) {
    commit(4096);
  }
  EXPECT_EQ(std::ranges::count(calls.made, "zeros"), 0);
  EXPECT_GE(size_on_disk(), size);
  ASSERT_TRUE(file->Close(IOOptions(), nullptr).ok());
  // The half that was written of the failed one is still there, and all that came later.
  EXPECT_EQ(size_on_disk(), appended.size() + 50);
}

TEST_F(PrefilledWalTest, WithoutASecondDescriptorTheLogIsAsItWouldBe) {
  calls.open_zeros = IOStatus::IOError("too many open files");
  open();
  commit_small_ones(2 * kSmallCommitsBefore);
  EXPECT_EQ(size_on_disk(), appended.size());
  expect_whole();
}

TEST_F(PrefilledWalTest, AFileThatCannotBeMadeIsAnError) {
  EXPECT_FALSE(
      prefill_wals(rocksdb::FileSystem::Default())
          ->NewWritableFile(directory.file("nowhere/000004.log"), FileOptions(), &file, nullptr)
          .ok());
}

}  // namespace
}  // namespace weir::storage
