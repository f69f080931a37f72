#include "bench/load/machine.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <thread>

namespace weir::bench {
namespace {

// Numbers of linux/magic.h, which has no header in C++'s reach on every system.
constexpr std::int64_t kTmpfs = 0x01021994;
constexpr std::int64_t kRamfs = 0x858458f6;
constexpr std::int64_t kExt = 0xef53;
constexpr std::int64_t kXfs = 0x58465342;
constexpr std::int64_t kBtrfs = 0x9123683e;
constexpr std::int64_t kOverlay = 0x794c7630;

std::string file_system_name(std::int64_t type) {
  switch (type) {
    case kTmpfs:
      return "tmpfs";
    case kRamfs:
      return "ramfs";
    case kExt:
      return "ext2/3/4";
    case kXfs:
      return "xfs";
    case kBtrfs:
      return "btrfs";
    case kOverlay:
      return "overlayfs";
    default:
      return "type " + std::to_string(type);
  }
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("model name")) {
      const std::size_t colon = line.find(": ");
      return colon == std::string::npos ? line : line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace

Report describe_machine(const std::string& directory, const std::string& command) {
  Report report("machine");
  report.add("cpu", cpu_model());
  report.add("cores", static_cast<double>(std::thread::hardware_concurrency()), "");
  utsname kernel{};
  if (uname(&kernel) == 0) {
    report.add("kernel", std::string(kernel.sysname) + " " + kernel.release);
  }
  struct statfs volume{};
  if (statfs(directory.c_str(), &volume) == 0) {
    report.add("file_system", file_system_name(static_cast<std::int64_t>(volume.f_type)));
  }
#ifdef __clang__
  report.add("compiler", "clang " __clang_version__);
#else
  report.add("compiler", "gcc " __VERSION__);
#endif
  report.add("build_type", WEIR_BENCH_BUILD_TYPE " " WEIR_BENCH_BUILD_FLAGS);
  report.add("version", WEIR_VERSION);
  report.add("sync", "every acknowledgement waits for fdatasync (group commit)");
  report.add("command", command);
  return report;
}

proto::Result<> check_is_disk(const std::string& directory) {
  struct statfs volume{};
  if (statfs(directory.c_str(), &volume) != 0) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       directory + " cannot be looked at: " + std::strerror(errno));
  }
  const auto type = static_cast<std::int64_t>(volume.f_type);
  if (type == kTmpfs || type == kRamfs) {
    return proto::fail(
        proto::Errc::kInvalidArgument,
        directory + " lies in memory (" + file_system_name(type) + "): name a directory on a disk");
  }
  return {};
}

}  // namespace weir::bench
