#pragma once

#include "proto/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace weir::faults {

/// A file system of a few hundred MiB that really fills up, mounted on a directory. Only this
/// process and those that it starts afterwards see it (a mount namespace of their own): it is gone
/// with the last of them, however they end.
class SmallDisk {
 public:
  /// Mounts ext4 on a loop device where that is allowed (as root), else a tmpfs. `scratch` takes
  /// the ext4's bytes, in a file that has lost its name already; `mount_point` must exist. Once in
  /// a process, before it has threads. INTERNAL with what is missing.
  static proto::Result<SmallDisk> mount(const std::filesystem::path& scratch,
                                        const std::filesystem::path& mount_point,
                                        std::uint64_t bytes);
  SmallDisk(SmallDisk&& other) noexcept;
  SmallDisk& operator=(SmallDisk&& other) = delete;
  /// Unmounts it, also when it is in use.
  ~SmallDisk();

  /// "ext4 on a loop device" or "tmpfs".
  [[nodiscard]] const std::string& kind() const { return kind_; }
  [[nodiscard]] std::uint64_t free_bytes() const;

  /// Lets a file of somebody else's grow by a piece; true once at most `left` bytes are free.
  bool eat(std::uint64_t left);
  /// Gives all of that back.
  void give_back();

 private:
  SmallDisk(std::filesystem::path mount_point, std::string kind);

  std::filesystem::path mount_point_;
  std::string kind_;
};

}  // namespace weir::faults
