#pragma once

#include "bench/load/broker_process.hpp"
#include "bench/load/report.hpp"
#include "proto/result.hpp"
#include "weir/client.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::bench {

/// What the command line says. The help text of main.cpp explains each.
struct Options {
  std::string broker;
  std::string url;
  std::string http;
  std::string dir = ".";
  std::vector<std::string> broker_flags;
  double seconds = 10;
  std::size_t runs = 5;
  std::size_t payload_bytes = 100;
  std::size_t max_unconfirmed = 4'000;
  std::uint32_t max_unacked = 4'000;
  std::uint64_t topic_bytes = std::uint64_t{1} << 30U;
  std::size_t samples = 4'000;
  std::uint64_t backlog = 1'000'000;
  std::vector<std::size_t> points;
  bool json = false;
};

/// The broker under test: one of our own on a directory of its own, or the one that --url names, of
/// which /proc tells nothing.
class Subject {
 public:
  [[nodiscard]] static proto::Result<Subject> make(const Options& options);

  [[nodiscard]] const std::string& url() const { return url_; }
  /// Zeros for a broker that is not ours.
  [[nodiscard]] ProcessUse use() const { return broker_ ? broker_->use() : ProcessUse(); }
  [[nodiscard]] bool has_metrics() const { return !http_.empty(); }
  /// 0 when there is no /metrics.
  [[nodiscard]] double metric(std::string_view name) const;
  /// What the broker's log says about its checksums.
  [[nodiscard]] std::string crc32c() const;
  /// Stops our broker and starts it again on the same data.
  [[nodiscard]] proto::Result<> restart(const Options& options);
  /// The same behind SIGKILL.
  [[nodiscard]] proto::Result<> kill_and_restart(const Options& options);
  [[nodiscard]] const BrokerProcess* broker() const { return broker_ ? &*broker_ : nullptr; }

 private:
  Subject() = default;

  std::string url_;
  std::string http_;
  std::optional<TempDir> dir_;
  std::optional<BrokerProcess> broker_;
};

inline constexpr double kMebibyte = 1048576.0;
/// What the broker's peak memory is measured against.
inline constexpr double kPeakTargetMib = 256;
[[nodiscard]] double peak_mib(const Subject& subject);
[[nodiscard]] double rss_mib(const Subject& subject);

/// A connection with the time-outs of a benchmark: a slow disk is a result, not an error.
[[nodiscard]] proto::Result<Client> connect(const std::string& url);
/// "queue-roundtrip-3f2a…": no run meets the messages of another.
[[nodiscard]] std::string unique_name(std::string_view base);
/// Creates a queue, or a FIFO queue, with the defaults and a name of its own, which it gives.
[[nodiscard]] proto::Result<std::string> new_queue(Client& client, std::string_view base,
                                                   bool is_fifo = false);
/// The SDK's error as one of ours.
[[nodiscard]] proto::Error to_error(const Error& error);
/// CPU of this process so far.
[[nodiscard]] double own_cpu_seconds();
/// Nanoseconds of the clock that all latencies are measured with.
[[nodiscard]] std::int64_t now_ns();

/// The median of as many runs of `once` as the options ask for, or the error of the first to fail.
template <class Once>
[[nodiscard]] proto::Result<Report> median_of_runs(const Options& options, const std::string& title,
                                                   Once once) {
  std::vector<Report> runs;
  for (std::size_t run = 0; run < options.runs; ++run) {
    proto::Result<Report> report = once();
    if (!report) {
      return report.error();
    }
    runs.push_back(std::move(*report));
  }
  return Report::median_of(title, runs);
}

struct Workload {
  std::string_view name;
  std::string_view help;
  std::function<proto::Result<>(const Options&, const Printer&)> run;
};
/// All of them, in the order of the help text.
[[nodiscard]] const std::vector<Workload>& workloads();

proto::Result<> run_queue_roundtrip(const Options& options, const Printer& printer);
proto::Result<> run_queue_fifo(const Options& options, const Printer& printer);
proto::Result<> run_queue_priority(const Options& options, const Printer& printer);
proto::Result<> run_queue_tenants(const Options& options, const Printer& printer);
proto::Result<> run_queue_one_at_a_time(const Options& options, const Printer& printer);
proto::Result<> run_topic_append(const Options& options, const Printer& printer);
proto::Result<> run_topic_replay(const Options& options, const Printer& printer);
proto::Result<> run_topic_replay_beside_sends(const Options& options, const Printer& printer);
proto::Result<> run_delayed_backlog(const Options& options, const Printer& printer);
proto::Result<> run_delayed_sends(const Options& options, const Printer& printer);
proto::Result<> run_nack_storm(const Options& options, const Printer& printer);
proto::Result<> run_backlog(const Options& options, const Printer& printer);
proto::Result<> run_backlog_fifo(const Options& options, const Printer& printer);
proto::Result<> run_backlog_priority(const Options& options, const Printer& printer);
proto::Result<> run_backlog_delayed(const Options& options, const Printer& printer);
proto::Result<> run_purge(const Options& options, const Printer& printer);
proto::Result<> run_curve_payload(const Options& options, const Printer& printer);
proto::Result<> run_curve_connections(const Options& options, const Printer& printer);
proto::Result<> run_curve_queues(const Options& options, const Printer& printer);
proto::Result<> run_startup(const Options& options, const Printer& printer);

}  // namespace weir::bench
