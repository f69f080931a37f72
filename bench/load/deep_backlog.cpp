#include "bench/load/drain.hpp"
#include "bench/load/fill.hpp"
#include "bench/load/histogram.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/workload.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

// Queues of millions of messages that a broker does more for than to keep them in one line.
namespace weir::bench {
namespace {

/// A queue with one message at a time: how long it takes to find and to take that.
class OneMessage {
 public:
  /// Creates the queue unless it is there.
  static proto::Result<OneMessage> in(Client& client, const std::string& queue,
                                      const Traits& traits, std::size_t payload_bytes) {
    if (const auto created = client.create_queue(queue, QueueSettings()); !created) {
      return to_error(created.error());
    }
    Result<Producer> producer = client.queue_producer(queue, ProducerOptions());
    if (!producer) {
      return to_error(producer.error());
    }
    return OneMessage(client, queue, std::move(*producer), traits, payload_bytes);
  }

  /// Sends it, looks for it, takes it.
  proto::Result<> pass() {
    MessageView message(payload_.make(number_, now_ns()));
    names_.put_on(message, number_++);
    if (const Result<SendReceipt> sent = producer_.send(message); !sent) {
      return to_error(sent.error());
    }
    const std::int64_t begin = now_ns();
    const Result<PeekPage> page = client_.peek_queue(queue_, PeekOptions().set_max_messages(1));
    const std::int64_t looked = now_ns();
    Result<std::vector<Delivery>> taken = client_.receive(queue_);
    const std::int64_t received = now_ns();
    if (!page || !taken) {
      return to_error(page ? taken.error() : page.error());
    }
    if (page->messages.size() != 1 || taken->size() != 1) {
      return proto::fail(proto::Errc::kInternal, "the one message of a queue was not found");
    }
    found_.record(std::chrono::nanoseconds(looked - begin));
    received_.record(std::chrono::nanoseconds(received - looked));
    const Result<> acked = taken->front().async_ack().get();
    return acked ? proto::Result<>() : to_error(acked.error());
  }

  [[nodiscard]] const Histogram& found() const { return found_; }
  [[nodiscard]] const Histogram& received() const { return received_; }

 private:
  OneMessage(Client& client, std::string queue, Producer producer, const Traits& traits,
             std::size_t payload_bytes)
      : client_(client),
        queue_(std::move(queue)),
        producer_(std::move(producer)),
        names_(traits),
        payload_(payload_bytes) {}

  Client& client_;
  std::string queue_;
  Producer producer_;
  Names names_;
  Payload payload_;
  std::uint64_t number_ = 0;
  Histogram found_;
  Histogram received_;
};

/// In turns with a queue that is new, so that what else the machine does meets both alike.
proto::Result<> add_first_found(Report& report, Client& client, const std::string& queue,
                                Traits traits, const Options& options) {
  constexpr double kFoundTargetUs = 1'000;
  traits.put_off = {};
  auto drained = OneMessage::in(client, queue, traits, options.payload_bytes);
  auto fresh = OneMessage::in(client, unique_name("new") + (traits.is_fifo() ? ".fifo" : ""),
                              traits, options.payload_bytes);
  if (!drained || !fresh) {
    return drained ? fresh.error() : drained.error();
  }
  for (std::size_t sample = 0; sample < options.samples; ++sample) {
    for (OneMessage* each : {&*drained, &*fresh}) {
      if (auto passed = each->pass(); !passed) {
        return passed;
      }
    }
  }
  report.add("first_found_p50", drained->found().percentile_us(0.5), "us");
  report.add("first_found_p99", drained->found().percentile_us(0.99), "us");
  report.target("< 1 ms", drained->found().percentile_us(0.99) < kFoundTargetUs);
  report.add("first_found_p99_new", fresh->found().percentile_us(0.99), "us");
  report.add("first_received_p50", drained->received().percentile_us(0.5), "us");
  report.add("first_received_p99", drained->received().percentile_us(0.99), "us");
  report.add("first_received_p50_new", fresh->received().percentile_us(0.5), "us");
  report.add("first_received_p99_new", fresh->received().percentile_us(0.99), "us");
  return {};
}

/// A queue of such messages, beside one that is shallow.
proto::Result<Report> run_depth_of(const Options& options, const Traits& traits,
                                   const std::string& title) {
  constexpr std::uint64_t kShallow = 10'000;
  constexpr std::chrono::milliseconds kShallowPutOff{300};  // longer than its fill
  constexpr double kGrowthTargetMib = 128;
  constexpr double kRatioTarget = 0.8;
  const proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  Drained shallow;
  Traits shallow_traits = traits;
  if (traits.put_off.count() > 0) {
    shallow_traits.put_off = kShallowPutOff;
  }
  if (auto done =
          fill_and_drain(*subject, kShallow, options.payload_bytes, shallow_traits, shallow);
      !done) {
    return done.error();
  }
  const proto::Result<Subject> other = Subject::make(options);
  if (!other) {
    return other.error();
  }
  const double idle = rss_mib(*other);
  proto::Result<Client> client = connect(other->url());
  if (!client) {
    return client.error();
  }
  const std::string queue = unique_name("deep") + (traits.is_fifo() ? ".fifo" : "");
  const std::int64_t begin = now_ns();
  if (auto filled = fill_queue(*client, queue, options.backlog, options.payload_bytes, traits);
      !filled) {
    return filled.error();
  }
  const double filled_seconds = static_cast<double>(now_ns() - begin) / 1e9;
  const proto::Result<double> seconds = drain(*other, queue, options.backlog);
  if (!seconds) {
    return seconds.error();
  }
  const Drained deep{options.backlog, *seconds};
  Report report(title);
  report.add("fill_rate", static_cast<double>(options.backlog) / filled_seconds, "msg/s");
  report.add("drain_rate", deep.rate(), "msg/s");
  report.add("drain_rate_shallow", shallow.rate(), "msg/s");
  report.add("drain_ratio", deep.rate() / shallow.rate(), "x");
  report.target(">= 0.8", deep.rate() / shallow.rate() >= kRatioTarget);
  report.add("rss_idle", idle, "MiB");
  report.add("peak_rss", peak_mib(*other), "MiB");
  report.target("< 128 MiB over idle", peak_mib(*other) - idle < kGrowthTargetMib);
  if (auto added = add_first_found(report, *client, queue, traits, options); !added) {
    return added.error();
  }
  return report;
}

/// The runs of that, and their median.
proto::Result<> run_backlog_of(const Options& options, const Printer& printer, const Traits& traits,
                               const std::string& name) {
  if (options.broker.empty()) {
    return proto::fail(proto::Errc::kInvalidArgument, name + " needs --broker");
  }
  const std::string title = name + " " + std::to_string(options.backlog);
  const proto::Result<Report> median =
      median_of_runs(options, title, [&] { return run_depth_of(options, traits, title); });
  if (!median) {
    return median.error();
  }
  printer.print(*median);
  return {};
}

}  // namespace

proto::Result<> run_backlog_fifo(const Options& options, const Printer& printer) {
  constexpr std::uint64_t kGroups = 100'000;
  return run_backlog_of(options, printer, {.groups = kGroups}, "backlog-fifo");
}

proto::Result<> run_backlog_priority(const Options& options, const Printer& printer) {
  return run_backlog_of(options, printer, {.has_priorities = true}, "backlog-priority");
}

proto::Result<> run_backlog_delayed(const Options& options, const Printer& printer) {
  constexpr std::chrono::minutes kPutOff{4};  // longer than a fill of ten million
  return run_backlog_of(options, printer, {.put_off = kPutOff}, "backlog-delayed");
}

}  // namespace weir::bench
