#pragma once

#include <cstdint>

namespace weir::server {

/// Raises what the process may have open to what it may raise it to; returns what it is then.
std::uint64_t raise_file_limit();

}  // namespace weir::server
