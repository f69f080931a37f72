#include "bench/load/histogram.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/single_sends.hpp"
#include "bench/load/workload.hpp"

#include <atomic>
#include <chrono>

namespace weir::bench {
namespace {

constexpr std::size_t kSizes[] = {100, 1024};
constexpr std::chrono::minutes kTopicTimeout{10};
constexpr double kBesideTargetUs = 20'000;
constexpr double kMegabyte = 1e6;

struct Filled {
  std::string topic;
  std::uint64_t messages = 0;
  double seconds = 0;
  double broker_cpu = 0;
  double own_cpu = 0;
  Histogram confirm;
};

// Sends until `seconds` have passed or `bytes` are sent, and until all is confirmed.
proto::Result<Filled> fill(const Subject& subject, std::size_t payload_bytes, double seconds,
                           std::uint64_t bytes) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  Filled filled;
  filled.topic = unique_name("topic");
  if (const auto created = client->create_topic(filled.topic, TopicSettings()); !created) {
    return to_error(created.error());
  }
  Result<Producer> producer = client->topic_producer(filled.topic, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  Payload payload(payload_bytes);
  std::atomic<std::uint64_t> failed = 0;
  const double broker_cpu = subject.use().cpu_seconds;
  const double own_cpu = own_cpu_seconds();
  const std::int64_t from = now_ns();
  const std::int64_t stop = from + static_cast<std::int64_t>(seconds * 1e9);
  std::uint64_t sent_bytes = 0;
  for (std::int64_t now = from; now < stop && sent_bytes < bytes; now = now_ns()) {
    const Result<> taken =
        producer->send(MessageView(payload.make(filled.messages, now)),
                       [&filled, &failed, now](const Result<SendReceipt>& receipt) {
                         filled.confirm.record(std::chrono::nanoseconds(now_ns() - now));
                         failed.fetch_add(receipt ? 0 : 1, std::memory_order_relaxed);
                       });
    if (!taken) {
      return to_error(taken.error());
    }
    ++filled.messages;
    sent_bytes += payload_bytes;
  }
  if (const Result<> flushed = producer->flush(kTopicTimeout); !flushed) {
    return to_error(flushed.error());
  }
  filled.seconds = static_cast<double>(now_ns() - from) / 1e9;
  filled.broker_cpu = subject.use().cpu_seconds - broker_cpu;
  filled.own_cpu = own_cpu_seconds() - own_cpu;
  client->close();
  if (failed != 0) {
    return proto::fail(proto::Errc::kInternal, std::to_string(failed) + " sends failed");
  }
  return filled;
}

// Counts what a reader gets: every record once, in order.
struct Replay {
  std::atomic<std::uint64_t> records = 0;
  std::atomic<std::uint64_t> out_of_order = 0;

