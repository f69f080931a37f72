#pragma once

#include "broker/server/stored_facts.hpp"
#include "proto/result.hpp"

#include <string>
#include <vector>

namespace weir::server {

/// Looks at everything in a backup's directory, or in the data directory of a broker that does not
/// run; changes nothing. What is damaged is the error: CORRUPT_BATCH or STORAGE_FAILED.
[[nodiscard]] proto::Result<StoredFacts> verify(const std::string& directory,
                                                const WorkWatch& watch);

/// `weir verify` with these arguments. Exit status: 0 whole, 1 damaged, in use or not there, 2 bad
/// usage.
int verify_main(const std::vector<std::string>& args);

}  // namespace weir::server
