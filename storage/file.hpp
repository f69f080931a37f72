#pragma once

#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The few things that lie beside the database: read and written with every error looked at.
// All errors are STORAGE_FAILED and name the file. No call is repeated after an error of a sync:
// the pages may be gone, and a second one would succeed without them.
namespace weir::storage {

/// An open file, closed when it goes.
class File {
 public:
  enum class Mode : std::uint8_t {
    kRead,
    kReadWrite,  // must exist
    kCreate,     // must not exist
    kOpenOrCreate,
  };
  [[nodiscard]] static proto::Result<File> open(std::string path, Mode mode);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  /// Reads up to out.size() bytes at `offset`; fewer only where the file ends.
  [[nodiscard]] proto::Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const;
  [[nodiscard]] proto::Result<> write_at(std::uint64_t offset, std::string_view bytes);
  /// Cuts off everything from `size` on.
  [[nodiscard]] proto::Result<> truncate(std::uint64_t size = 0);
  [[nodiscard]] proto::Result<std::uint64_t> size() const;
  /// fdatasync: the bytes, and the size if it changed.
  [[nodiscard]] proto::Result<> sync();
  /// Takes the advisory lock that only one process can have; false when another has it. It goes
  /// with the file.
  [[nodiscard]] proto::Result<bool> try_lock();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  File(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_ = -1;
};

/// Makes names in a directory durable: created, renamed and removed ones.
[[nodiscard]] proto::Result<> sync_directory(const std::string& path);

/// Writes a whole file so that after a crash it is there complete or not at all.
[[nodiscard]] proto::Result<> create_durably(const std::string& path, std::string_view content);

/// Free bytes for this process, and the size of the file system that holds `path`.
struct DiskSpace {
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};
[[nodiscard]] proto::Result<DiskSpace> disk_space(const std::string& path);

}  // namespace weir::storage
