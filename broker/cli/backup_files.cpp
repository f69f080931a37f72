#include "broker/cli/backup_files.hpp"

#include "broker/cli/output.hpp"
#include "proto/backup_manifest.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

Error cannot(const char* do_what, const std::string& path, int number) {
  return Error(ErrorCode::kInternal,
               std::string("cannot ") + do_what + " '" + path +
                   "': " + std::error_code(number, std::generic_category()).message());
}

Result<> write_to(int fd, std::string_view bytes, const std::string& path) {
  const int number = write_all(fd, bytes);
  return number == 0 ? Result<>() : Result<>(cannot("write", path, number));
}

Result<int> make_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  return fd >= 0 ? Result<int>(fd) : Result<int>(cannot("create", path, errno));
}

// A sync that failed is not tried again: the pages may be gone.
Result<> sync_and_close(int fd, const std::string& path) {
  const int synced = ::fsync(fd);
  const int number = errno;
  ::close(fd);
  return synced == 0 ? Result<>() : Result<>(cannot("sync", path, number));
}

Result<> sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd >= 0 ? sync_and_close(fd, path) : Result<>(cannot("open", path, errno));
}

std::string parent_of(const std::string& directory) {
  const fs::path path = fs::absolute(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).parent_path().string();
}

std::string file_in(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string(name);
}

}  // namespace

Result<> BackupFiles::check(const std::string& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) {
    return {};
  }
  if (status.type() == fs::file_type::directory && fs::is_empty(directory, error) && !error) {
    return {};
  }
  if (error) {
    return cannot("look at", directory, error.value());
  }
  return Error(ErrorCode::kAlreadyExists,
               "'" + directory + "' is not an empty directory, and a backup needs one of its own");
}

Result<BackupFiles> BackupFiles::create(const std::string& directory) {
  if (Result<> free = check(directory); !free) {
    return std::move(free).error();
  }
  std::error_code error;
  const bool is_made = fs::create_directory(directory, error);
  if (error) {
    return cannot("create", directory, error.value());
  }
  Result<int> shard = make_file(file_in(directory, proto::kBackupShardName));
  if (!shard) {
    if (is_made) {
      fs::remove(directory, error);
    }
    return std::move(shard).error();
  }
  return BackupFiles(directory, is_made, *shard);
}

BackupFiles::BackupFiles(BackupFiles&& other) noexcept
    : directory_(std::move(other.directory_)),
      is_made_(other.is_made_),
      shard_(std::exchange(other.shard_, -1)) {}

BackupFiles::~BackupFiles() {
  if (shard_ < 0) {
    return;
  }
  ::close(shard_);
  const std::string manifest = file_in(directory_, proto::kBackupManifestName);
  // The one that says that the others are whole goes first.
  std::error_code ignored;
  fs::remove(manifest, ignored);
  fs::remove(manifest + ".new", ignored);
  fs::remove(file_in(directory_, proto::kBackupShardName), ignored);
  if (is_made_) {
    fs::remove(directory_, ignored);
  }
}

Result<> BackupFiles::write(std::string_view bytes) {
  return write_to(shard_, bytes, file_in(directory_, proto::kBackupShardName));
}

Result<> BackupFiles::finish(std::string_view text) {
  const std::string shard = file_in(directory_, proto::kBackupShardName);
  if (::fsync(shard_) != 0) {
    return cannot("sync", shard, errno);
  }
  const std::string manifest = file_in(directory_, proto::kBackupManifestName);
  const std::string unfinished = manifest + ".new";
  Result<int> file = make_file(unfinished);
  if (!file) {
    return std::move(file).error();
  }
  Result<> written = write_to(*file, text, unfinished);
  Result<> synced = sync_and_close(*file, unfinished);
  if (!written || !synced) {
    return written ? std::move(synced) : std::move(written);
  }
  // The bytes' own name first: whoever sees the manifest sees them.
  if (Result<> named = sync_directory(directory_); !named) {
    return named;
  }
  if (::rename(unfinished.c_str(), manifest.c_str()) != 0) {
    return cannot("create", manifest, errno);
  }
  if (Result<> named = sync_directory(directory_); !named) {
    return named;
  }
  if (Result<> named = is_made_ ? sync_directory(parent_of(directory_)) : Result<>(); !named) {
    return named;
  }
  ::close(std::exchange(shard_, -1));
  return {};
}

}  // namespace weir::cli
