#include "tests/crash/kill_run.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <poll.h>
#include <utility>

namespace weir::crash {
namespace {

using Clock = std::chrono::steady_clock;
using proto::Errc;
using proto::fail;

constexpr std::uint32_t kProducerConnections = 4;
constexpr std::uint32_t kProducersPerConnection = 16;
constexpr std::uint32_t kMessagesPerBatch = 20;
constexpr std::uint32_t kConsumers = 4;
/// What a consumer sits on: so a kill always finds deliveries that are not answered.
constexpr std::uint64_t kKeptMessages = 60;

constexpr std::uint64_t kLeastSends = 200;
constexpr std::uint64_t kLeastDeliveries = 100;

/// Producers pause while so much waits to be settled.
constexpr std::uint64_t kMaxOpen = 60'000;
constexpr std::int64_t kLifeMs = 60'000;
constexpr std::int64_t kDrainMs = 60'000;
constexpr std::int64_t kPauseMs = 50;
/// The lease is short, since what a lost consumer began is waited for at the end.
constexpr std::uint64_t kLeaseMs = 6'000;
constexpr std::uint32_t kMaxReceiveCount = 1'000;
/// A kill falls at most so long after the moment when all of it may be answered.
constexpr std::uint64_t kMaxDelayUs = 4'000;

std::int64_t ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

/// Messages in the queue, whatever their state.
proto::Result<std::uint64_t> count_messages(RawSession& admin, const std::string& queue) {
  weir::v1::Request request;
  request.mutable_describe_queue()->set_name(queue);
  const auto described = admin.call(std::move(request));
  if (!described) {
    return described.error();
  }
  const weir::v1::QueueInfo& info = described->queue();
  return info.ready() + info.in_flight() + info.delayed() + info.dying() + info.parked();
}

/// The connection is gone because the broker is; anything else is what the broker did wrong.
bool is_loss(const proto::Result<>& result) {
  return !result && result.error().code == Errc::kConnectFailed;
}

}  // namespace

KillRun::KillRun(KillOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      broker_(options_.broker, options_.dir),
      raw_queue_("raw"),
      sdk_queue_("sdk", false),
      topic_("log-0"),
      sdk_(sdk_queue_, topic_, 0) {
  for (std::uint32_t i = 0; i < kProducerConnections; ++i) {
    std::vector<RawProducers::Target> targets = {{&raw_queue_, false, 0, kProducersPerConnection}};
    if (i == 0) {
      targets.push_back({&topic_, true, 0, 1});
    }
    producers_.push_back(
        std::make_unique<RawProducers>(std::move(targets), kMessagesPerBatch, random_.next()));
  }
  for (std::uint32_t i = 0; i < kConsumers; ++i) {
    consumers_.push_back(std::make_unique<RawConsumer>(raw_queue_, random_.next()));
  }
}

KillReport KillRun::run() {
  const Clock::time_point begin = Clock::now();
  if (const proto::Result<> done = run_all(); !done) {
    const proto::Error why = is_loss(done) ? broker_.explain_loss() : done.error();
    report_.complaints.push_back(why.to_string());
  }
  sdk_.close();
  report_.took_ms = ms_since(begin);
  fill_report();
  return report_;
}

proto::Result<> KillRun::run_all() {
  if (proto::Result<> ready = prepare(); !ready) {
    return ready;
  }
  for (std::uint32_t i = 0; i < options_.kills; ++i) {
    if (proto::Result<> done = live_and_kill(); !done) {
      return done;
    }
  }
  if (proto::Result<> done = drain(); !done) {
    return done;
  }
  return check_topic();
}

proto::Result<> KillRun::prepare() {
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  RawSession admin([](const proto::RawFrame&) { return proto::Result<>(); });
  if (proto::Result<> opened = admin.open(broker_.port()); !opened) {
    return opened;
  }
  for (const Oracle* queue : {&raw_queue_, &sdk_queue_}) {
    weir::v1::Request request;
    request.mutable_create_queue()->set_name(queue->destination());
    request.mutable_create_queue()->mutable_settings()->set_lease_ms(kLeaseMs);
    request.mutable_create_queue()->mutable_settings()->set_max_receive_count(kMaxReceiveCount);
    if (const auto made = admin.call(std::move(request)); !made) {
      return made.error();
    }
  }
  weir::v1::Request request;
  request.mutable_create_topic()->set_name("log");
  if (const auto made = admin.call(std::move(request)); !made) {
    return made.error();
  }
  if (proto::Result<> connected = connect(); !connected) {
    return connected;
  }
  return sdk_.open(broker_.port());
}

proto::Result<> KillRun::connect() {
  for (const auto& consumer : consumers_) {
    if (proto::Result<> opened = consumer->open(broker_.port()); !opened) {
      return opened;
    }
  }
  for (const auto& producers : producers_) {
    if (proto::Result<> opened = producers->open(broker_.port()); !opened) {
      return opened;
    }
  }
  return {};
}

std::vector<RawSession*> KillRun::sessions() {
  std::vector<RawSession*> all;
  for (const auto& producers : producers_) {
    all.push_back(&producers->session());
  }
  for (const auto& consumer : consumers_) {
    all.push_back(&consumer->session());
  }
  return all;
}

proto::Result<> KillRun::serve_once(int wait_ms) {
  const std::vector<RawSession*> all = sessions();
  std::vector<pollfd> waits;
  waits.reserve(all.size());
  for (RawSession* session : all) {
    waits.push_back(
        {session->fd(), static_cast<short>(POLLIN | (session->wants_write() ? POLLOUT : 0)), 0});
  }
  ::poll(waits.data(), waits.size(), wait_ms);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) {
      continue;
    }
    if (proto::Result<> read = all[i]->read(); !read) {
      return read;
    }
  }
  return {};
}

