#include "bench/load/marks.hpp"

namespace weir::bench {

Marks mark(const Subject& subject) {
  Marks marks;
  marks.acked = subject.metric("weir_acked_total");
  marks.fsync_sum = subject.metric("weir_fsync_seconds_sum");
  marks.fsync_count = subject.metric("weir_fsync_seconds_count");
  marks.broker_cpu = subject.use().cpu_seconds;
  marks.own_cpu = own_cpu_seconds();
  marks.time_ns = now_ns();
  return marks;
}

double seconds_between(const Marks& from, const Marks& to) {
  return static_cast<double>(to.time_ns - from.time_ns) / 1e9;
}

void add_costs(Report& report, const Marks& from, const Marks& to, double messages) {
  const double seconds = seconds_between(from, to);
  report.add("broker_cpu_per_message", (to.broker_cpu - from.broker_cpu) / messages * 1e6, "us");
  report.add("bench_cpu_per_message", (to.own_cpu - from.own_cpu) / messages * 1e6, "us");
  report.add("broker_cpu_share", (to.broker_cpu - from.broker_cpu) / seconds, "cores");
  const double syncs = to.fsync_count - from.fsync_count;
  report.add("syncs_rate", syncs / seconds, "1/s");
  report.add("messages_per_sync", syncs > 0 ? messages / syncs : 0, "");
  report.add("fsync_mean", syncs > 0 ? (to.fsync_sum - from.fsync_sum) / syncs * 1e6 : 0, "us");
}

}  // namespace weir::bench
