#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

/// What a request is answered with.
struct Answer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
  std::string allow;  // of a 405
};

/// Where the pages come from. Called on the loop that the shard runs on; must not block.
struct Pages {
  /// Why the process is not sound; empty when it is.
  std::function<std::string()> ill;
  /// Why sends would be refused; empty when the broker is ready.
  std::function<std::vector<std::string>()> not_ready;
  /// The metrics in the Prometheus text format.
  std::function<std::string()> metrics;
};

/// Answers one request: /healthz, /readyz, /metrics by GET or HEAD, 404 and 405 otherwise. The body
/// is there for HEAD too: who writes the answer leaves it out.
Answer route(std::string_view method, std::string_view target, const Pages& pages);

}  // namespace weir::http
