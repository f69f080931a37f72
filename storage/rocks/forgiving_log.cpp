#include "storage/rocks/forgiving_log.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace weir::storage {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::FSWritableFileOwnerWrapper;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

bool is_info_log(std::string_view path) {
  return path.substr(path.rfind('/') + 1).starts_with("LOG");
}

class ForgivingFile final : public FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return forgiven(FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const DataVerificationInfo& verification, IODebugContext* debug) override {
    return forgiven(FSWritableFileOwnerWrapper::Append(data, options, verification, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return forgiven(FSWritableFileOwnerWrapper::Flush(options, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return forgiven(FSWritableFileOwnerWrapper::Close(options, debug));
  }

 private:
  static IOStatus forgiven(const IOStatus& status) {
    status.PermitUncheckedError();
    return IOStatus::OK();
  }
};

class ForgivingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  [[nodiscard]] const char* Name() const override { return "ForgivingFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    IOStatus made = target()->NewWritableFile(path, options, file, debug);
    if (made.ok() && is_info_log(path)) {
      *file = std::make_unique<ForgivingFile>(std::move(*file));
    }
    return made;
  }

  // The wrapper's would have the file made below us.
  IOStatus NewLogger(const std::string& path, const IOOptions& options,
                     std::shared_ptr<rocksdb::Logger>* logger, IODebugContext* debug) override {
    // NOLINTNEXTLINE(bugprone-parent-virtual-call)
    return FileSystem::NewLogger(path, options, logger, debug);
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> forgive_info_log(
    const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<ForgivingFileSystem>(base);
}

}  // namespace weir::storage
