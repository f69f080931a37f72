#pragma once

#include "weir/result.hpp"

#include <string>
#include <string_view>

namespace weir::cli {

/// The directory of a backup while it is made: the bytes first, then the text that says that they
/// are whole, each durable before the next. What is not finished is taken away again with the
/// object, and the directory too if it was made for it. Errors name the file.
class BackupFiles {
 public:
  /// ALREADY_EXISTS unless `directory` is empty or not there (its parent must be). Changes nothing.
  [[nodiscard]] static Result<> check(const std::string& directory);
  /// As check(), and makes the directory and its file.
  [[nodiscard]] static Result<BackupFiles> create(const std::string& directory);

  BackupFiles(BackupFiles&& other) noexcept;
  BackupFiles& operator=(BackupFiles&&) = delete;
  BackupFiles(const BackupFiles&) = delete;
  BackupFiles& operator=(const BackupFiles&) = delete;
  ~BackupFiles();

  /// Appends to the shard's file.
  [[nodiscard]] Result<> write(std::string_view bytes);
  /// Makes all of it durable; success is what makes the directory a backup.
  [[nodiscard]] Result<> finish(std::string_view manifest);

 private:
  BackupFiles(std::string directory, bool is_made, int shard)
      : directory_(std::move(directory)), is_made_(is_made), shard_(shard) {}

  std::string directory_;
  bool is_made_;    // by us
  int shard_ = -1;  // the file; -1 when there is nothing to take away
};

}  // namespace weir::cli
