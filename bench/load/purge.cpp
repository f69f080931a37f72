#include "bench/load/fill.hpp"
#include "bench/load/histogram.hpp"
#include "bench/load/single_sends.hpp"
#include "bench/load/workload.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <thread>

// A deep queue goes, and those who work beside it are not to notice.
namespace weir::bench {
namespace {

// What the database does behind a purge begins in this time.
constexpr std::chrono::seconds kBehind{10};

proto::Result<Report> purge_once(const Options& options, const std::string& title) {
  const proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  proto::Result<Client> client = connect(subject->url());
  proto::Result<Client> other = connect(subject->url());
  if (!client || !other) {
    return client ? other.error() : client.error();
  }
  const std::string deep = unique_name("deep");
  if (auto filled = fill_queue(*client, deep, options.backlog, options.payload_bytes); !filled) {
    return filled.error();
  }
  const proto::Result<std::string> beside = new_queue(*other, "beside");
  if (!beside) {
    return beside.error();
  }
  Result<Producer> producer = other->queue_producer(*beside, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  Histogram before;
  if (auto sent = send_while(*producer, before, options.payload_bytes,
                             [&](std::uint64_t number) { return number < options.samples; });
      !sent) {
    return sent.error();
  }
  Histogram behind;
  std::optional<Result<QueueDescription>> purged;
  std::int64_t took_ns = 0;
  std::jthread operation([&] {
    const std::int64_t begin = now_ns();
    purged = client->purge_queue(deep);
    took_ns = now_ns() - begin;
  });
  const auto until = std::chrono::steady_clock::now() + kBehind;
  const auto sent = send_while(*producer, behind, options.payload_bytes, [&](std::uint64_t) {
    return std::chrono::steady_clock::now() < until;
  });
  operation.join();
  if (!sent || !*purged) {
    return sent ? to_error(purged->error()) : sent.error();
  }
  Report report(title);
  report.add("purged", static_cast<double>((*purged)->ready), "");
  report.add("purge", static_cast<double>(took_ns) / 1e6, "ms");
  report.add("send_before_p50", before.percentile_us(0.5), "us");
  report.add("send_before_p99", before.percentile_us(0.99), "us");
  report.add("send_behind_p50", behind.percentile_us(0.5), "us");
  report.add("send_behind_p99", behind.percentile_us(0.99), "us");
  report.add("send_before_max", before.max_us(), "us");
  report.add("send_behind_max", behind.max_us(), "us");
  return report;
}

}  // namespace

proto::Result<> run_purge(const Options& options, const Printer& printer) {
  const std::string title = "purge " + std::to_string(options.backlog);
  const proto::Result<Report> median =
      median_of_runs(options, title, [&] { return purge_once(options, title); });
  if (!median) {
    return median.error();
  }
  printer.print(*median);
  return {};
}

}  // namespace weir::bench
