#include "storage/rocks/durable_names.hpp"

#include "tests/unit/storage/temp_dir.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using testing::ElementsAre;
using testing::HasSubstr;

// What reaches the file system below, in order, and how a sync of the folder ends.
struct Calls {
  std::vector<std::string> made;
  IOStatus sync;
};

class RecordedFolder final : public rocksdb::FSDirectory {
 public:
  explicit RecordedFolder(Calls& calls) : calls_(calls) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    calls_.made.emplace_back("sync folder");
    return calls_.sync;
  }
  [[nodiscard]] std::size_t GetUniqueId(char* /*id*/, std::size_t /*size*/) const override {
    return 0;
  }

 private:
  Calls& calls_;
};

class RecordedFiles final : public rocksdb::FileSystemWrapper {
 public:
  explicit RecordedFiles(Calls& calls)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), calls_(calls) {}
  [[nodiscard]] const char* Name() const override { return "RecordedFiles"; }

  IOStatus NewDirectory(const std::string& /*path*/, const IOOptions& /*options*/,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext* /*debug*/) override {
    *folder = std::make_unique<RecordedFolder>(calls_);
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    calls_.made.push_back("rename to " + to.substr(to.rfind('/') + 1));
    return FileSystemWrapper::RenameFile(from, to, options, debug);
  }

 private:
  Calls& calls_;
};

class DurableNames : public testing::Test {
 protected:
  IOStatus rename_to(const std::string& name) {
    const std::string from = dir_.file("000005.dbtmp");
    std::ofstream(from) << "MANIFEST-000005\n";
    return files_->RenameFile(from, dir_.file(name), IOOptions(), nullptr);
  }

  IOStatus sync_folder(const std::string& path) {
    std::unique_ptr<rocksdb::FSDirectory> folder;
    const IOStatus opened = files_->NewDirectory(path, IOOptions(), &folder, nullptr);
    return opened.ok() ? folder->FsyncWithDirOptions(IOOptions(), nullptr, {}) : opened;
  }

  TempDir dir_;
  Calls calls_;
  std::shared_ptr<rocksdb::FileSystem> files_ =
      make_names_durable(std::make_shared<RecordedFiles>(calls_));
};

TEST_F(DurableNames, SyncsTheFolderBeforeAFileBecomesCurrent) {
  EXPECT_TRUE(rename_to("CURRENT").ok());
  EXPECT_THAT(calls_.made, ElementsAre("sync folder", "rename to CURRENT"));
}

TEST_F(DurableNames, LeavesOtherRenamesAlone) {
  EXPECT_TRUE(rename_to("OPTIONS-000007").ok());
  EXPECT_THAT(calls_.made, ElementsAre("rename to OPTIONS-000007"));
}

TEST_F(DurableNames, DoesNotRenameAfterAFailedSync) {
  calls_.sync = IOStatus::IOError("planned");
  EXPECT_TRUE(rename_to("CURRENT").IsIOError());
  EXPECT_THAT(calls_.made, ElementsAre("sync folder"));
}

TEST_F(DurableNames, NeverSyncsAFolderAgainAfterAFailure) {
  calls_.sync = IOStatus::IOError("planned");
  EXPECT_TRUE(sync_folder("/a").IsIOError());
  calls_.sync = IOStatus::OK();
  const IOStatus again = sync_folder("/a");
  EXPECT_TRUE(again.IsIOError());
  EXPECT_THAT(again.ToString(), HasSubstr("/a"));
  EXPECT_THAT(calls_.made, ElementsAre("sync folder"));
}

TEST_F(DurableNames, KeepsTheFailuresOfFoldersApart) {
  calls_.sync = IOStatus::IOError("planned");
  EXPECT_TRUE(sync_folder("/a").IsIOError());
  calls_.sync = IOStatus::OK();
  EXPECT_TRUE(sync_folder("/b").ok());
}

}  // namespace
}  // namespace weir::storage
