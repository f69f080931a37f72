#pragma once

#include "broker/cli/output_form.hpp"
#include "weir/admin.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// What `weir top` shows: queues with what waits in them and how fast they fill and empty. Pure.
class TopPage {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// The page after another look at all queues, the longest first. Rates are of the time since the
  /// look before, and dashes (null) at first; `now` and `wall` are when this look was.
  [[nodiscard]] Look next(const std::vector<QueueDescription>& queues, TimePoint now,
                          Timestamp wall);

 private:
  // A queue, and what came and went a second.
  struct Row {
    const QueueDescription* queue;
    std::optional<double> in;
    std::optional<double> out;
  };
  // Totals that only grow: what was ever sent, and what of it is done.
  struct Totals {
    std::uint64_t sent = 0;
    std::uint64_t done = 0;
  };
  [[nodiscard]] static Totals totals_of(const QueueDescription& queue);
  [[nodiscard]] std::vector<Row> rows_of(const std::vector<QueueDescription>& queues,
                                         double seconds);
  [[nodiscard]] static std::string table_of(const std::vector<Row>& rows, Timestamp wall);
  [[nodiscard]] static std::string json_of(const std::vector<Row>& rows);

  std::map<std::string, Totals> before_;  // by uuid
  TimePoint before_at_{};
};

}  // namespace weir::cli
