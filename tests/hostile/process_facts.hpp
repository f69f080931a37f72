#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace weir::hostile {

/// A line of /proc/PID/status in KiB, such as "VmRSS:" or "VmHWM:"; 0 when there is none.
inline std::uint64_t status_kib(pid_t pid, std::string_view line) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; in >> word;) {
    if (word == line) {
      std::uint64_t kib = 0;
      in >> kib;
      return kib;
    }
  }
  return 0;
}

/// How many files a process has open.
inline std::size_t open_files(pid_t pid) {
  std::error_code ignored;
  const std::filesystem::directory_iterator files("/proc/" + std::to_string(pid) + "/fd", ignored);
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace weir::hostile
