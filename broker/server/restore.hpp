#pragma once

#include "broker/server/stored_facts.hpp"
#include "proto/result.hpp"

#include <string>
#include <vector>

namespace weir::server {

/// Makes a data directory of a backup, and reads everything back before it is one. No broker starts
/// on it unless this has succeeded; when it fails it takes away what it has written. The first
/// start begins a new incarnation, so that handles and producers from before are refused.
/// STORAGE_FAILED: `data_dir` is not empty, a broker has it, or it cannot be written.
/// CORRUPT_BATCH: the backup is not whole. DISK_FULL: there is less room than it needs.
[[nodiscard]] proto::Result<StoredFacts> restore(const std::string& backup,
                                                 const std::string& data_dir,
                                                 const WorkWatch& watch);

/// `weir restore` with these arguments. Exit status: 0 restored, 1 not, 2 bad usage.
int restore_main(const std::vector<std::string>& args);

}  // namespace weir::server
