#include "storage/backup_dir.hpp"

#include "proto/batch/crc32c.hpp"

#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

std::string file_in(const std::string& path, std::string_view name) {
  return path + "/" + std::string(name);
}

bool has_file(const std::string& path, std::string_view name) {
  std::error_code error;
  return std::filesystem::exists(file_in(path, name), error);
}

proto::Error damaged(const std::string& file, std::string_view what) {
  return fail(Errc::kCorruptBatch, "'" + file + "' " + std::string(what));
}

proto::Result<proto::BackupManifest> read_manifest(const std::string& name) {
  const proto::Result<File> file = File::open(name, File::Mode::kRead);
  if (!file) {
    return file.error();
  }
  std::string text(proto::kMaxBackupManifestBytes + 1, '\0');
  const proto::Result<std::size_t> bytes = file->read_at(0, text);
  if (!bytes) {
    return bytes.error();
  }
  text.resize(*bytes);
  proto::Result<proto::BackupManifest> manifest = proto::parse_backup_manifest(text);
  if (!manifest) {
    return fail(manifest.error().code, "'" + name + "': " + manifest.error().message);
  }
  return manifest;
}

}  // namespace

bool BackupDir::is_one(const std::string& path) {
  return has_file(path, proto::kBackupManifestName) || has_file(path, proto::kBackupShardName);
}

proto::Result<BackupDir> BackupDir::open(const std::string& path) {
  if (!has_file(path, proto::kBackupManifestName)) {
    return fail(
        Errc::kCorruptBatch,
        "'" + path + "' is not a finished backup: it has no file MANIFEST, which is written last");
  }
  proto::Result<proto::BackupManifest> manifest =
      read_manifest(file_in(path, proto::kBackupManifestName));
  if (!manifest) {
    return manifest.error();
  }
  const std::string name = file_in(path, proto::kBackupShardName);
  proto::Result<File> shard = File::open(name, File::Mode::kRead);
  if (!shard) {
    return shard.error();
  }
  const proto::Result<std::uint64_t> size = shard->size();
  if (!size) {
    return size.error();
  }
  if (*size != manifest->shard_bytes) {
    return damaged(name, "is damaged: it has " + std::to_string(*size) + " bytes, not " +
                             std::to_string(manifest->shard_bytes));
  }
  return BackupDir(std::move(*shard), std::move(*manifest));
}

ByteSource BackupDir::source() {
  return [this](std::span<char> into) -> proto::Result<std::size_t> {
    const proto::Result<std::size_t> bytes = shard_.read_at(read_, into);
    if (bytes) {
      crc_ = proto::crc32c(crc_, std::string_view(into.data(), *bytes));
      read_ += *bytes;
    }
    return bytes;
  };
}

proto::Result<> BackupDir::check_end(const TransferSummary& rows) const {
  if (read_ != manifest_.shard_bytes || crc_ != manifest_.shard_crc) {
    return damaged(shard_.path(), "is damaged: its checksum is not the manifest's");
  }
  const bool fits = rows.rows == manifest_.rows && rows.bytes == manifest_.row_bytes &&
                    rows.digest == manifest_.rows_digest && rows.point.index == manifest_.commit &&
                    rows.point.digest == manifest_.commit_digest &&
                    rows.point.time == manifest_.commit_time;
  return fits ? proto::Result<>()
              : damaged(shard_.path(), "is of another backup than the manifest beside it");
}

}  // namespace weir::storage
