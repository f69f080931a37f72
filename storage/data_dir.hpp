#pragma once

#include "proto/result.hpp"
#include "storage/file.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::storage {

/// What this program writes. A directory of an older format is taken over, of a newer one refused.
inline constexpr std::uint32_t kDataFormat = 2;

/// What a refused start tells a person whose data is damaged or missing.
inline constexpr std::string_view kDamageAdvice =
    "Restore the data directory from a backup, or start once with --accept-damage to go on with "
    "what is left.";

/// The same where going on is not possible.
inline constexpr std::string_view kRestoreAdvice =
    "Restore the data directory from a backup (--accept-damage does not help here).";

/// The directory that holds everything a broker stores, owned by one process as long as this lives:
///
///     FORMAT   what wrote it: "weir 2"; while a backup is restored here, FORMAT.restoring
///     lock     held with flock; names the process that has it
///     db/      the database
///     mark     how far the commits had got (mark_file.hpp)
class DataDir {
 public:
  /// Takes the directory, and makes it when only the last part of `path` is missing. Errors, all
  /// STORAGE_FAILED with a message for a person: the parent is missing, it cannot be written,
  /// another process has it, it holds something else, or a newer format (then nothing in it is
  /// changed).
  [[nodiscard]] static proto::Result<DataDir> open(std::string path);
  /// Takes a directory of this format in which a broker has been; makes and changes nothing in it.
  /// Errors as above.
  [[nodiscard]] static proto::Result<DataDir> open_existing(std::string path);
  /// Takes an empty directory, and makes it as above, for what a restore is to put there. No broker
  /// starts on it until finish_restore(). Errors as above; it must hold nothing.
  [[nodiscard]] static proto::Result<DataDir> begin_restore(std::string path);
  /// Durably: from here on it is a data directory as any.
  [[nodiscard]] proto::Result<> finish_restore();
  /// Takes everything away again that a restore has put there.
  void abandon_restore();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string database_path() const { return path_ + "/db"; }
  [[nodiscard]] std::string mark_path() const { return path_ + "/mark"; }
  /// Asked often: sends are refused while little is left.
  [[nodiscard]] proto::Result<DiskSpace> space() const { return disk_space(path_); }

 private:
  DataDir(std::string path, File lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  File lock_;
};

}  // namespace weir::storage
