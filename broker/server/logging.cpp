#include "broker/server/logging.hpp"

#include "broker/logging/log_line.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

namespace weir::server {
namespace {

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool as_json) : as_json_(as_json) {}

  void format(const spdlog::details::log_msg& event, spdlog::memory_buf_t& out) override {
    using std::chrono::milliseconds;
    const std::int64_t time_ms =
        std::chrono::duration_cast<milliseconds>(event.time.time_since_epoch()).count();
    const spdlog::string_view_t level = spdlog::level::to_string_view(event.level);
    const auto to_line = as_json_ ? logging::to_json : logging::to_text;
    const std::string line = to_line(time_ms, std::string_view(level.data(), level.size()),
                                     std::string_view(event.payload.data(), event.payload.size()));
    out.append(line.data(), line.data() + line.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(as_json_);
  }

 private:
  bool as_json_;
};

}  // namespace

void start_logging(const std::string& level, const std::string& format) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("weir", std::move(sink));
  logger->set_formatter(std::make_unique<LineFormatter>(format == "json"));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

void flush_log() {
  spdlog::default_logger()->flush();
}

}  // namespace weir::server
