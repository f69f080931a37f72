#include "bench/load/fill.hpp"
#include "bench/load/workload.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace weir::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes kPatience{5};

/// Gives each message back for an hour and a time of its own, so that no two share one.
proto::Result<> delay_all(const Options& options, Client& client, const std::string& queue) {
  std::atomic<std::uint64_t> handled = 0;
  const Result<QueueConsumer> consumer =
      client.subscribe(queue, ConsumerOptions(), [&handled](Delivery delivery) {
        delivery.nack(std::chrono::hours(1) + milliseconds(handled.fetch_add(1) % 3'600'000));
      });
  if (!consumer) {
    return to_error(consumer.error());
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    const auto described = client.describe_queue(queue);
    if (!described) {
      return to_error(described.error());
    }
    if (described->delayed == options.backlog) {
      return {};
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  return proto::fail(proto::Errc::kDeadlineExceeded, "the messages were not all given back");
}

}  // namespace

proto::Result<> run_delayed_backlog(const Options& options, const Printer& printer) {
  if (options.broker.empty()) {
    return proto::fail(proto::Errc::kInvalidArgument, "delayed-backlog needs --broker");
  }
  std::vector<Report> runs;
  for (std::size_t run = 0; run < options.runs; ++run) {
    proto::Result<Subject> subject = Subject::make(options);
    if (!subject) {
      return subject.error();
    }
    Report report("delayed-backlog run " + std::to_string(run + 1));
    {
      proto::Result<Client> client = connect(subject->url());
      if (!client) {
        return client.error();
      }
      const std::string queue = unique_name("later");
      if (proto::Result<> sent = fill_queue(*client, queue, options.backlog, options.payload_bytes);
          !sent) {
        return sent;
      }
      report.add("peak_rss_sent", peak_mib(*subject), "MiB");
      const std::int64_t begin = now_ns();
      if (proto::Result<> delayed = delay_all(options, *client, queue); !delayed) {
        return delayed;
      }
      const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
      report.add("given_back", static_cast<double>(options.backlog) / seconds, "msg/s");
    }
    report.add("peak_rss_delayed", peak_mib(*subject), "MiB");
    report.target("< 256 MiB", peak_mib(*subject) < kPeakTargetMib);
    report.add("idle_batches", subject->metric("weir_idle_batch_bytes") / kMebibyte, "MiB");
    if (proto::Result<> restarted = subject->restart(options); !restarted) {
      return restarted;
    }
    proto::Result<Client> again = connect(subject->url());
    if (!again) {
      return again.error();
    }
    const std::chrono::duration<double, std::milli> start =
        std::chrono::steady_clock::now() - subject->broker()->started();
    report.add("exec_to_answer", start.count(), "ms");
    report.add("peak_rss_restart", peak_mib(*subject), "MiB");
    printer.print(report);
    runs.push_back(std::move(report));
  }
  printer.print(
      Report::median_of("delayed-backlog median of " + std::to_string(runs.size()), runs));
  return {};
}

}  // namespace weir::bench
