#include "tests/faults/control_group.hpp"

#include <fstream>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::faults {
namespace {

namespace fs = std::filesystem;
using proto::Errc;
using proto::fail;

bool write_to(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text << std::flush;
  return out.good();
}

std::uint64_t read_number(const fs::path& file) {
  std::ifstream in(file);
  std::uint64_t number = 0;
  in >> number;
  return number;
}

/// The number behind `key` in a file of "key number" lines.
std::uint64_t read_field(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  std::string word;
  std::uint64_t number = 0;
  while (in >> word >> number) {
    if (word == key) {
      return number;
    }
  }
  return 0;
}

}  // namespace

ControlGroup::ControlGroup(fs::path path, bool is_v1) : path_(std::move(path)), is_v1_(is_v1) {}

ControlGroup::ControlGroup(ControlGroup&& other) noexcept
    : path_(std::exchange(other.path_, {})), is_v1_(other.is_v1_) {}

ControlGroup::~ControlGroup() {
  if (!path_.empty()) {
    ::rmdir(path_.c_str());
  }
}

proto::Result<ControlGroup> ControlGroup::make(std::uint64_t limit_bytes) {
  const fs::path v1 = "/sys/fs/cgroup/memory";
  const fs::path v2 = "/sys/fs/cgroup";
  const std::string name = "weir-faults-" + std::to_string(::getpid());
  const std::string limit = std::to_string(limit_bytes);
  std::error_code error;
  if (fs::exists(v1 / "memory.limit_in_bytes", error)) {
    ControlGroup group(v1 / name, true);
    if (fs::create_directory(group.path_, error) &&
        write_to(group.path_ / "memory.limit_in_bytes", limit)) {
      return group;
    }
  } else if (fs::exists(v2 / "cgroup.controllers", error)) {
    (void)write_to(v2 / "cgroup.subtree_control", "+memory");
    ControlGroup group(v2 / name, false);
    if (fs::create_directory(group.path_, error) && write_to(group.path_ / "memory.max", limit)) {
      (void)write_to(group.path_ / "memory.swap.max", "0");  // not there without swap
      return group;
    }
  }
  return fail(
      Errc::kInternal,
      "no memory limit can be set: it needs root and the memory controller of control "
      "groups, version 1 at /sys/fs/cgroup/memory or version 2 at /sys/fs/cgroup, writable");
}

std::uint64_t ControlGroup::peak_bytes() const {
  return read_number(path_ / (is_v1_ ? "memory.max_usage_in_bytes" : "memory.peak"));
}

std::uint64_t ControlGroup::kills() const {
  return read_field(path_ / (is_v1_ ? "memory.oom_control" : "memory.events"), "oom_kill");
}

}  // namespace weir::faults
