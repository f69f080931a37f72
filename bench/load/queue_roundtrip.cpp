#include "bench/load/histogram.hpp"
#include "bench/load/marks.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/traits.hpp"
#include "bench/load/workload.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

namespace weir::bench {
namespace {

constexpr std::chrono::milliseconds kRoundtripPoll{1};
constexpr std::chrono::seconds kDrain{60};
constexpr double kWarmUpSeconds = 2;
constexpr double kTargetRate = 200'000;

// What the producer's callbacks count, on its I/O thread, and main reads afterwards.
struct Sends {
  Histogram confirm;
  std::atomic<std::uint64_t> confirmed = 0;
  std::atomic<std::uint64_t> failed = 0;
};

// What the handler counts, on the consumer's I/O thread.
struct Receipts {
  explicit Receipts(std::size_t payload_bytes) : expected(payload_bytes) {}

  Payload expected;
  Histogram end_to_end;
  std::vector<bool> seen;
  std::atomic<std::uint64_t> handled = 0;
  std::atomic<std::uint64_t> duplicates = 0;
  std::atomic<std::uint64_t> foreign = 0;
  std::atomic<std::uint64_t> redelivered = 0;
};

// Every so many messages all bytes are looked at, not just the number in front.
constexpr std::uint64_t kCheckEvery = 256;

void handle(Delivery delivery, Receipts& receipts) {
  const Payload::Stamp stamp = Payload::read(delivery.body());
  const bool is_damaged =
      stamp.number % kCheckEvery == 0 && !receipts.expected.could_make(delivery.body());
  if (stamp.number >= UINT32_MAX || is_damaged) {
    receipts.foreign.fetch_add(1, std::memory_order_relaxed);
    delivery.ack();
    return;
  }
  if (stamp.number >= receipts.seen.size()) {
    receipts.seen.resize(stamp.number * 2 + 1'000);
  }
  if (receipts.seen[stamp.number]) {
    receipts.duplicates.fetch_add(1, std::memory_order_relaxed);
  }
  receipts.seen[stamp.number] = true;
  if (delivery.attempt() > 1) {
    receipts.redelivered.fetch_add(1, std::memory_order_relaxed);
  }
  receipts.end_to_end.record(std::chrono::nanoseconds(now_ns() - stamp.sent_ns));
  delivery.ack();
  receipts.handled.fetch_add(1, std::memory_order_release);
}

// Waits until the broker has nothing left of the queue: every ack is durable then.
proto::Result<> wait_until_empty(Client& client, const std::string& queue) {
  const auto give_up = std::chrono::steady_clock::now() + kDrain;
  while (true) {
    const Result<QueueDescription> now = client.describe_queue(queue);
    if (!now) {
      return to_error(now.error());
    }
    if (now->ready + now->in_flight + now->delayed + now->dying + now->parked == 0) {
      return {};
    }
    if (std::chrono::steady_clock::now() > give_up) {
      return proto::fail(proto::Errc::kInternal,
                         "messages are left: " + std::to_string(now->ready) + " ready, " +
                             std::to_string(now->in_flight) + " in flight");
    }
    std::this_thread::sleep_for(kRoundtripPoll);
  }
}

// What is sent, and how fast it is to be.
struct Shape {
  std::string name = "queue-roundtrip";
  Traits traits = {};
  double target_rate = kTargetRate;
};

Report make_report(const Shape& shape, const std::string& title, std::uint64_t sent,
                   const Sends& sends, const Receipts& receipts, const Marks& from,
                   const Marks& to) {
  const double seconds = seconds_between(from, to);
  const auto messages = static_cast<double>(sent);
  Report report(title);
  report.add("acked_rate", messages / seconds, "msg/s");
  if (shape.target_rate > 0) {
    report.target(">= " + std::to_string(static_cast<int>(shape.target_rate)) + " msg/s",
                  messages / seconds >= shape.target_rate);
  }
  report.add("messages", messages, "");
  report.add("seconds", seconds, "s");
  report.add("confirm_p50", sends.confirm.percentile_us(0.5), "us");
  report.add("confirm_p99", sends.confirm.percentile_us(0.99), "us");
  report.add("end_to_end_p50", receipts.end_to_end.percentile_us(0.5), "us");
  report.add("end_to_end_p99", receipts.end_to_end.percentile_us(0.99), "us");
  add_costs(report, from, to, messages);
  report.add("redelivered", static_cast<double>(receipts.redelivered), "");
  report.add("duplicates", static_cast<double>(receipts.duplicates), "");
  return report;
}

proto::Result<> check_counts(std::uint64_t sent, const Sends& sends, const Receipts& receipts,
                             std::optional<double> acked) {
  if (sends.failed == 0 && sends.confirmed == sent && receipts.handled == sent &&
      receipts.duplicates == 0 && receipts.foreign == 0 && receipts.redelivered == 0 &&
      (!acked || *acked == static_cast<double>(sent))) {
    return {};
  }
  return proto::fail(proto::Errc::kInternal,
                     "the counts do not fit: sent " + std::to_string(sent) + ", confirmed " +
                         std::to_string(sends.confirmed) + ", failed " +
                         std::to_string(sends.failed) + ", handled " +
                         std::to_string(receipts.handled) + ", acked " +
                         std::to_string(acked.value_or(0)) + ", duplicates " +
                         std::to_string(receipts.duplicates) + ", redelivered " +
                         std::to_string(receipts.redelivered));
}

// Sends for `seconds`, then waits until all is confirmed, handled and durably acked.
proto::Result<Report> run_once(const Options& options, const Subject& subject, const Shape& shape,
                               double seconds, const std::string& title) {
  proto::Result<Client> sending = connect(subject.url());
  if (!sending) {
    return sending.error();
  }
  proto::Result<Client> receiving = connect(subject.url());
  if (!receiving) {
    return receiving.error();
  }
  const proto::Result<std::string> queue = new_queue(*sending, "roundtrip", shape.traits.is_fifo());
  if (!queue) {
    return queue.error();
  }
  Sends sends;
  Receipts receipts(options.payload_bytes);
  ConsumerOptions consuming;
  consuming.set_window_messages(options.max_unacked);
  Result<QueueConsumer> consumer = receiving->subscribe(
      *queue, consuming, [&receipts](Delivery delivery) { handle(std::move(delivery), receipts); });
  if (!consumer) {
    return to_error(consumer.error());
  }
  ProducerOptions producing;
  producing.set_max_buffered_messages(options.max_unconfirmed);
  Result<Producer> producer = sending->queue_producer(*queue, producing);
  if (!producer) {
    return to_error(producer.error());
  }

  const Marks from = mark(subject);
  const std::int64_t stop_ns = from.time_ns + static_cast<std::int64_t>(seconds * 1e9);
  Payload payload(options.payload_bytes);
  Names names(shape.traits);
  std::uint64_t sent = 0;
  for (std::int64_t now = now_ns(); now < stop_ns; now = now_ns()) {
    MessageView message(payload.make(sent, now));
    names.put_on(message, sent);
    const Result<> taken =
        producer->send(message, [&sends, now](const Result<SendReceipt>& receipt) {
          sends.confirm.record(std::chrono::nanoseconds(now_ns() - now));
          (receipt ? sends.confirmed : sends.failed).fetch_add(1, std::memory_order_relaxed);
        });
    if (!taken) {
      return to_error(taken.error());
    }
    ++sent;
  }
  if (const Result<> flushed = producer->flush(kDrain); !flushed) {
    return to_error(flushed.error());
  }
  const auto give_up = std::chrono::steady_clock::now() + kDrain;
  while (receipts.handled.load(std::memory_order_acquire) < sent &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kRoundtripPoll);
  }
  if (proto::Result<> empty = wait_until_empty(*sending, *queue); !empty) {
    return empty.error();
  }
  const Marks to = mark(subject);
  consumer->close();
  receiving->close();
  sending->close();
  const std::optional<double> acked =
      subject.has_metrics() ? std::optional(to.acked - from.acked) : std::nullopt;
  if (proto::Result<> fits = check_counts(sent, sends, receipts, acked); !fits) {
    return fits.error();
  }
  return make_report(shape, title, sent, sends, receipts, from, to);
}

// The runs of one shape, and their median.
proto::Result<> run_shape(const Options& options, const Printer& printer, const Subject& subject,
                          const Shape& shape) {
  if (auto warm = run_once(options, subject, shape, kWarmUpSeconds, "warm-up"); !warm) {
    return warm.error();
  }
  std::vector<Report> runs;
  for (std::size_t run = 1; run <= options.runs; ++run) {
    proto::Result<Report> report = run_once(options, subject, shape, options.seconds,
                                            shape.name + " run " + std::to_string(run));
    if (!report) {
      return report.error();
    }
    printer.print(*report);
    runs.push_back(std::move(*report));
  }
  Report median = Report::median_of(shape.name + " median of " + std::to_string(runs.size()), runs);
  median.add("broker_peak_rss", peak_mib(subject), "MiB");
  median.add("broker_crc32c", subject.crc32c());
  printer.print(median);
  return {};
}

}  // namespace

proto::Result<> run_queue_roundtrip(const Options& options, const Printer& printer) {
  const proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  return run_shape(options, printer, *subject, {});
}

proto::Result<> run_queue_priority(const Options& options, const Printer& printer) {
  const proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  Shape shape;
  shape.name = "queue-priority";
  shape.traits.has_priorities = true;
  return run_shape(options, printer, *subject, shape);
}

proto::Result<> run_queue_fifo(const Options& options, const Printer& printer) {
  constexpr double kFifoTargetRate = 60'000;  // where groups are many
  const proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  for (const std::uint64_t groups : {1U, 100U, 100'000U}) {
    Shape shape;
    shape.traits.groups = groups;
    shape.name = "queue-fifo " + std::to_string(groups) + " groups";
    shape.target_rate = groups > 1 ? kFifoTargetRate : 0;
    if (auto done = run_shape(options, printer, *subject, shape); !done) {
      return done;
    }
    if (groups < 100'000) {
      continue;
    }
    shape.traits.has_ids = true;
    shape.name += ", deduplicated";
    if (auto done = run_shape(options, printer, *subject, shape); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace weir::bench
