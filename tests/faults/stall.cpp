#include "tests/faults/stall.hpp"

#include "proto/limits.hpp"
#include "tests/integration/wire_client.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <unistd.h>
#include <utility>

namespace weir::faults {
namespace {

using Clock = std::chrono::steady_clock;
using crash::RawClients;
using proto::Errc;
using proto::fail;

constexpr std::uint64_t kLeaseMs = 2'500;
constexpr std::uint32_t kHeld = 11;  // the last is never settled
constexpr std::uint32_t kProducers = 16;
constexpr std::uint32_t kMessagesPerBatch = 40;
constexpr std::uint32_t kMaxFillerBytes = 8'000;
constexpr std::int64_t kLoadMs = 300;
constexpr std::int64_t kStepMs = 100;
/// What was synced just before may still be on its way.
constexpr std::int64_t kLastWordsMs = 500;
constexpr std::int64_t kHealthMs = 2'000;
constexpr std::int64_t kAgainMs = 10'000;
/// producer_budget_bytes and what is ready to be written once more.
constexpr std::uint64_t kMaxGrowthBytes = std::uint64_t{160} << 20;

std::int64_t ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

}  // namespace

StallRun::StallRun(StallOptions options, ShimHandle& shim)
    : options_(std::move(options)),
      shim_(shim),
      broker_(options_.broker, options_.dir, shim.with({.flags = {"--drain-ms", "300"}})),
      load_("load", {.max_filler_bytes = kMaxFillerBytes}) {
  clients_.add(std::make_unique<crash::RawProducers>(
      std::vector<crash::RawProducers::Target>{{&load_, false, 0, kProducers}}, kMessagesPerBatch,
      1));
}

proto::Result<> StallRun::run() {
  for (const auto step : {&StallRun::prepare, &StallRun::open_library, &StallRun::hold,
                          &StallRun::begin, &StallRun::stall}) {
    if (proto::Result<> done = (this->*step)(); !done) {
      end();
      return done;
    }
  }
  end();
  for (const auto step : {&StallRun::check_held, &StallRun::check_library, &StallRun::check_rest}) {
    if (proto::Result<> done = (this->*step)(); !done) {
      return done;
    }
  }
  return broker_.stop();
}

proto::Result<> StallRun::prepare() {
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  for (HandClient* client : {&holder_, &waiter_}) {
    if (proto::Result<> opened = client->open(broker_.port()); !opened) {
      return opened;
    }
  }
  for (const char* queue : {"held", "load"}) {
    if (proto::Result<> made = holder_.create_queue(queue, kLeaseMs); !made) {
      return made;
    }
  }
  return clients_.connect(broker_.port());
}

proto::Result<> StallRun::hold() {
  integration::WireClient sender(broker_.port());
  sender.hello();
  const std::uint32_t alias = sender.attach_queue("held").attached().alias();
  for (std::uint32_t i = 0; i < kHeld; ++i) {
    if (sender.send(alias, "held " + std::to_string(i)).code != 0) {
      return fail(Errc::kInternal, "a send was refused");
    }
  }
  if (proto::Result<> served = serve(kLoadMs); !served) {
    return served;
  }
  while (held_.size() < kHeld) {
    auto more = holder_.receive("held", kHeld, kLeaseMs);
    if (!more || more->empty()) {
      return more ? fail(Errc::kInternal, "a message is missing") : more.error();
    }
    held_.insert(held_.end(), more->begin(), more->end());
  }
  return {};
}

proto::Result<> StallRun::begin() {
  waiter_.ask("held", kHeld, 20'000);
  if (options_.kind == StallKind::kProcess) {
    broker_.signal(SIGSTOP);
    return serve(kLastWordsMs);
  }
  shim_.control().holds_syncs.store(1);
  const Clock::time_point begun = Clock::now();
  while (shim_.control().held_syncs.load() == 0) {
    if (proto::Result<> served = serve(1); !served) {
      return served;
    }
    if (ms_since(begun) > kAgainMs) {
      return fail(Errc::kInternal, "nothing is synced, or the shim is not in");
    }
  }
  return serve(kLastWordsMs);
}

proto::Result<> StallRun::stall() {
  const Clock::time_point begun = Clock::now();
  const std::uint64_t acknowledged = load_.tally().acknowledged;
  const std::uint64_t resident = resident_bytes();
  while (ms_since(begun) < std::int64_t{options_.seconds} * 1'000) {
    if (proto::Result<> served = serve(kStepMs); !served) {
      return served;
    }
    if (load_.tally().acknowledged != acknowledged) {
      return fail(Errc::kInternal, "a send was acknowledged while nothing was synced");
    }
    if (waiter_.received() && !waiter_.received()->empty()) {
      return fail(Errc::kInternal, "a message was handed out that somebody holds");
    }
    if (options_.kind == StallKind::kSync) {
      if (proto::Result<> health = check_health(); !health) {
        return health;
      }
      const std::uint64_t now = resident_bytes();
      grown_bytes_ = std::max(grown_bytes_, now > resident ? now - resident : 0);
    }
  }
  return grown_bytes_ <= kMaxGrowthBytes
             ? proto::Result<>()
             : fail(Errc::kInternal, "memory grew by " + std::to_string(grown_bytes_) + " bytes");
}

void StallRun::end() {
  release_syncs(shim_.control());
  if (options_.kind == StallKind::kProcess && broker_.pid() > 0) {
    broker_.signal(SIGCONT);
  }
}

proto::Result<> StallRun::check_health() {
  const Clock::time_point begin = Clock::now();
  const std::string page = integration::http_get(broker_.http_port(), "/healthz");
  return page.find("\r\n\r\n") != std::string::npos && ms_since(begin) < kHealthMs
             ? proto::Result<>()
             : fail(Errc::kInternal, "no health page in time: " + page);
}

// Whoever held something settles it, longer after than a lease lasts. What nobody settles comes
// back, to whoever has asked all the time.
proto::Result<> StallRun::check_held() {
  for (std::uint32_t i = 0; i + 1 < kHeld; ++i) {
    if (proto::Result<> settled = holder_.ack(held_[i].handle); !settled) {
      return fail(Errc::kInternal, "the lease of '" + held_[i].body +
                                       "' has ended in the stall: " + settled.error().to_string());
    }
  }
  const Clock::time_point begin = Clock::now();
  std::vector<HandClient::Message> again;
  while (again.empty()) {
    if (proto::Result<> served = serve(kStepMs); !served) {
      return served;
    }
    if (waiter_.received()) {
      again = *waiter_.received();
      waiter_.ask("held", kHeld, 20'000);
    }
    if (ms_since(begin) > kAgainMs) {
      return fail(Errc::kInternal, "a lease does not end after a stall");
    }
  }
  if (again.size() != 1 || again[0].body != held_.back().body) {
    return fail(Errc::kInternal, "'" + again[0].body + "' was handed out again");
  }
  return waiter_.ack(again[0].handle);
}

// A message that was pushed and is held, a reader of a topic, and a producer for it.
proto::Result<> StallRun::open_library() {
  ClientOptions options("weir://127.0.0.1:" + std::to_string(broker_.port()));
  options.set_event_handler([this](const ClientEvent& event) {
    if (event.kind == ClientEvent::Kind::kLost) {
      ++disconnects_;
    }
  });
  auto client = Client::connect(std::move(options));
  if (!client) {
    return fail(Errc::kInternal, client.error().to_string());
  }
  client_ = std::move(*client);
  const auto queue = client_->create_queue(
      "pushed", QueueSettings().set_lease(std::chrono::milliseconds(kLeaseMs)));
  const auto topic = client_->create_topic("read", TopicSettings());
  auto sender = client_->queue_producer("pushed", ProducerOptions());
  auto producer = client_->topic_producer("read", ProducerOptions());
  auto consumer = client_->subscribe("pushed", ConsumerOptions());
  auto reader = client_->read_topic("read", ReaderOptions());
  if (!queue || !topic || !sender || !producer || !consumer || !reader ||
      !sender->send(Message("pushed")) || !producer->send(Message("before"))) {
    return fail(Errc::kInternal, "the client library cannot begin");
  }
  producer_ = *producer;
  reader_ = *reader;
  auto delivery = consumer->next(std::chrono::milliseconds(kAgainMs));
  if (!delivery || !*delivery) {
    return fail(Errc::kInternal, "a message is not pushed");
  }
  pushed_ = std::move(**delivery);
  return read_next("before");
}

proto::Result<> StallRun::read_next(std::string_view text) {
  const auto record = reader_->next(std::chrono::milliseconds(kAgainMs));
  if (!record || !*record || (*record)->value() != text) {
    return fail(Errc::kInternal, "the reader does not get '" + std::string(text) + "'");
  }
  return {};
}

// The push that was held is still its holder's, and the topic goes on, over the session of before:
// unless the stall was as long as the client library waits for a sign of life.
proto::Result<> StallRun::check_library() {
  if (const auto acked = pushed_->ack_and_wait(std::chrono::milliseconds(kAgainMs)); !acked) {
    return fail(Errc::kInternal,
                "the lease of what was pushed has ended: " + acked.error().to_string());
  }
  if (const auto sent = producer_->send(Message("after")); !sent) {
    return fail(Errc::kInternal, "a send fails after the stall: " + sent.error().to_string());
  }
  if (proto::Result<> read = read_next("after"); !read) {
    return read;
  }
  const std::int64_t silent_ms =
      options_.kind == StallKind::kProcess ? std::int64_t{options_.seconds} * 1'000 : 0;
  if (silent_ms + proto::kHeartbeatMs <= proto::kDeadAfterMs && disconnects_ != 0) {
    return fail(Errc::kInternal, "a session of the client library has ended");
  }
  client_->close();
  return {};
}

proto::Result<> StallRun::check_rest() {
  return clients_.pump([] { return RawClients::Doing{.sends = false}; },
                       [this] { return clients_.producers_are_idle(); });
}

/// Everybody lives: sends, answers pings.
proto::Result<> StallRun::serve(std::int64_t ms) {
  const Clock::time_point begin = Clock::now();
  const auto is_over = [&] { return ms_since(begin) >= ms; };
  if (proto::Result<> pumped =
          clients_.pump([] { return RawClients::Doing{.sends = true}; }, is_over);
      !pumped) {
    return pumped;
  }
  for (HandClient* client : {&holder_, &waiter_}) {
    if (proto::Result<> served = client->serve(); !served) {
      return fail(Errc::kInternal, "a session has ended: " + served.error().to_string());
    }
  }
  return {};
}

std::uint64_t StallRun::resident_bytes() const {
  std::ifstream in("/proc/" + std::to_string(broker_.pid()) + "/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  in >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace weir::faults
