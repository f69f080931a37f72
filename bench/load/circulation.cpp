#include "bench/load/circulation.hpp"

#include "bench/load/histogram.hpp"
#include "bench/load/marks.hpp"
#include "bench/load/payload.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>
#include <vector>

namespace weir::bench {
namespace {

constexpr std::chrono::milliseconds kCirculationPoll{1};
constexpr std::chrono::minutes kCirculationPatience{2};
// Every so many messages all bytes are looked at, not just the number in front.
constexpr std::uint64_t kLookEvery = 64;

// One connection. What its callbacks count, on its I/O thread, is read when they have ended.
struct Wheel {
  Wheel(Client connected, std::size_t payload_bytes)
      : client(std::move(connected)), payload(payload_bytes), expected(payload_bytes) {}

  Client client;
  Payload payload;
  Payload expected;
  Histogram confirm;
  Histogram end_to_end;
  std::deque<Producer> producers;
  std::vector<QueueConsumer> consumers;
};

std::uint64_t scattered(std::uint64_t number) {
  number *= 0x9e3779b97f4a7c15U;
  return number ^ (number >> 32U);
}

// Counted by all connections. The sums tell a message that was lost from one that came twice in its
// place.
struct Tally {
  std::atomic<bool> going_round = true;
  std::atomic<std::uint64_t> sent = 0;
  std::atomic<std::uint64_t> sent_sum = 0;
  std::atomic<std::uint64_t> confirmed = 0;
  std::atomic<std::uint64_t> failed = 0;
  std::atomic<std::uint64_t> handled = 0;
  std::atomic<std::uint64_t> handled_sum = 0;
  std::atomic<std::uint64_t> damaged = 0;
  std::atomic<std::uint64_t> redelivered = 0;

  [[nodiscard]] std::string text() const {
    return "sent " + std::to_string(sent) + ", confirmed " + std::to_string(confirmed) +
           ", failed " + std::to_string(failed) + ", handled " + std::to_string(handled) +
           ", damaged " + std::to_string(damaged) + ", redelivered " + std::to_string(redelivered);
  }
};

class Circulation {
 public:
  // With `leaves_the_rest` what comes behind the end is given back, else acked.
  Circulation(const Subject& subject, const CirculationShape& shape, bool leaves_the_rest)
      : subject_(subject), shape_(shape), leaves_the_rest_(leaves_the_rest) {}

  proto::Result<> open(const std::vector<std::string>& queues);
  proto::Result<> seed();
  // From now on nothing new is sent; what is under way is confirmed.
  proto::Result<> run_and_stop();
  proto::Result<> wait_until_all_is_handled();
  void close();
  [[nodiscard]] Report report(const std::string& title, const Marks& from, const Marks& to) const;
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  void send(Wheel& wheel, Producer& producer, Payload& payload, std::optional<Delivery> replaced);
  void handle(Wheel& wheel, Producer& producer, Delivery delivery);
  [[nodiscard]] std::size_t pairs() const { return std::max(shape_.connections, shape_.queues); }
  proto::Result<> wait_for(const std::atomic<std::uint64_t>& reached) const;

