#include "storage/file.hpp"

#include "proto/planted_bugs.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::storage {
namespace {

proto::Error system_error(std::string_view action, const std::string& path) {
  const int number = errno;
  return proto::fail(proto::Errc::kStorageFailed,
                     "cannot " + std::string(action) + " '" + path +
                         "': " + std::generic_category().message(number));
}

int flags_of(File::Mode mode) {
  switch (mode) {
    case File::Mode::kRead:
      return O_RDONLY | O_CLOEXEC;
    case File::Mode::kReadWrite:
      return O_RDWR | O_CLOEXEC;
    case File::Mode::kCreate:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    case File::Mode::kOpenOrCreate:
      return O_RDWR | O_CREAT | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

// Repeats a call that a signal interrupted before it did anything.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

proto::Result<> write_whole(const std::string& path, std::string_view content) {
  proto::Result<File> file = File::open(path, File::Mode::kOpenOrCreate);
  if (!file) {
    return file.error();
  }
  if (const proto::Result<> emptied = file->truncate(); !emptied) {
    return emptied.error();
  }
  if (const proto::Result<> written = file->write_at(0, content); !written) {
    return written.error();
  }
  return file->sync();
}

}  // namespace

proto::Result<File> File::open(std::string path, Mode mode) {
  const int descriptor =
      uninterrupted([&] { return ::open(path.c_str(), flags_of(mode), S_IRUSR | S_IWUSR); });
  if (descriptor < 0) {
    return system_error(mode == Mode::kCreate ? "create" : "open", path);
  }
  return File(std::move(path), descriptor);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);  // what has to be durable was synced; nothing is left to fail
  }
}

proto::Result<std::size_t> File::read_at(std::uint64_t offset, std::span<char> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = uninterrupted([&] {
      return ::pread(descriptor_, out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    });
    if (count < 0) {
      return system_error("read", path_);
    }
    if (count == 0) {
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  return done;
}

proto::Result<> File::write_at(std::uint64_t offset, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = uninterrupted([&] {
      return ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                      static_cast<off_t>(offset + done));
    });
    if (count < 0) {
      return system_error("write", path_);
    }
    done += static_cast<std::size_t>(count);
  }
  return {};
}

proto::Result<> File::truncate(std::uint64_t size) {
  if (uninterrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0) {
    return system_error("truncate", path_);
  }
  return {};
}

proto::Result<std::uint64_t> File::size() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) {
    return system_error("examine", path_);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

proto::Result<> File::sync() {
  if (::fdatasync(descriptor_) != 0) {
    return system_error("sync", path_);
  }
  return {};
}

proto::Result<bool> File::try_lock() {
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) {
    return true;
  }
  if (errno == EWOULDBLOCK) {
    return false;
  }
  return system_error("lock", path_);
}

proto::Result<> sync_directory(const std::string& path) {
  const int descriptor =
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) {
    return system_error("open", path);
  }
  const int synced = WEIR_PLANTED(forget_to_sync_directories) ? 0 : ::fsync(descriptor);
  const int number = errno;
  ::close(descriptor);
  if (synced != 0) {
    errno = number;
    return system_error("sync", path);
  }
  return {};
}

proto::Result<> create_durably(const std::string& path, std::string_view content) {
  // Left over from a crash in the middle, if it is there; the name is ours alone.
  const std::string temporary = path + ".new";
  if (const proto::Result<> written = write_whole(temporary, content); !written) {
    return written.error();
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    return system_error("create", path);
  }
  return sync_directory(std::filesystem::path(path).parent_path().string());
}

proto::Result<DiskSpace> disk_space(const std::string& path) {
  struct statvfs status{};
  if (uninterrupted([&] { return ::statvfs(path.c_str(), &status); }) != 0) {
    return system_error("examine the file system of", path);
  }
  return DiskSpace{.free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize,
                   .total_bytes = std::uint64_t{status.f_blocks} * status.f_frsize};
}

}  // namespace weir::storage
