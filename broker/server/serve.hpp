#pragma once

#include <string>
#include <vector>

namespace weir::server {

/// `weir serve` with these arguments: runs a broker until it is asked to stop. Returns the exit
/// status: 0 stopped on a signal, 1 could not start, 2 bad flags or settings. A failed commit ends
/// the process with 3, a second signal with 1.
int serve_main(const std::vector<std::string>& args);

/// Its flags, as "--data-dir".
std::vector<std::string> serve_flags();

}  // namespace weir::server