template <class Done>
proto::Result<> KillRun::pump(bool more, std::int64_t limit_ms, Done&& done) {
  const Clock::time_point begin = Clock::now();
  while (!done()) {
    if (ms_since(begin) > limit_ms) {
      return fail(Errc::kDeadlineExceeded,
                  "the broker stood still: " + std::to_string(acknowledged()) +
                      " sends acknowledged, " + std::to_string(unanswered_sends()) +
                      " unanswered, " + std::to_string(unanswered_deliveries()) +
                      " deliveries unanswered, " + std::to_string(raw_queue_.open()) +
                      " messages not settled");
    }
    const bool fills = more && raw_queue_.open() < kMaxOpen;
    for (const auto& producers : producers_) {
      producers->fill(fills);
    }
    for (const auto& consumer : consumers_) {
      consumer->settle(kKeptMessages, draining_);
    }
    for (RawSession* session : sessions()) {
      if (proto::Result<> written = session->write(); !written) {
        return written;
      }
    }
    if (proto::Result<> served = serve_once(1); !served) {
      return served;
    }
    if (const std::string trouble = sdk_.trouble(); !trouble.empty()) {
      return fail(Errc::kInternal, "client library: " + trouble);
    }
  }
  return {};
}

std::uint64_t KillRun::acknowledged() const {
  return raw_queue_.tally().acknowledged + sdk_queue_.tally().acknowledged +
         topic_.tally().acknowledged;
}

std::uint64_t KillRun::unanswered_sends() {
  std::uint64_t messages = 0;
  for (const auto& producers : producers_) {
    // What this side still holds was not sent.
    messages += producers->session().wants_write() ? 0 : producers->unanswered();
  }
  return messages;
}

std::uint64_t KillRun::unanswered_deliveries() const {
  std::uint64_t messages = 0;
  for (const auto& consumer : consumers_) {
    messages += consumer->unanswered();
  }
  return messages;
}

proto::Result<> KillRun::live_and_kill() {
  const std::uint64_t quota =
      acknowledged() +
      random_.between(options_.sends_per_kill / 2, std::uint64_t{options_.sends_per_kill} * 3 / 2);
  const auto delay = std::chrono::microseconds(random_.between(0, kMaxDelayUs));
  Clock::time_point earliest = Clock::time_point::max();
  const auto is_time = [&] {
    if (earliest == Clock::time_point::max()) {
      if (acknowledged() >= quota) {
        earliest = Clock::now() + delay;
      }
      return false;
    }
    return Clock::now() >= earliest && unanswered_sends() >= kLeastSends &&
           unanswered_deliveries() >= kLeastDeliveries;
  };
  if (proto::Result<> done = pump(true, kLifeMs, is_time); !done) {
    return done;
  }
  return kill();
}

