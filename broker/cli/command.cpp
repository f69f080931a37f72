#include "broker/cli/command.hpp"

#include <algorithm>

namespace weir::cli {

ClientOptions Connection::client_options() const {
  ClientOptions options(url);
  options.set_service("weir-cli");
  options.set_overall_timeout(timeout());
  options.set_request_timeout(std::min(options.request_timeout(), timeout()));
  return options;
}

}  // namespace weir::cli
