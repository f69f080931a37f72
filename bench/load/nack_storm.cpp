#include "bench/load/marks.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/workload.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

// Every second message fails at its first attempt. What that costs, and whether what comes again
// keeps to its budget.
namespace weir::bench {
namespace {

constexpr std::size_t kBudgetSeconds = 10;
/// The broker's default, and what it allows in any case.
constexpr double kBudgetShare = 0.2;
constexpr double kBudgetLeast = 100;

/// What the handler counts, second by second.
class Counts {
 public:
  explicit Counts(std::int64_t begin_ns) : begin_ns_(begin_ns) {}

  void count(bool is_first) {
    const auto second = static_cast<std::size_t>((now_ns() - begin_ns_) / 1'000'000'000);
    const std::lock_guard lock(mutex_);
    seconds_.resize(std::max(seconds_.size(), second + 1));
    ++(is_first ? seconds_[second].first : seconds_[second].again);
  }
  [[nodiscard]] std::uint64_t first() const { return sum(0, SIZE_MAX).first; }
  [[nodiscard]] std::uint64_t again() const { return sum(0, SIZE_MAX).again; }
  /// Of all spans of ten whole seconds the largest part of its budget that one has used up.
  [[nodiscard]] double worst_use_of_budget() const {
    double worst = 0;
    for (std::size_t begin = 0; begin + kBudgetSeconds < seconds_.size(); ++begin) {
      const Second span = sum(begin, begin + kBudgetSeconds);
      const double budget = std::max(kBudgetShare * static_cast<double>(span.first), kBudgetLeast);
      worst = std::max(worst, static_cast<double>(span.again) / budget);
    }
    return worst;
  }

 private:
  struct Second {
    std::uint64_t first = 0;
    std::uint64_t again = 0;
  };
  [[nodiscard]] Second sum(std::size_t begin, std::size_t end) const {
    Second total;
    for (std::size_t i = begin; i < std::min(end, seconds_.size()); ++i) {
      total.first += seconds_[i].first;
      total.again += seconds_[i].again;
    }
    return total;
  }

  const std::int64_t begin_ns_;
  std::mutex mutex_;
  std::vector<Second> seconds_;
};

struct Outcomes {
  std::uint64_t first = 0;
  std::uint64_t again = 0;
  double first_rate = 0;
  double worst_use_of_budget = 0;
  double broker_cpu_us = 0;  // a hand-out
};

/// Sends as fast as it goes for `seconds`; with `fails`, every second message fails once.
proto::Result<Outcomes> run_storm(const Options& options, const Subject& subject, bool fails) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "storm");
  if (!queue) {
    return queue.error();
  }
  const Marks from = mark(subject);
  const auto counts = std::make_shared<Counts>(from.time_ns);
  ConsumerOptions consuming;
  consuming.set_window_messages(options.max_unacked);
  Result<QueueConsumer> consumer =
      client->subscribe(*queue, consuming, [counts, fails](Delivery delivery) {
        const bool is_first = delivery.attempt() == 1;
        counts->count(is_first);
        const bool is_bad = fails && is_first && Payload::read(delivery.body()).number % 2 == 1;
        delivery.settle(is_bad ? Outcome::nack("no route to host") : Outcome::ack());
      });
  if (!consumer) {
    return to_error(consumer.error());
  }
  ProducerOptions producing;
  producing.set_max_buffered_messages(options.max_unconfirmed);
  Result<Producer> producer = client->queue_producer(*queue, producing);
  if (!producer) {
    return to_error(producer.error());
  }
  Payload payload(options.payload_bytes);
  const std::int64_t stop_ns = from.time_ns + static_cast<std::int64_t>(options.seconds * 1e9);
  std::uint64_t sent = 0;
  for (std::int64_t now = now_ns(); now < stop_ns; now = now_ns()) {
    const Result<> taken =
        producer->send(MessageView(payload.make(sent++, now)), [](const Result<SendReceipt>&) {});
    if (!taken) {
      return to_error(taken.error());
    }
  }
  const Marks to = mark(subject);
  consumer->close();
  const double seconds = seconds_between(from, to);
  Outcomes outcomes;
  outcomes.first = counts->first();
  outcomes.again = counts->again();
  outcomes.first_rate = static_cast<double>(outcomes.first) / seconds;
  outcomes.worst_use_of_budget = counts->worst_use_of_budget();
  outcomes.broker_cpu_us = (to.broker_cpu - from.broker_cpu) * 1e6 /
                           static_cast<double>(outcomes.first + outcomes.again);
  // What still waits for its turn goes with the queue.
  if (const auto deleted = client->delete_queue(*queue); !deleted) {
    return to_error(deleted.error());
  }
  client->close();
  return outcomes;
}

}  // namespace

proto::Result<> run_nack_storm(const Options& options, const Printer& printer) {
  proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  std::vector<Report> runs;
  for (std::size_t run = 1; run <= options.runs; ++run) {
    const proto::Result<Outcomes> plain = run_storm(options, *subject, false);
    if (!plain) {
      return plain.error();
    }
    const proto::Result<Outcomes> storm = run_storm(options, *subject, true);
    if (!storm) {
      return storm.error();
    }
    Report report("nack-storm run " + std::to_string(run));
    report.add("plain_rate", plain->first_rate, "msg/s");
    report.add("first_rate", storm->first_rate, "msg/s");
    const double ratio = storm->first_rate / plain->first_rate;
    report.add("of_plain", ratio, "x");
    report.target(">= 0.5x", ratio >= 0.5);
    report.add("redelivered", static_cast<double>(storm->again), "");
    report.add("worst_use_of_budget", storm->worst_use_of_budget, "x");
    report.target("<= 1x in every 10 s", storm->worst_use_of_budget <= 1);
    report.add("plain_broker_cpu", plain->broker_cpu_us, "us");
    report.add("storm_broker_cpu", storm->broker_cpu_us, "us");
    printer.print(report);
    runs.push_back(std::move(report));
  }
  Report median = Report::median_of("nack-storm median of " + std::to_string(runs.size()), runs);
  median.add("broker_peak_rss", peak_mib(*subject), "MiB");
  printer.print(median);
  return {};
}

}  // namespace weir::bench
