#include "broker/cli/delay_option.hpp"

#include "broker/cli/time_spec.hpp"
#include "broker/cli/wall_clock.hpp"
#include "proto/limits.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace weir::cli {

using std::chrono::milliseconds;

Result<milliseconds> DelayOption::delay() const {
  if (until.empty()) {
    return milliseconds(delay_ms.value_or(0));
  }
  const Timestamp now = wall_now();
  const Result<Timestamp> moment = parse_time(until, now);
  if (!moment) {
    return moment.error();
  }
  return std::max(milliseconds(0), *moment - now);
}

void add_delay_options(CLI::App& command, DelayOption& option) {
  CLI::Option* const delay =
      command.add_option("--delay-ms", option.delay_ms, "Not before so long from now")
          ->check(CLI::Range(std::int64_t{0}, proto::kMaxDelayMs));
  command.add_option("--until", option.until, "Not before then: RFC 3339, or ms since 1970")
      ->excludes(delay);
}

}  // namespace weir::cli
