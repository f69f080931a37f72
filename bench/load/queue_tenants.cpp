#include "bench/load/histogram.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/workload.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

// Ten tenants with a little work each, alone and beside one with very much.
namespace weir::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kLoudMessages = 100'000;
constexpr std::uint64_t kTenants = 10;
constexpr std::uint64_t kMessagesOfEach = 10;
constexpr std::uint32_t kWindow = 8;
constexpr milliseconds kWork{1};  // that a message takes
constexpr std::chrono::minutes kPatience{2};
constexpr double kTargetRatio = 3;

/// Sends without waiting, and waits for all at the end.
class Tenant {
 public:
  Tenant(Producer& producer, std::string name) : producer_(producer), name_(std::move(name)) {}
  proto::Result<> send(std::uint64_t messages, std::size_t payload_bytes) {
    Payload payload(payload_bytes);
    for (std::uint64_t number = 0; number < messages; ++number) {
      MessageView message(payload.make(number, now_ns()));
      message.set_group(name_);
      if (const Result<> taken = producer_.send(message, [](const Result<SendReceipt>&) {});
          !taken) {
        return to_error(taken.error());
      }
    }
    const Result<> flushed = producer_.flush(kPatience);
    return flushed ? proto::Result<>() : to_error(flushed.error());
  }

 private:
  Producer& producer_;
  std::string name_;
};

/// From send() until the work begins, of the tenants' messages alone; one worker.
proto::Result<double> p95_ms(const Options& options, const Subject& subject, bool with_loud) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "tenants");
  if (!queue) {
    return queue.error();
  }
  Result<Producer> producer = client->queue_producer(*queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  if (with_loud) {
    if (auto sent = Tenant(*producer, "loud").send(kLoudMessages, options.payload_bytes); !sent) {
      return sent.error();
    }
  }
  Result<QueueConsumer> consumer =
      client->subscribe(*queue, ConsumerOptions().set_window_messages(kWindow));
  if (!consumer) {
    return to_error(consumer.error());
  }
  Histogram waits;
  std::uint64_t handled = 0;
  const auto handle_one = [&]() -> proto::Result<> {
    Result<std::optional<Delivery>> next = consumer->next();
    if (!next || !*next) {
      return next ? proto::fail(proto::Errc::kInternal, "no message came") : to_error(next.error());
    }
    if ((*next)->group() != "loud") {
      ++handled;
      waits.record(std::chrono::nanoseconds(now_ns() - Payload::read((*next)->body()).sent_ns));
    }
    std::this_thread::sleep_for(kWork);
    (*next)->ack();
    return {};
  };
  // The loud one's work is well under way.
  for (int i = 0; with_loud && i < 100; ++i) {
    if (auto done = handle_one(); !done) {
      return done.error();
    }
  }
  for (std::uint64_t tenant = 0; tenant < kTenants; ++tenant) {
    Tenant quiet(*producer, "tenant-" + std::to_string(tenant));
    if (auto sent = quiet.send(kMessagesOfEach, options.payload_bytes); !sent) {
      return sent.error();
    }
  }
  while (handled < kTenants * kMessagesOfEach) {
    if (auto done = handle_one(); !done) {
      return done.error();
    }
  }
  return waits.percentile_us(0.95) / 1'000;
}

}  // namespace

proto::Result<> run_queue_tenants(const Options& options, const Printer& printer) {
  const proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  std::vector<Report> runs;
  for (std::size_t run = 0; run < options.runs; ++run) {
    const proto::Result<double> alone = p95_ms(options, *subject, false);
    const proto::Result<double> beside = alone ? p95_ms(options, *subject, true) : alone;
    if (!beside) {
      return beside.error();
    }
    Report report("queue-tenants");
    report.add("wait_p95_alone", *alone, "ms");
    report.add("wait_p95_beside_loud", *beside, "ms");
    report.add("ratio", *beside / *alone, "x");
    report.target("<= 3", *beside / *alone <= kTargetRatio);
    runs.push_back(std::move(report));
  }
  printer.print(Report::median_of("queue-tenants", runs));
  return {};
}

}  // namespace weir::bench
