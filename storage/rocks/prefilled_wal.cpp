#include "storage/rocks/prefilled_wal.hpp"

#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <string_view>
#include <utility>

namespace weir::storage {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSRandomRWFile;
using rocksdb::FSWritableFile;
using rocksdb::FSWritableFileOwnerWrapper;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::array<char, kPrefillBytes> kZeros = {};

// RocksDB names nothing else like this.
bool is_wal(std::string_view path) {
  constexpr std::string_view kEnding = ".log";
  if (!path.ends_with(kEnding)) {
    return false;
  }
  path.remove_suffix(kEnding.size());
  const std::string_view number = path.substr(path.rfind('/') + 1);
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

// Appends go to where the last one ended, not to the end of the file: RocksDB opens a new file
// without O_APPEND. RocksDB may sync on another thread than the one that appends.
class PrefilledWal final : public FSWritableFileOwnerWrapper {
 public:
  /// `zeros` is a second descriptor of the same file.
  PrefilledWal(std::unique_ptr<FSWritableFile> file, std::unique_ptr<FSRandomRWFile> zeros)
      : FSWritableFileOwnerWrapper(std::move(file)), zeros_(std::move(zeros)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return appended(data.size(), FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const DataVerificationInfo& verification, IODebugContext* debug) override {
    return appended(data.size(),
                    FSWritableFileOwnerWrapper::Append(data, options, verification, debug));
  }

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = FSWritableFileOwnerWrapper::Sync(options, debug);
    if (!status.ok() && WEIR_PLANTED(retry_failed_sync)) {
      status = FSWritableFileOwnerWrapper::Sync(options, debug);
    }
    return synced(std::move(status));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return synced(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    const std::uint64_t end = target()->GetFileSize(options, debug);
    if (zeros_end_ > end) {
      // The file below cuts off only what it reserved itself. Zeros that stay do no harm.
      target()->Truncate(end, options, debug).PermitUncheckedError();
    }
    return FSWritableFileOwnerWrapper::Close(options, debug);
  }

 private:
  IOStatus appended(std::size_t bytes, IOStatus status) {
    if (!status.ok()) {
      // A part may have been written, so nobody knows any more where the next append goes.
      zeros_.reset();
      zeros_end_ = 0;
      return status;
    }
    const std::uint64_t unsynced = unsynced_bytes_ += bytes;
    const std::uint64_t end = target()->GetFileSize(IOOptions(), nullptr);
    const bool is_wanted = small_commits_ >= kSmallCommitsBefore && unsynced <= kSmallCommitBytes;
    return is_wanted && zeros_ && end > zeros_end_ ? write_zeros_from(end) : status;
  }

  IOStatus write_zeros_from(std::uint64_t end) {
    const std::uint64_t begin = WEIR_PLANTED(zeros_over_the_last_record) ? end - 1 : end;
    zeros_end_ = (end + kPrefillBytes) / kPageBytes * kPageBytes;
    IOStatus written =
        zeros_->Write(begin, Slice(kZeros.data(), zeros_end_ - begin), IOOptions(), nullptr);
    if (written.IsNoSpace()) {
      // The commit has its space. What was zeroed before the disk was full is written over.
      zeros_.reset();
      return IOStatus::OK();
    }
    return written;
  }

  IOStatus synced(IOStatus status) {
    const std::uint64_t bytes = unsynced_bytes_.exchange(0);
    if (bytes > kSmallCommitBytes) {
      small_commits_ = 0;
    } else if (bytes > 0) {
      ++small_commits_;
    }
    return status;
  }

  std::unique_ptr<FSRandomRWFile> zeros_;  // gone when there is no more to be written
  std::uint64_t zeros_end_ = 0;            // behind it nothing of ours was written
  std::atomic<std::uint64_t> unsynced_bytes_ = 0;
  std::atomic<std::uint32_t> small_commits_ = 0;  // in a row, up to the last sync
};

class PrefillingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  [[nodiscard]] const char* Name() const override { return "PrefillingFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    IOStatus made = target()->NewWritableFile(path, options, file, debug);
    if (!made.ok() || !is_wal(path) || options.use_direct_writes || options.use_mmap_writes) {
      return made;
    }
    std::unique_ptr<FSRandomRWFile> zeros;
    // It fails where descriptors have run out; the log is as good without zeros.
    if (target()->NewRandomRWFile(path, options, &zeros, debug).ok()) {
      *file = std::make_unique<PrefilledWal>(std::move(*file), std::move(zeros));
    }
    return made;
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> prefill_wals(
    const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<PrefillingFileSystem>(base);
}

}  // namespace weir::storage
