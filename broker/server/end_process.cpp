#include "broker/server/end_process.hpp"

#include "broker/server/exit_status.hpp"
#include "broker/server/logging.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>

namespace weir::server {

void end_process(const proto::Error& error) {
  spdlog::critical("the broker cannot go on: {}", error.to_string());
  flush_log();
  std::_Exit(kExitFailed);
}

}  // namespace weir::server
