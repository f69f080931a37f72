#include "storage/rocks/durable_names.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace weir::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// How the first failed sync of each folder ended. Any thread.
class FailedFolders {
 public:
  IOStatus sync(const std::string& path, rocksdb::FSDirectory& folder, const IOOptions& options,
                IODebugContext* debug, const rocksdb::DirFsyncOptions& reason) {
    const std::scoped_lock lock(mutex_);
    if (const auto failed = failures_.find(path); failed != failures_.end()) {
      return failed->second;
    }
    IOStatus synced = folder.FsyncWithDirOptions(options, debug, reason);
    // The file system below does not name the folder.
    if (!synced.ok()) {
      synced = IOStatus::IOError("While syncing folder " + path, synced.ToString());
      failures_.emplace(path, synced);
    }
    return synced;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, IOStatus> failures_;
};

class Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(std::string path, std::unique_ptr<rocksdb::FSDirectory> folder,
         std::shared_ptr<FailedFolders> failed)
      : FSDirectoryWrapper(folder.get()),
        path_(std::move(path)),
        folder_(std::move(folder)),
        failed_(std::move(failed)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return failed_->sync(path_, *folder_, options, debug, rocksdb::DirFsyncOptions());
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& reason) override {
    return failed_->sync(path_, *folder_, options, debug, reason);
  }

 private:
  std::string path_;
  std::unique_ptr<rocksdb::FSDirectory> folder_;
  std::shared_ptr<FailedFolders> failed_;
};

class DurableNames final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  [[nodiscard]] const char* Name() const override { return "DurableNames"; }

  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext* debug) override {
    IOStatus opened = target()->NewDirectory(path, options, folder, debug);
    if (opened.ok()) {
      *folder = std::make_unique<Folder>(path, std::move(*folder), failed_);
    }
    return opened;
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    if (to.ends_with("/CURRENT")) {
      std::unique_ptr<rocksdb::FSDirectory> folder;
      IOStatus synced = NewDirectory(to.substr(0, to.rfind('/')), options, &folder, debug);
      if (synced.ok()) {
        synced = folder->Fsync(options, debug);
      }
      if (!synced.ok()) {
        return synced;
      }
    }
    return target()->RenameFile(from, to, options, debug);
  }

 private:
  std::shared_ptr<FailedFolders> failed_ = std::make_shared<FailedFolders>();
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_names_durable(
    const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<DurableNames>(base);
}

}  // namespace weir::storage
