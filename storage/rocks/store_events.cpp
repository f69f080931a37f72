#include "storage/rocks/store_events.hpp"

#include "storage/data_dir.hpp"

#include <string>
#include <utility>

namespace weir::storage {

FailureLatch::FailureLatch(std::function<void(const proto::Error&)> on_failed)
    : on_failed_(std::move(on_failed)) {}

proto::Error FailureLatch::fail(proto::Error error) {
  const std::scoped_lock told(telling_);
  {
    const std::scoped_lock lock(mutex_);
    if (first_) {
      return *first_;
    }
    first_ = error;
    failed_.store(true, std::memory_order_release);
  }
  if (on_failed_) {
    on_failed_(error);
  }
  return error;
}

std::optional<proto::Error> FailureLatch::failure() const {
  if (!failed_.load(std::memory_order_acquire)) {
    return std::nullopt;
  }
  const std::scoped_lock lock(mutex_);
  return first_;
}

StoreEvents::StoreEvents(FailureLatch& failures,
                         std::function<void(std::chrono::nanoseconds)> on_wal_sync)
    : failures_(failures), on_wal_sync_(std::move(on_wal_sync)) {}

void StoreEvents::OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                                    rocksdb::Status* error) {
  // Reads go on in this state and a Put may even succeed once more, so this call is the only sure
  // sign. Nothing is suppressed: the store takes no further write.
  std::string what = "the database failed in the background: " + error->ToString();
  if (error->IsCorruption()) {
    what += ". Nothing is written any more, and the database's other files are as they were. " +
            std::string(kRestoreAdvice);
  }
  failures_.fail(proto::fail(proto::Errc::kStorageFailed, std::move(what)));
}

void StoreEvents::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/,
                                       rocksdb::Status error, bool* auto_recovery) {
  error.PermitUncheckedError();
  // A failed fsync may have dropped pages that a second one would report as written.
  *auto_recovery = false;
}

void StoreEvents::OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) {
  if (info.condition.cur != rocksdb::WriteStallCondition::kNormal) {
    stalls_.fetch_add(1, std::memory_order_relaxed);
  }
}

void StoreEvents::OnIOError(const rocksdb::IOErrorInfo& info) {
  using FileOperation = rocksdb::FileOperationType;
  if (info.operation == FileOperation::kRead || info.operation == FileOperation::kOpen) {
    return;  // of a reader: told to whoever reads
  }
  failures_.fail(proto::fail(proto::Errc::kStorageFailed,
                             "a write of the database failed: " + info.io_status.ToString()));
}

void StoreEvents::OnFileSyncFinish(const rocksdb::FileOperationInfo& info) {
  if (on_wal_sync_ && info.path.ends_with(".log")) {
    on_wal_sync_(info.duration);
  }
}

}  // namespace weir::storage
