#pragma once

#include "proto/result.hpp"

#include <rocksdb/listener.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

namespace weir::storage {

/// Remembers the first failure of a store for good. Any thread.
class FailureLatch {
 public:
  /// Told once, on the thread that met the failure.
  explicit FailureLatch(std::function<void(const proto::Error&)> on_failed);

  /// The failure that counts: `error`, or the one that came before it. Comes back only when
  /// whoever is told has been: another thread that failed as well must not go on and run into an
  /// assertion while the process is about to end with an explanation.
  proto::Error fail(proto::Error error);
  [[nodiscard]] std::optional<proto::Error> failure() const;

 private:
  std::function<void(const proto::Error&)> on_failed_;
  std::mutex telling_;                // held while on_failed_ runs
  std::atomic<bool> failed_ = false;  // so that the usual question takes no lock
  mutable std::mutex mutex_;
  std::optional<proto::Error> first_;
};

/// What RocksDB tells about itself while it works. Its threads call; nothing here blocks.
class StoreEvents final : public rocksdb::EventListener {
 public:
  /// `on_wal_sync` hears how long each fsync of a WAL took; empty for nobody.
  StoreEvents(FailureLatch& failures, std::function<void(std::chrono::nanoseconds)> on_wal_sync);

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;
  bool ShouldBeNotifiedOnFileIO() override { return true; }
  /// The first sign of a failed write: what RocksDB does with the file next may be an assertion.
  void OnIOError(const rocksdb::IOErrorInfo& info) override;
  void OnFileSyncFinish(const rocksdb::FileOperationInfo& info) override;

  /// How often writes were slowed down or stopped until flushes or compactions caught up.
  [[nodiscard]] std::uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }

 private:
  FailureLatch& failures_;
  std::function<void(std::chrono::nanoseconds)> on_wal_sync_;
  std::atomic<std::uint64_t> stalls_ = 0;
};

}  // namespace weir::storage
