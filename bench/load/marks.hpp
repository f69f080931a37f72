#pragma once

#include "bench/load/report.hpp"
#include "bench/load/workload.hpp"

#include <cstdint>

namespace weir::bench {

/// What the clocks and counters of a broker and of this process say at one moment.
struct Marks {
  std::int64_t time_ns = 0;
  double broker_cpu = 0;
  double own_cpu = 0;
  double acked = 0;
  double fsync_sum = 0;
  double fsync_count = 0;
};
[[nodiscard]] Marks mark(const Subject& subject);

[[nodiscard]] double seconds_between(const Marks& from, const Marks& to);

/// CPU a message of both processes, and how many messages shared a sync.
void add_costs(Report& report, const Marks& from, const Marks& to, double messages);

}  // namespace weir::bench
