#pragma once

#include <string>

namespace weir::server {

/// Log lines go to stderr, one event a line, UTC, at `level` and above. What users send never
/// stands in them.
void start_logging(const std::string& level);
/// Writes what is buffered.
void flush_log();

}  // namespace weir::server
