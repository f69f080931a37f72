#include "bench/load/circulation.hpp"
#include "bench/load/drain.hpp"
#include "bench/load/fill.hpp"
#include "bench/load/marks.hpp"
#include "bench/load/workload.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace weir::bench {
namespace {

// What a broker does behind a fill, it has done by then.
constexpr std::chrono::seconds kSettle{2};

constexpr double kRssTargetMib = 256;
constexpr double kRssGrowthTargetMib = 32;
constexpr double kBackTargetMs = 1'000;
constexpr double kDrainTarget = 0.9;

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

// From just before exec until a send is confirmed, and until an old message is there.
proto::Result<> add_comeback(Report& report, const Subject& subject, const std::string& queue) {
  const auto started = subject.broker()->started();
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  Result<Producer> producer = client->queue_producer(queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  if (const Result<SendReceipt> sent = producer->send(MessageView("a new one")); !sent) {
    return to_error(sent.error());
  }
  report.add("kill_to_send", milliseconds_since(started), "ms");
  report.target("< 1 s", report.value("kill_to_send") < kBackTargetMs);
  Result<QueueConsumer> consumer = client->subscribe(queue, ConsumerOptions());
  if (!consumer) {
    return to_error(consumer.error());
  }
  Result<std::optional<Delivery>> old = consumer->next();
  if (!old || !*old) {
    return old ? proto::fail(proto::Errc::kInternal, "no old message came") : to_error(old.error());
  }
  report.add("kill_to_delivery", milliseconds_since(started), "ms");
  report.target("< 1 s", report.value("kill_to_delivery") < kBackTargetMs);
  (*old)->release();
  return {};
}

proto::Result<> add_drain(Report& report, const Subject& subject, const std::string& queue,
                          std::uint64_t depth, std::size_t payload_bytes) {
  // The one that was sent when the broker came back lies behind all others.
  const proto::Result<double> seconds = drain(subject, queue, depth + 1);
  if (!seconds) {
    return seconds.error();
  }
  Drained drained{depth + 1, *seconds};
  if (auto more = fill_and_drain(subject, depth, payload_bytes, {}, drained); !more) {
    return more;
  }
  report.add("drain_rate", drained.rate(), "msg/s");
  return {};
}

proto::Result<Report> run_depth(const Options& options, std::uint64_t depth,
                                const std::string& title) {
  proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  const std::string queue = unique_name("deep");
  const std::int64_t begin = now_ns();
  {
    proto::Result<Client> client = connect(subject->url());
    if (!client) {
      return client.error();
    }
    if (auto filled = fill_queue(*client, queue, depth, options.payload_bytes); !filled) {
      return filled.error();
    }
  }
  const double filled_seconds = static_cast<double>(now_ns() - begin) / 1e9;
  std::this_thread::sleep_for(kSettle);
  const double rss_filled = rss_mib(*subject);

  CirculationShape shape;
  shape.payload_bytes = options.payload_bytes;
  shape.messages = options.max_unacked;
  shape.seconds = options.seconds;
  proto::Result<Report> report = run_circulation_on(*subject, queue, shape, title);
  if (!report) {
    return report;
  }
  report->add("depth", static_cast<double>(depth), "");
  report->add("fill_rate", static_cast<double>(depth) / filled_seconds, "msg/s");
  report->add("rss_filled", rss_filled, "MiB");
  report->target("< 256 MiB", rss_filled < kRssTargetMib);
  report->add("peak_rss", peak_mib(*subject), "MiB");
  if (proto::Result<> restarted = subject->kill_and_restart(options); !restarted) {
    return restarted.error();
  }
  if (proto::Result<> back = add_comeback(*report, *subject, queue); !back) {
    return back.error();
  }
  if (auto drained = add_drain(*report, *subject, queue, depth, options.payload_bytes); !drained) {
    return drained.error();
  }
  report->add("peak_rss_drained", peak_mib(*subject), "MiB");
  return report;
}

}  // namespace

proto::Result<> run_backlog(const Options& options, const Printer& printer) {
  if (options.broker.empty()) {
    return proto::fail(proto::Errc::kInvalidArgument, "backlog needs --broker");
  }
  std::vector<Report> depths;
  for (const std::uint64_t depth : {30'000U, 300'000U, 3'000'000U}) {
    const std::string title = "backlog " + std::to_string(depth);
    proto::Result<Report> median =
        median_of_runs(options, title, [&] { return run_depth(options, depth, title); });
    if (!median) {
      return median.error();
    }
    depths.push_back(std::move(*median));
    printer.print(depths.back());
  }
  Report verdict("backlog, deepest against others");
  const double growth = depths[2].value("rss_filled") - depths[1].value("rss_filled");
  verdict.add("rss_growth", growth, "MiB");
  verdict.target("< 32 MiB", growth < kRssGrowthTargetMib);
  const double drain = depths[2].value("drain_rate") / depths[0].value("drain_rate");
  verdict.add("drain_ratio", drain, "x");
  verdict.target(">= 0.9", drain >= kDrainTarget);
  printer.print(verdict);
  return {};
}

}  // namespace weir::bench
