#pragma once

namespace weir::server {

/// Of `weir serve` and of the commands that work on directories.
inline constexpr int kExitDone = 0;
inline constexpr int kExitRefused = 1;
inline constexpr int kExitBadUsage = 2;
/// A serving broker could not go on: a commit has failed.
inline constexpr int kExitFailed = 3;

}  // namespace weir::server
