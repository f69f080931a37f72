#pragma once

#include "proto/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace weir::faults {

/// A control group with a memory limit, for one process. Needs root and the memory controller: the
/// one of version 1 mounted at /sys/fs/cgroup/memory, or version 2 at /sys/fs/cgroup.
class ControlGroup {
 public:
  /// INTERNAL: no such controller, or it may not be used.
  static proto::Result<ControlGroup> make(std::uint64_t limit_bytes);
  ControlGroup(ControlGroup&& other) noexcept;
  ControlGroup& operator=(ControlGroup&&) = delete;
  /// Removes it; nobody is in it any more.
  ~ControlGroup();

  /// A process that writes 0 there enters.
  [[nodiscard]] std::string entry() const { return (path_ / "cgroup.procs").string(); }
  /// The most that its members had at a time, what the system keeps of their files included.
  [[nodiscard]] std::uint64_t peak_bytes() const;
  /// How often somebody in it was killed for want of memory.
  [[nodiscard]] std::uint64_t kills() const;

 private:
  ControlGroup(std::filesystem::path path, bool is_v1);

  std::filesystem::path path_;
  bool is_v1_;
};

}  // namespace weir::faults
