#include "bench/load/payload.hpp"
#include "bench/load/workload.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace weir::bench {
namespace {

constexpr double kStartTargetMs = 200;
constexpr double kIdleTargetMib = 48;
constexpr std::chrono::seconds kRest{2};
constexpr std::chrono::minutes kFlushTimeout{2};

// From just before exec until a send is acknowledged: connecting and making the queue included.
proto::Result<double> milliseconds_to_first_send(const Subject& subject) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "first");
  if (!queue) {
    return queue.error();
  }
  Result<Producer> producer = client->queue_producer(*queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  const Result<SendReceipt> sent = producer->send(MessageView("first"));
  if (!sent) {
    return to_error(sent.error());
  }
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - subject.broker()->started();
  return took.count();
}

// A queue that fills faster than it empties, so that the broker has to read back from disk.
proto::Result<> load(const Options& options, const Subject& subject) {
  proto::Result<Client> sending = connect(subject.url());
  proto::Result<Client> receiving = connect(subject.url());
  if (!sending || !receiving) {
    return sending ? receiving.error() : sending.error();
  }
  const proto::Result<std::string> queue = new_queue(*sending, "load");
  if (!queue) {
    return queue.error();
  }
  Result<Producer> producer = sending->queue_producer(*queue, ProducerOptions());
  Result<QueueConsumer> consumer =
      receiving->subscribe(*queue, ConsumerOptions(), [](Delivery delivery) { delivery.ack(); });
  if (!producer || !consumer) {
    return to_error(producer ? consumer.error() : producer.error());
  }
  Payload payload(1024);
  const std::int64_t stop = now_ns() + static_cast<std::int64_t>(options.seconds * 1e9);
  std::uint64_t number = 0;
  for (std::int64_t now = now_ns(); now < stop; now = now_ns()) {
    const Result<> taken =
        producer->send(MessageView(payload.make(number++, now)), [](const auto&) {});
    if (!taken) {
      return to_error(taken.error());
    }
  }
  const Result<> flushed = producer->flush(kFlushTimeout);
  return flushed ? proto::Result<>() : proto::Result<>(to_error(flushed.error()));
}

}  // namespace

proto::Result<> run_startup(const Options& options, const Printer& printer) {
  if (options.broker.empty()) {
    return proto::fail(proto::Errc::kInvalidArgument, "startup needs --broker");
  }
  std::vector<Report> runs;
  for (std::size_t run = 0; run < options.runs; ++run) {
    proto::Result<Subject> subject = Subject::make(options);
    if (!subject) {
      return subject.error();
    }
    const proto::Result<double> fresh = milliseconds_to_first_send(*subject);
    if (!fresh) {
      return fresh.error();
    }
    Report report("startup run " + std::to_string(run + 1));
    report.add("first_send_fresh", *fresh, "ms");
    report.target("< 200 ms", *fresh < kStartTargetMs);
    std::this_thread::sleep_for(kRest);
    report.add("idle_rss", rss_mib(*subject), "MiB");
    report.target("< 48 MiB", rss_mib(*subject) < kIdleTargetMib);
    if (proto::Result<> loaded = load(options, *subject); !loaded) {
      return loaded;
    }
    report.add("peak_rss_load", peak_mib(*subject), "MiB");
    std::this_thread::sleep_for(kRest);
    report.add("rss_after_load", rss_mib(*subject), "MiB");
    const double before = peak_mib(*subject);
    if (proto::Result<> restarted = subject->restart(options); !restarted) {
      return restarted;
    }
    const proto::Result<double> again = milliseconds_to_first_send(*subject);
    if (!again) {
      return again.error();
    }
    report.add("first_send_after_load", *again, "ms");
    report.add("peak_rss_restart", peak_mib(*subject), "MiB");
    const double peak = std::max(before, peak_mib(*subject));
    report.add("peak_rss", peak, "MiB");
    report.target("< 256 MiB", peak < kPeakTargetMib);
    printer.print(report);
    runs.push_back(std::move(report));
  }
  printer.print(Report::median_of("startup median of " + std::to_string(runs.size()), runs));
  return {};
}

}  // namespace weir::bench