proto::Result<> KillRun::kill() {
  const std::uint64_t sends = unanswered_sends();
  const std::uint64_t deliveries = unanswered_deliveries();
  std::uint64_t batches = 0;
  for (const auto& producers : producers_) {
    batches += producers->session().wants_write() ? 0 : producers->unanswered_batches();
  }
  if (proto::Result<> killed = broker_.kill(); !killed) {
    return killed;
  }
  const bool first = report_.kills++ == 0;
  report_.least_sends = first ? sends : std::min(report_.least_sends, sends);
  report_.least_batches = first ? batches : std::min(report_.least_batches, batches);
  report_.least_deliveries = first ? deliveries : std::min(report_.least_deliveries, deliveries);
  // What it had said before it died counts: everything up to the end of each connection.
  for (RawSession* session : sessions()) {
    const proto::Result<> read = session->read();
    if (!read && !is_loss(read)) {
      return read;
    }
  }
  report_.unanswered_sends += unanswered_sends() + sdk_.unanswered_sends();
  for (const auto& producers : producers_) {
    producers->close(true);
  }
  for (const auto& consumer : consumers_) {
    consumer->close(true);
  }
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  report_.slowest_start_ms = std::max(report_.slowest_start_ms, broker_.start_ms());
  return connect();
}

proto::Result<> KillRun::drain() {
  draining_ = true;
  const auto is_sent = [this] {
    return std::ranges::all_of(producers_,
                               [](const auto& producers) { return producers->is_idle(); });
  };
  if (proto::Result<> done = pump(false, kLifeMs, is_sent); !done) {
    return done;
  }
  if (proto::Result<> done = sdk_.finish_sending(); !done) {
    return done;
  }
  const proto::Result<> settled = settle_all();
  // Whether anything is lost is the oracle's to say, now that the queues are empty.
  raw_queue_.check_done(false);
  sdk_queue_.check_done(false);
  if (!settled) {
    return settled;
  }
  for (const auto& consumer : consumers_) {
    consumer->close(false);
  }
  for (const auto& producers : producers_) {
    producers->close(false);
  }
  sdk_.close();
  return {};
}

// Until the queues are empty: messages whose sender never learned of it lie in them, too.
proto::Result<> KillRun::settle_all() {
  const Clock::time_point begin = Clock::now();
  const auto end = static_cast<std::int64_t>(topic_.tally().acknowledged);
  const auto is_settled = [&] {
    return raw_queue_.open() == 0 && sdk_queue_.open() == 0 && sdk_.read_to() >= end &&
           std::ranges::all_of(consumers_,
                               [](const auto& consumer) { return consumer->is_idle(); });
  };
  RawSession admin([](const proto::RawFrame&) { return proto::Result<>(); });
  if (proto::Result<> opened = admin.open(broker_.port()); !opened) {
    return opened;
  }
  while (true) {
    if (proto::Result<> done = pump(false, kDrainMs, is_settled); !done) {
      return done;
    }
    std::uint64_t left = 0;
    for (const Oracle* queue : {&raw_queue_, &sdk_queue_}) {
      const proto::Result<std::uint64_t> there = count_messages(admin, queue->destination());
      if (!there) {
        return there.error();
      }
      left += *there;
    }
    if (left == 0) {
      return {};
    }
    if (ms_since(begin) > kDrainMs) {
      return fail(Errc::kInternal, std::to_string(left) +
                                       " messages are counted after all that is known was settled");
    }
    const Clock::time_point pause = Clock::now();
    if (proto::Result<> done = pump(false, kDrainMs, [&] { return ms_since(pause) > kPauseMs; });
        !done) {
      return done;
    }
  }
}

// After a stop in order and one more start: everything is there, in the order in which it was sent.
proto::Result<> KillRun::check_topic() {
  if (proto::Result<> stopped = broker_.stop(); !stopped) {
    return stopped;
  }
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  const auto end = static_cast<std::int64_t>(topic_.tally().acknowledged);
  const proto::Result<> read = read_back(broker_.port(), "log", 0, end, topic_);
  topic_.check_done(true);
  if (!read) {
    return read;
  }
  return broker_.stop();
}

void KillRun::fill_report() {
  report_.queues = raw_queue_.tally();
  report_.queues += sdk_queue_.tally();
  report_.topic = topic_.tally();
  for (const auto& producers : producers_) {
    report_.duplicates += producers->duplicates();
  }
  for (const auto& consumer : consumers_) {
    report_.expired += consumer->expired();
  }
  for (const Oracle* oracle : {&raw_queue_, &sdk_queue_, &topic_}) {
    const std::vector<std::string> complaints = oracle->complaints();
    report_.complaints.insert(report_.complaints.end(), complaints.begin(), complaints.end());
  }
}

}  // namespace weir::crash
