#pragma once

#include <string>

namespace weir::server {

/// Log lines go to stderr, one event a line (broker/logging), at `level` and above, as `format`:
/// text or json. What users send never stands in them. Called again, it changes both from the next
/// line on; any thread.
void start_logging(const std::string& level, const std::string& format);
/// Writes what is buffered.
void flush_log();

}  // namespace weir::server
