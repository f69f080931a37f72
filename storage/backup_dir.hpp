#pragma once

#include "proto/backup_manifest.hpp"
#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/file.hpp"
#include "storage/transfer_reader.hpp"

#include <cstdint>
#include <string>

namespace weir::storage {

/// A finished backup, to be read once from one end to the other: the file kBackupShardName is an
/// exported shard, and the manifest beside it says how it must look (proto/backup_manifest.hpp).
class BackupDir {
 public:
  /// Reads the manifest. CORRUPT_BATCH: there is none, so the backup was not finished, it is
  /// damaged, or the shard's file has not the size that it says. UNSUPPORTED: of a newer version.
  /// Otherwise STORAGE_FAILED.
  [[nodiscard]] static proto::Result<BackupDir> open(const std::string& path);
  /// Whether it holds a file of a backup, whole or not.
  [[nodiscard]] static bool is_one(const std::string& path);

  [[nodiscard]] const proto::BackupManifest& manifest() const { return manifest_; }
  /// Gives the shard's bytes; this must stay where it is for as long.
  [[nodiscard]] ByteSource source();
  /// Behind the last byte: whether they were those of the manifest, and held `rows`. CORRUPT_BATCH.
  [[nodiscard]] proto::Result<> check_end(const TransferSummary& rows) const;

 private:
  BackupDir(File shard, proto::BackupManifest manifest)
      : shard_(std::move(shard)), manifest_(std::move(manifest)) {}

  File shard_;
  proto::BackupManifest manifest_;
  std::uint64_t read_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace weir::storage
