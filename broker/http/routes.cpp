#include "broker/http/routes.hpp"

#include "proto/json_string.hpp"

#include <utility>

namespace weir::http {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";

Answer answer(unsigned status, std::string_view type, std::string body) {
  Answer made;
  made.status = status;
  made.content_type = type;
  made.body = std::move(body);
  return made;
}

Answer health(const Pages& pages) {
  const std::string why = pages.ill();
  return why.empty() ? answer(200, kText, "ok\n") : answer(503, kText, why + "\n");
}

Answer readiness(const Pages& pages) {
  const std::vector<std::string> reasons = pages.not_ready();
  std::string body =
      reasons.empty() ? R"({"ready":true,"reasons":[)" : R"({"ready":false,"reasons":[)";
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    body += i == 0 ? "" : ",";
    body += proto::json_string(reasons[i]);
  }
  body += "]}\n";
  return answer(reasons.empty() ? 200 : 503, kJson, std::move(body));
}

}  // namespace

Answer route(std::string_view method, std::string_view target, const Pages& pages) {
  const std::string_view path = target.substr(0, target.find('?'));
  const bool is_known = path == "/healthz" || path == "/readyz" || path == "/metrics";
  if (!is_known) {
    return answer(404, kText, "There are /healthz, /readyz and /metrics here.\n");
  }
  if (method != "GET" && method != "HEAD") {
    Answer refused = answer(405, kText, "Only GET and HEAD are answered here.\n");
    refused.allow = "GET, HEAD";
    return refused;
  }
  if (path == "/healthz") {
    return health(pages);
  }
  if (path == "/readyz") {
    return readiness(pages);
  }
  return answer(200, kMetrics, pages.metrics());
}

}  // namespace weir::http
