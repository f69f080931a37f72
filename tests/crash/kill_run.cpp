#include "tests/crash/kill_run.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
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
constexpr std::uint64_t kStallPercent = 10;
constexpr std::uint64_t kLeastStallMs = 1'100;  // the broker takes less for ordinary waiting
constexpr std::uint64_t kShutdownPercent = 20;
/// A shutdown of this broker takes about a second: drain_ms, then the last writes.
constexpr std::uint64_t kMaxShutdownMs = 1'200;
/// A kill falls at most so long after the moment when all of it may be answered.
constexpr std::uint64_t kMaxDelayUs = 4'000;

std::int64_t ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

}  // namespace

KillRun::KillRun(KillOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      broker_(options_.broker, options_.dir, {.flags = {"--drain-ms", "300"}}),
      raw_queue_("raw"),
      sdk_queue_("sdk", {.sees_every_start = false}),
      topic_("log-0"),
      sdk_(sdk_queue_, topic_, 0) {
  for (std::uint32_t i = 0; i < kProducerConnections; ++i) {
    std::vector<RawProducers::Target> targets = {{&raw_queue_, false, 0, kProducersPerConnection}};
    if (i == 0) {
      targets.push_back({&topic_, true, 0, 1});
    }
    clients_.add(
        std::make_unique<RawProducers>(std::move(targets), kMessagesPerBatch, random_.next()));
  }
  for (std::uint32_t i = 0; i < kConsumers; ++i) {
    clients_.add(std::make_unique<RawConsumer>(raw_queue_, random_.next()));
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
  while (report_.kills.all() < options_.kills) {
    if (random_.percent(kStallPercent)) {
      if (proto::Result<> done = stall(); !done) {
        return done;
      }
    }
    if (proto::Result<> done = live(); !done) {
      return done;
    }
    const proto::Result<> killed =
        random_.percent(kShutdownPercent) ? kill_in_shutdown() : kill_under_load();
    if (!killed) {
      return killed;
    }
    if (proto::Result<> back = come_back(); !back) {
      return back;
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
  if (proto::Result<> connected = clients_.connect(broker_.port()); !connected) {
    return connected;
  }
  return sdk_.open(broker_.port());
}

template <class Done>
proto::Result<> KillRun::pump(bool more, std::int64_t limit_ms, Done&& done) {
  const auto doing = [&] {
    return RawClients::Doing{.sends = more && raw_queue_.open() < kMaxOpen,
                             .keeps = kKeptMessages,
                             .drains = draining_,
                             .limit_ms = limit_ms};
  };
  std::string trouble;
  const auto is_over = [&] {
    trouble = sdk_.trouble();
    return !trouble.empty() || done();
  };
  proto::Result<> pumped = clients_.pump(doing, is_over);
  if (!trouble.empty()) {
    return fail(Errc::kInternal, "client library: " + trouble);
  }
  return pumped;
}

std::uint64_t KillRun::acknowledged() const {
  return raw_queue_.tally().acknowledged + sdk_queue_.tally().acknowledged +
         topic_.tally().acknowledged;
}

// Until enough is acknowledged in this life, and as much is unanswered as a kill is to find.
proto::Result<> KillRun::live() {
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
    return Clock::now() >= earliest && clients_.unanswered_sends() >= kLeastSends &&
           clients_.unanswered_deliveries() >= kLeastDeliveries;
  };
  return pump(true, kLifeMs, is_time);
}

// Nobody must lose a lease or a session by it: from then on consumers hold what they held.
proto::Result<> KillRun::stall() {
  const auto longest = std::max<std::uint64_t>(options_.max_stall_ms, kLeastStallMs);
  const auto planned = static_cast<std::int64_t>(random_.between(kLeastStallMs, longest));
  const Clock::time_point begin = Clock::now();
  broker_.signal(SIGSTOP);
  const proto::Result<> waited =
      pump(true, planned + kLifeMs, [&] { return ms_since(begin) >= planned; });
  broker_.signal(SIGCONT);
  const std::int64_t lost = ms_since(begin);
  ++report_.stalls;
  report_.stalled_ms += lost;
  clients_.on_stall(lost);
  return waited;
}

proto::Result<> KillRun::kill_under_load() {
  const std::uint64_t sends = clients_.unanswered_sends();
  const std::uint64_t deliveries = clients_.unanswered_deliveries();
  const std::uint64_t batches = clients_.unanswered_batches();
  if (proto::Result<> killed = broker_.kill(); !killed) {
    return killed;
  }
  const bool first = report_.kills.serving++ == 0;
  report_.least_sends = first ? sends : std::min(report_.least_sends, sends);
  report_.least_batches = first ? batches : std::min(report_.least_batches, batches);
  report_.least_deliveries = first ? deliveries : std::min(report_.least_deliveries, deliveries);
  return {};
}

// Clients do as they are asked and begin nothing more, while the end comes somewhere on the way.
proto::Result<> KillRun::kill_in_shutdown() {
  const auto delay = static_cast<std::int64_t>(random_.between(0, kMaxShutdownMs));
  const Clock::time_point begin = Clock::now();
  broker_.signal(SIGTERM);
  const proto::Result<> served = pump(false, kLifeMs, [&] { return ms_since(begin) >= delay; });
  if (!served && !is_loss(served) && served.error().code != Errc::kShuttingDown) {
    return served;
  }
  const std::int64_t left = std::max<std::int64_t>(delay - ms_since(begin), 0);
  if (const auto end = broker_.wait_end(static_cast<int>(left)); !end) {
    ++report_.kills.shutdown;
    return broker_.kill();
  } else if (end->exit_code != 0 || end->signal != 0) {
    return broker_.explain_loss();
  }
  ++report_.shutdowns;
  return {};
}

proto::Result<> KillRun::come_back() {
  if (proto::Result<> read = clients_.read_last_words(); !read) {
    return read;
  }
  report_.unanswered_sends += clients_.unanswered_sends() + sdk_.unanswered_sends();
  clients_.close(true);
  if (proto::Result<> started = start_with_kills(broker_, random_, report_.kills); !started) {
    return started;
  }
  report_.slowest_start_ms = std::max(report_.slowest_start_ms, broker_.start_ms());
  return clients_.connect(broker_.port());
}

proto::Result<> KillRun::drain() {
  draining_ = true;
  const auto is_sent = [this] { return clients_.producers_are_idle(); };
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
  clients_.close(false);
  sdk_.close();
  return {};
}

// Until the queues are empty: messages whose sender never learned of it lie in them, too.
proto::Result<> KillRun::settle_all() {
  const Clock::time_point begin = Clock::now();
  const auto end = static_cast<std::int64_t>(topic_.tally().acknowledged);
  const auto is_settled = [&] {
    return raw_queue_.open() == 0 && sdk_queue_.open() == 0 && sdk_.read_to() >= end &&
           clients_.consumers_are_idle();
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
  report_.duplicates = clients_.duplicates();
  report_.expired = clients_.expired();
  for (const Oracle* oracle : {&raw_queue_, &sdk_queue_, &topic_}) {
    const std::vector<std::string> complaints = oracle->complaints();
    report_.complaints.insert(report_.complaints.end(), complaints.begin(), complaints.end());
  }
}

}  // namespace weir::crash
