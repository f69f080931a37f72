#include "broker/cli/command.hpp"

#include <algorithm>
#include <cstdlib>

namespace weir::cli {

ClientOptions Connection::client_options() const {
  ClientOptions options(url);
  options.set_service("weir-cli");
  options.set_overall_timeout(timeout());
  options.set_request_timeout(std::min(options.request_timeout(), timeout()));
  return options;
}

const char* process_environment(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before the first thread
}

}  // namespace weir::cli
