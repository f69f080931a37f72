#include "bench/load/histogram.hpp"
#include "bench/load/marks.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/workload.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Messages that are put off when they are sent: how late they come, what they cost, and what a
// queue costs that is full of them.
namespace weir::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::uint64_t kPacedRate = 10'000;  // due a second
constexpr double kLatestMs = 1'000;
constexpr nanoseconds kClockStep = milliseconds(1);  // of the broker's clock
constexpr std::chrono::minutes kPatience{5};

/// Of its own for each message, and no two neighbours are due together: from 1 to 3 s.
milliseconds delay_of(std::uint64_t number) {
  return milliseconds(1'000 + static_cast<std::int64_t>(number * 7'919 % 2'000));
}

/// What a consumer notes of messages that were put off; on its I/O thread until it is closed.
struct Arrivals {
  std::atomic<std::uint64_t> handled = 0;
  std::uint64_t early = 0;
  double most_early = 0;  // as a share of its delay
  Histogram lateness;     // beyond the time of send() and the delay

  void note(const Delivery& delivery) {
    const Payload::Stamp stamp = Payload::read(delivery.body());
    const nanoseconds waited(now_ns() - stamp.sent_ns);
    const nanoseconds delay = delay_of(stamp.number);
    if (waited + kClockStep < delay) {
      ++early;
      most_early = std::max(
          most_early, 1 - static_cast<double>(waited.count()) / static_cast<double>(delay.count()));
    }
    lateness.record(waited - delay);
    handled.fetch_add(1);
  }
};

proto::Result<> wait_for(const std::atomic<std::uint64_t>& handled, std::uint64_t wanted) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (handled < wanted) {
    if (std::chrono::steady_clock::now() > end) {
      return proto::fail(
          proto::Errc::kDeadlineExceeded,
          "only " + std::to_string(handled) + " of " + std::to_string(wanted) + " messages came");
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return {};
}

/// Sends for `seconds` and waits until all have come; `rate` messages a second, 0: as fast as it
/// goes.
proto::Result<> add_flow(Report& report, const Options& options, const Subject& subject,
                         std::uint64_t rate) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "delayed");
  if (!queue) {
    return queue.error();
  }
  const auto arrivals = std::make_shared<Arrivals>();
  Result<QueueConsumer> consumer =
      client->subscribe(*queue, ConsumerOptions(), [arrivals](Delivery delivery) {
        arrivals->note(delivery);
        delivery.ack();
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
  const Marks from = mark(subject);
  const std::int64_t stop_ns = from.time_ns + static_cast<std::int64_t>(options.seconds * 1e9);
  Payload payload(options.payload_bytes);
  std::uint64_t sent = 0;
  for (std::int64_t now = now_ns(); now < stop_ns; now = now_ns()) {
    const auto may_have_sent = static_cast<std::uint64_t>(static_cast<double>(now - from.time_ns) /
                                                          1e9 * static_cast<double>(rate));
    if (rate != 0 && sent >= may_have_sent) {
      std::this_thread::sleep_for(milliseconds(1));
      continue;
    }
    MessageView message(payload.make(sent, now));
    message.set_delay(delay_of(sent));
    ++sent;
    if (const Result<> taken = producer->send(message, [](const Result<SendReceipt>&) {}); !taken) {
      return to_error(taken.error());
    }
  }
  const double sending_seconds = static_cast<double>(now_ns() - from.time_ns) / 1e9;
  if (proto::Result<> all = wait_for(arrivals->handled, sent); !all) {
    return all;
  }
  const Marks to = mark(subject);
  consumer->close();
  client->close();
  const std::string name = rate != 0 ? "paced" : "fastest";
  report.add(name + "_sent", static_cast<double>(sent) / sending_seconds, "msg/s");
  report.add(name + "_done", static_cast<double>(sent) / seconds_between(from, to), "msg/s");
  report.add(name + "_early", static_cast<double>(arrivals->early), "");
  report.target("none", arrivals->early == 0);
  report.add(name + "_early_at_most", arrivals->most_early * 100, "% of the delay");
  report.add(name + "_late_p50", arrivals->lateness.percentile_us(0.5) / 1e3, "ms");
  report.add(name + "_late_p99", arrivals->lateness.percentile_us(0.99) / 1e3, "ms");
  report.add(name + "_late_max", arrivals->lateness.max_us() / 1e3, "ms");
  if (rate != 0) {
    report.target("<= 1 s", arrivals->lateness.max_us() / 1e3 <= kLatestMs);
  }
  add_costs(report, from, to, static_cast<double>(sent));
  return {};
}

/// Puts `--backlog` messages off for an hour and more, each until a time of its own.
proto::Result<> add_backlog(Report& report, const Options& options, const Subject& subject) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "later");
  if (!queue) {
    return queue.error();
  }
  Result<Producer> producer = client->queue_producer(*queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  report.add("rss_before", rss_mib(subject), "MiB");
  const std::int64_t begin = now_ns();
  Payload payload(options.payload_bytes);
  for (std::uint64_t number = 0; number < options.backlog; ++number) {
    MessageView message(payload.make(number, now_ns()));
    message.set_delay(std::chrono::hours(1) +
                      milliseconds(static_cast<std::int64_t>(number * 7'919 % 3'600'000)));
    if (const Result<> taken = producer->send(message, [](const Result<SendReceipt>&) {}); !taken) {
      return to_error(taken.error());
    }
  }
  if (const Result<> flushed = producer->flush(kPatience); !flushed) {
    return to_error(flushed.error());
  }
  report.add("put_off",
             static_cast<double>(options.backlog) * 1e9 / static_cast<double>(now_ns() - begin),
             "msg/s");
  const auto described = client->describe_queue(*queue);
  if (!described || described->delayed != options.backlog) {
    return proto::fail(proto::Errc::kInternal, "not all messages are put off");
  }
  report.add("stored", static_cast<double>(described->bytes) / kMebibyte, "MiB");
  report.add("rss_put_off", rss_mib(subject), "MiB");
  report.add("peak_rss", peak_mib(subject), "MiB");
  const std::int64_t listing = now_ns();
  if (const auto page = client->list_delayed(*queue); !page || page->messages.empty()) {
    return proto::fail(proto::Errc::kInternal, "nothing is listed");
  }
  report.add("list_first_page", static_cast<double>(now_ns() - listing) / 1e6, "ms");
  return {};
}

}  // namespace

proto::Result<> run_delayed_sends(const Options& options, const Printer& printer) {
  std::vector<Report> runs;
  for (std::size_t run = 1; run <= options.runs; ++run) {
    proto::Result<Subject> subject = Subject::make(options);
    if (!subject) {
      return subject.error();
    }
    Report report("delayed-sends run " + std::to_string(run));
    for (const std::uint64_t rate : {kPacedRate, std::uint64_t{0}}) {
      if (proto::Result<> flowed = add_flow(report, options, *subject, rate); !flowed) {
        return flowed;
      }
    }
    if (proto::Result<> filled = add_backlog(report, options, *subject); !filled) {
      return filled;
    }
    printer.print(report);
    runs.push_back(std::move(report));
  }
  printer.print(Report::median_of("delayed-sends median of " + std::to_string(runs.size()), runs));
  return {};
}

}  // namespace weir::bench
