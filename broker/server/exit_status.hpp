#pragma once

namespace weir::server {

/// Of `weir serve` and of the commands that work on directories. A serving broker also ends with 3:
/// a commit has failed (end_process.hpp).
inline constexpr int kExitDone = 0;
inline constexpr int kExitRefused = 1;
inline constexpr int kExitBadUsage = 2;

}  // namespace weir::server