  void take(const Record& record) {
    const std::uint64_t expected = records.load(std::memory_order_relaxed);
    const std::string_view value = record.value().value_or(std::string_view());
    if (Payload::read(value).number != expected ||
        record.offset() != static_cast<std::int64_t>(expected)) {
      out_of_order.fetch_add(1, std::memory_order_relaxed);
    }
    records.store(expected + 1, std::memory_order_relaxed);
  }
};

proto::Result<> check_replay(const Replay& replay, std::uint64_t messages) {
  if (replay.records == messages && replay.out_of_order == 0) {
    return {};
  }
  return proto::fail(proto::Errc::kInternal,
                     "read " + std::to_string(replay.records) + " of " + std::to_string(messages) +
                         " records, " + std::to_string(replay.out_of_order) + " out of order");
}

// A replay that is all that happens is bounded by bytes; one beside other work has the defaults.
constexpr std::uint32_t kReplayWindowMessages = 100'000;

Result<TopicReader> start_replay(Client& client, const std::string& topic, ReaderOptions reading,
                                 Replay& replay) {
  reading.set_stop_at_end();
  return client.read_topic(topic, reading,
                           [&replay](const Record& record) { replay.take(record); });
}

void add_speed(Report& report, std::uint64_t messages, std::size_t payload_bytes, double seconds) {
  const auto count = static_cast<double>(messages);
  report.add("rate", count / seconds, "msg/s");
  report.add("throughput", count * static_cast<double>(payload_bytes) / seconds / kMegabyte,
             "MB/s");
}

proto::Result<Report> append_once(const Options& options, const Subject& subject,
                                  std::size_t payload_bytes) {
  proto::Result<Filled> filled = fill(subject, payload_bytes, options.seconds, UINT64_MAX);
  if (!filled) {
    return filled.error();
  }
  const auto messages = static_cast<double>(filled->messages);
  Report report("topic-append " + std::to_string(payload_bytes) + " B");
  add_speed(report, filled->messages, payload_bytes, filled->seconds);
  report.add("confirm_p50", filled->confirm.percentile_us(0.5), "us");
  report.add("confirm_p99", filled->confirm.percentile_us(0.99), "us");
  report.add("broker_cpu_per_message", filled->broker_cpu / messages * 1e6, "us");
  report.add("bench_cpu_per_message", filled->own_cpu / messages * 1e6, "us");
  return report;
}

proto::Result<Report> replay_once(const Subject& subject, const Filled& filled,
                                  std::size_t payload_bytes) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  Replay replay;
  const double broker_cpu = subject.use().cpu_seconds;
  const double own_cpu = own_cpu_seconds();
  const std::int64_t from = now_ns();
  ReaderOptions reading;
  reading.set_window_messages(kReplayWindowMessages);
  Result<TopicReader> reader = start_replay(*client, filled.topic, reading, replay);
  if (!reader) {
    return to_error(reader.error());
  }
  if (const Result<bool> finished = reader->wait_finished(kTopicTimeout); !finished) {
    return to_error(finished.error());
  }
  const double seconds = static_cast<double>(now_ns() - from) / 1e9;
  const auto messages = static_cast<double>(filled.messages);
  Report report("topic-replay " + std::to_string(payload_bytes) + " B");
  add_speed(report, filled.messages, payload_bytes, seconds);
  report.add("broker_cpu_per_message", (subject.use().cpu_seconds - broker_cpu) / messages * 1e6,
             "us");
  report.add("bench_cpu_per_message", (own_cpu_seconds() - own_cpu) / messages * 1e6, "us");
  reader->close();
  client->close();
  if (proto::Result<> fits = check_replay(replay, filled.messages); !fits) {
    return fits.error();
  }
  return report;
}

proto::Result<Report> beside_once(const Options& options, const Subject& subject,
                                  const Filled& filled) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "beside");
  if (!queue) {
    return queue.error();
  }
  Result<Producer> producer = client->queue_producer(*queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  Histogram alone;
  Histogram beside;
  if (proto::Result<> sent =
          send_while(*producer, alone, kSizes[0],
                     [&](std::uint64_t number) { return number < options.samples; });
      !sent) {
    return sent.error();
  }
  Replay replay;
  const std::int64_t from = now_ns();
  Result<TopicReader> reader = start_replay(*client, filled.topic, ReaderOptions(), replay);
  if (!reader) {
    return to_error(reader.error());
  }
  if (proto::Result<> sent =
          send_while(*producer, beside, kSizes[0],
                     [&](std::uint64_t) { return !reader->finished() && reader->status(); });
      !sent) {
    return sent.error();
  }
  const double seconds = static_cast<double>(now_ns() - from) / 1e9;
  if (proto::Result<> fits = check_replay(replay, filled.messages); !fits) {
    return fits.error();
  }
  Report report("topic-replay-beside-sends");
  report.add("replayed", static_cast<double>(options.topic_bytes) / kMegabyte, "MB");
  report.add("replay_throughput",
             static_cast<double>(filled.messages * kSizes[1]) / seconds / kMegabyte, "MB/s");
  report.add("sends_beside", static_cast<double>(beside.count()), "");
  report.add("send_alone_p50", alone.percentile_us(0.5), "us");
  report.add("send_alone_p99", alone.percentile_us(0.99), "us");
  report.add("send_beside_p50", beside.percentile_us(0.5), "us");
  report.add("send_beside_p99", beside.percentile_us(0.99), "us");
  report.target("within 20 ms", beside.percentile_us(0.99) <= kBesideTargetUs);
  report.add("send_beside_max", beside.max_us(), "us");
  reader->close();
  client->close();
  return report;
}

// Prints each run of `once` and the median.
template <class Once>
proto::Result<> repeat(const Options& options, const Printer& printer, const std::string& title,
                       Once once) {
  std::vector<Report> runs;
  for (std::size_t run = 0; run < options.runs; ++run) {
    proto::Result<Report> report = once();
    if (!report) {
      return report.error();
    }
    printer.print(*report);
    runs.push_back(std::move(*report));
  }
  printer.print(Report::median_of(title + " median of " + std::to_string(runs.size()), runs));
  return {};
}

}  // namespace

proto::Result<> run_topic_append(const Options& options, const Printer& printer) {
  for (const std::size_t size : kSizes) {
    proto::Result<Subject> subject = Subject::make(options);
    if (!subject) {
      return subject.error();
    }
    if (proto::Result<> ran =
            repeat(options, printer, "topic-append " + std::to_string(size) + " B",
                   [&] { return append_once(options, *subject, size); });
        !ran) {
      return ran;
    }
  }
  return {};
}

proto::Result<> run_topic_replay(const Options& options, const Printer& printer) {
  for (const std::size_t size : kSizes) {
    proto::Result<Subject> subject = Subject::make(options);
    if (!subject) {
      return subject.error();
    }
    const proto::Result<Filled> filled = fill(*subject, size, options.seconds, options.topic_bytes);
    if (!filled) {
      return filled.error();
    }
    if (proto::Result<> ran =
            repeat(options, printer, "topic-replay " + std::to_string(size) + " B",
                   [&] { return replay_once(*subject, *filled, size); });
        !ran) {
      return ran;
    }
  }
  return {};
}

proto::Result<> run_topic_replay_beside_sends(const Options& options, const Printer& printer) {
  proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  constexpr double kNoTimeLimit = 3'600;
  const proto::Result<Filled> filled = fill(*subject, kSizes[1], kNoTimeLimit, options.topic_bytes);
  if (!filled) {
    return filled.error();
  }
  return repeat(options, printer, "topic-replay-beside-sends",
                [&] { return beside_once(options, *subject, *filled); });
}

}  // namespace weir::bench
