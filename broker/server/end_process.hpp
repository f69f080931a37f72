#pragma once

#include "proto/error.hpp"

namespace weir::server {

/// Logs the failure and ends the process at once (kExitFailed), from any thread: after a failed
/// commit nothing more may be written, not even by an orderly end. Recovery is the next start's.
[[noreturn]] void end_process(const proto::Error& error);

}  // namespace weir::server