  const Subject& subject_;
  const CirculationShape shape_;
  const bool leaves_the_rest_;
  Tally tally_;
  std::deque<Wheel> wheels_;
};

proto::Result<> Circulation::open(const std::vector<std::string>& queues) {
  for (std::size_t i = 0; i < shape_.connections; ++i) {
    proto::Result<Client> client = connect(subject_.url());
    if (!client) {
      return client.error();
    }
    wheels_.emplace_back(std::move(*client), shape_.payload_bytes);
  }
  ProducerOptions producing;
  producing.set_max_buffered_messages(shape_.messages + pairs());
  producing.set_max_buffered_bytes((shape_.messages + pairs()) * (shape_.payload_bytes + 1'024));
  ConsumerOptions consuming;
  consuming.set_window_messages(
      static_cast<std::uint32_t>(std::max<std::size_t>(shape_.messages / pairs(), 1)));
  for (std::size_t i = 0; i < pairs(); ++i) {
    Wheel& wheel = wheels_[i % wheels_.size()];
    Result<Producer> producer = wheel.client.queue_producer(queues[i % queues.size()], producing);
    if (!producer) {
      return to_error(producer.error());
    }
    wheel.producers.push_back(std::move(*producer));
    Producer& replacing = wheel.producers.back();
    Result<QueueConsumer> consumer = wheel.client.subscribe(
        queues[i % queues.size()], consuming, [this, &wheel, &replacing](Delivery delivery) {
          handle(wheel, replacing, std::move(delivery));
        });
    if (!consumer) {
      return to_error(consumer.error());
    }
    wheel.consumers.push_back(std::move(*consumer));
  }
  return {};
}

proto::Result<> Circulation::seed() {
  Payload payload(shape_.payload_bytes);
  const std::size_t count = std::max(shape_.messages, pairs());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t pair = i % pairs();
    Wheel& wheel = wheels_[pair % wheels_.size()];
    send(wheel, wheel.producers[pair / wheels_.size()], payload, std::nullopt);
  }
  return {};
}

// Acks `replaced` once the new message is stored, so that no more are under way than deliveries are
// held.
void Circulation::send(Wheel& wheel, Producer& producer, Payload& payload,
                       std::optional<Delivery> replaced) {
  const std::uint64_t number = tally_.sent.fetch_add(1, std::memory_order_relaxed);
  tally_.sent_sum.fetch_add(scattered(number), std::memory_order_relaxed);
  const std::int64_t now = now_ns();
  const Result<> taken = producer.send(
      MessageView(payload.make(number, now)),
      [this, &wheel, now, replaced = std::move(replaced)](const Result<SendReceipt>& sent) mutable {
        wheel.confirm.record(std::chrono::nanoseconds(now_ns() - now));
        if (replaced) {
          replaced->ack();
        }
        (sent ? tally_.confirmed : tally_.failed).fetch_add(1, std::memory_order_release);
      });
  if (!taken) {
    tally_.failed.fetch_add(1, std::memory_order_release);
  }
}

void Circulation::handle(Wheel& wheel, Producer& producer, Delivery delivery) {
  if (leaves_the_rest_ && !tally_.going_round.load(std::memory_order_relaxed)) {
    delivery.release();
    return;
  }
  const Payload::Stamp stamp = Payload::read(delivery.body());
  wheel.end_to_end.record(std::chrono::nanoseconds(now_ns() - stamp.sent_ns));
  if (stamp.number % kLookEvery == 0 && !wheel.expected.could_make(delivery.body())) {
    tally_.damaged.fetch_add(1, std::memory_order_relaxed);
  }
  if (delivery.attempt() > 1) {
    tally_.redelivered.fetch_add(1, std::memory_order_relaxed);
  }
  tally_.handled_sum.fetch_add(scattered(stamp.number), std::memory_order_relaxed);
  // In front of `handled`: whoever sees that all is handled sees what was sent for it.
  if (tally_.going_round.load(std::memory_order_relaxed)) {
    send(wheel, producer, wheel.payload, std::move(delivery));
  } else {
    delivery.ack();
  }
  tally_.handled.fetch_add(1, std::memory_order_release);
}

proto::Result<> Circulation::wait_for(const std::atomic<std::uint64_t>& reached) const {
  const auto give_up = std::chrono::steady_clock::now() + kCirculationPatience;
  while (reached.load(std::memory_order_acquire) < tally_.sent.load() && tally_.failed == 0) {
    if (std::chrono::steady_clock::now() > give_up) {
      return proto::fail(proto::Errc::kDeadlineExceeded, "not all came round: " + tally_.text());
    }
    std::this_thread::sleep_for(kCirculationPoll);
  }
  if (tally_.failed != 0) {
    return proto::fail(proto::Errc::kInternal, "sends failed: " + tally_.text());
  }
  return {};
}

proto::Result<> Circulation::run_and_stop() {
  std::this_thread::sleep_for(std::chrono::duration<double>(shape_.seconds));
  tally_.going_round = false;
  return wait_for(tally_.confirmed);
}

proto::Result<> Circulation::wait_until_all_is_handled() {
  if (proto::Result<> handled = wait_for(tally_.handled); !handled) {
    return handled;
  }
  if (tally_.handled == tally_.sent && tally_.handled_sum == tally_.sent_sum &&
      tally_.damaged == 0 && tally_.redelivered == 0) {
    return {};
  }
  return proto::fail(proto::Errc::kInternal, "the counts do not fit: " + tally_.text());
}

void Circulation::close() {
  for (Wheel& wheel : wheels_) {
    wheel.consumers.clear();
    wheel.client.close();
  }
}

Report Circulation::report(const std::string& title, const Marks& from, const Marks& to) const {
  Histogram confirm;
  Histogram end_to_end;
  for (const Wheel& wheel : wheels_) {
    confirm.merge(wheel.confirm);
    end_to_end.merge(wheel.end_to_end);
  }
  Report report(title);
  report.add("connections", static_cast<double>(shape_.connections), "");
  report.add("queues", static_cast<double>(shape_.queues), "");
  report.add("payload", static_cast<double>(shape_.payload_bytes), "bytes");
  const auto messages = static_cast<double>(tally_.handled);
  const double rate = messages / seconds_between(from, to);
  report.add("acked_rate", rate, "msg/s");
  report.add("payload_rate", rate * static_cast<double>(shape_.payload_bytes) / 1e6, "MB/s");
  report.add("confirm_p50", confirm.percentile_us(0.5), "us");
  report.add("confirm_p99", confirm.percentile_us(0.99), "us");
  report.add("end_to_end_p50", end_to_end.percentile_us(0.5), "us");
  report.add("end_to_end_p99", end_to_end.percentile_us(0.99), "us");
  add_costs(report, from, to, messages);
  report.add("broker_rss", rss_mib(subject_), "MiB");
  return report;
}

proto::Result<std::vector<std::string>> make_queues(const Subject& subject, std::size_t count) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  std::vector<std::string> queues;
  const std::string base = unique_name("round");
  std::deque<Future<QueueDescription>> asked;
  for (std::size_t i = 0; i < count; ++i) {
    queues.push_back(base + "-" + std::to_string(i));
    asked.push_back(client->async_create_queue(queues.back(), QueueSettings()));
    constexpr std::size_t kAtOnce = 100;
    while (asked.size() > (i + 1 == count ? 0 : kAtOnce)) {
      if (const Result<QueueDescription> made = asked.front().get(); !made) {
        return to_error(made.error());
      }
      asked.pop_front();
    }
  }
  return queues;
}

}  // namespace

proto::Result<Report> run_circulation(const Subject& subject, const CirculationShape& shape,
                                      const std::string& title) {
  const auto queues = make_queues(subject, shape.queues);
  if (!queues) {
    return queues.error();
  }
  Circulation circulation(subject, shape, false);
  proto::Result<> done = circulation.open(*queues);
  const Marks from = mark(subject);
  done = done ? circulation.seed() : done;
  done = done ? circulation.run_and_stop() : done;
  done = done ? circulation.wait_until_all_is_handled() : done;
  const Marks to = mark(subject);
  circulation.close();
  if (!done) {
    return done.error();
  }
  return circulation.report(title, from, to);
}

proto::Result<Report> run_circulation_on(const Subject& subject, const std::string& queue,
                                         const CirculationShape& shape, const std::string& title) {
  Circulation circulation(subject, shape, true);
  const Marks from = mark(subject);
  proto::Result<> done = circulation.open({queue});
  done = done ? circulation.run_and_stop() : done;
  const Marks to = mark(subject);
  circulation.close();
  if (!done) {
    return done.error();
  }
  return circulation.report(title, from, to);
}

}  // namespace weir::bench
