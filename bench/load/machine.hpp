#pragma once

#include "bench/load/report.hpp"
#include "proto/result.hpp"

#include <string>

namespace weir::bench {

/// CPU, cores, kernel, compiler, build type and the file system below `directory`: figures of
/// different machines must not be compared.
[[nodiscard]] Report describe_machine(const std::string& directory, const std::string& command);

/// INVALID_ARGUMENT when `directory` lies in memory (tmpfs, ramfs), where a sync costs nothing and
/// every figure would be a lie, or cannot be looked at.
[[nodiscard]] proto::Result<> check_is_disk(const std::string& directory);

}  // namespace weir::bench
