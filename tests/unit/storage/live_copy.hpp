#pragma once

#include <filesystem>
#include <system_error>

namespace weir::storage {

/// Copies the folder of an open database, which goes on with its work meanwhile, as a kill would
/// leave it. Begins anew when a file was renamed or removed between being seen and being copied.
inline void copy_live(const std::filesystem::path& from, const std::filesystem::path& to) {
  constexpr int kTries = 100;
  for (int i = 1;; ++i) {
    std::error_code failed;
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, failed);
    if (!failed) {
      return;
    }
    std::filesystem::remove_all(to);
    if (failed != std::errc::no_such_file_or_directory || i == kTries) {
      throw std::filesystem::filesystem_error("cannot copy a live database", from, to, failed);
    }
  }
}

}  // namespace weir::storage
