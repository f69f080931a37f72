#include "tests/faults/disk_full.hpp"

#include "tests/crash/sdk_load.hpp"
#include "tests/integration/wire_client.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

namespace weir::faults {
namespace {

using Clock = std::chrono::steady_clock;
using crash::RawClients;
using proto::Errc;
using proto::fail;

constexpr std::uint32_t kProducers = 8;
constexpr std::uint32_t kMessagesPerBatch = 12;
/// Some values go to blob files, some do not.
constexpr std::uint32_t kMaxFillerBytes = 12'000;
constexpr std::uint64_t kTopicMessages = 3'000;
/// Nothing is held so long that its lease ends.
constexpr std::uint64_t kLeaseMs = 60'000;
constexpr std::uint64_t kHeldForEver = 1'000'000;
constexpr std::uint64_t kSettledWhileFull = 20;

constexpr std::int64_t kPhaseMs = 120'000;
constexpr std::int64_t kBallastMs = 10'000;
constexpr std::int64_t kResumeMs = 30'000;
constexpr std::int64_t kWallMs = 8'000;
constexpr std::int64_t kRetryMs = 100;
constexpr int kEndMs = 10'000;
/// So far below the half of what is kept free, where the ballast is given away.
constexpr std::uint64_t kLeftBytes = 256 << 10;
constexpr std::uint64_t kWallPercent = 35;

std::int64_t ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

// As the defaults are on a large disk: half of what is kept free is more than one second's sends,
// and the ballast is twice the log and the write buffers.
std::uint64_t min_free_bytes(std::uint64_t disk_bytes) {
  return disk_bytes / 4;
}

std::uint64_t ballast_bytes(std::uint64_t disk_bytes) {
  return std::min<std::uint64_t>(disk_bytes / 4, std::uint64_t{48} << 20);
}

std::vector<std::string> flags(std::uint64_t disk_bytes) {
  return {"--min-free-disk-bytes",
          std::to_string(min_free_bytes(disk_bytes)),
          "--ballast-bytes",
          std::to_string(ballast_bytes(disk_bytes)),
          "--max-wal-bytes",
          "8MiB",
          "--write-buffer-bytes",
          "16MiB",
          "--drain-ms",
          "2000"};
}

}  // namespace

DiskFullRun::DiskFullRun(DiskFullOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      broker_(options_.broker, options_.dir, {.flags = flags(options_.disk_bytes)}),
      queue_("work", {.max_filler_bytes = kMaxFillerBytes}),
      topic_("log-0") {
  auto producers = std::make_unique<crash::RawProducers>(
      std::vector<crash::RawProducers::Target>{{&queue_, false, 0, kProducers}}, kMessagesPerBatch,
      random_.next());
  producers->expect_full_disk();
  producers_ = producers.get();
  clients_.add(std::move(producers));
  clients_.add(std::make_unique<crash::RawConsumer>(queue_, random_.next()));
}

DiskFullReport DiskFullRun::run() {
  const Clock::time_point begin = Clock::now();
  if (const proto::Result<> done = run_all(); !done) {
    const proto::Error why = crash::is_loss(done) ? broker_.explain_loss() : done.error();
    report_.complaints.push_back("cycle " + std::to_string(report_.cycles + 1) + ": " +
                                 why.to_string());
  }
  report_.took_ms = ms_since(begin);
  report_.queue = queue_.tally();
  report_.topic = topic_.tally();
  for (const crash::Oracle* oracle : {&queue_, &topic_}) {
    const std::vector<std::string> complaints = oracle->complaints();
    report_.complaints.insert(report_.complaints.end(), complaints.begin(), complaints.end());
  }
  return report_;
}

proto::Result<> DiskFullRun::run_all() {
  if (proto::Result<> ready = prepare(); !ready) {
    return ready;
  }
  while (report_.cycles < options_.cycles) {
    if (proto::Result<> done = cycle(); !done) {
      return done;
    }
    ++report_.cycles;
  }
  if (proto::Result<> settled = settle_all(); !settled) {
    return settled;
  }
  queue_.check_done(false);
  const auto end = static_cast<std::int64_t>(topic_.tally().acknowledged);
  if (proto::Result<> read = crash::read_back(broker_.port(), "log", 0, end, topic_); !read) {
    return read;
  }
  topic_.check_done(true);
  clients_.close(false);
  return broker_.stop();
}

proto::Result<> DiskFullRun::prepare() {
  std::error_code error;
  std::filesystem::create_directories(broker_.data_dir(), error);
  proto::Result<SmallDisk> disk =
      SmallDisk::mount(options_.dir, broker_.data_dir(), options_.disk_bytes);
  if (!disk) {
    return disk.error();
  }
  disk_.emplace(std::move(*disk));
  report_.disk = disk_->kind();
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  crash::RawSession admin([](const proto::RawFrame&) { return proto::Result<>(); });
  if (proto::Result<> opened = admin.open(broker_.port()); !opened) {
    return opened;
  }
  weir::v1::Request request;
  request.mutable_create_queue()->set_name(queue_.destination());
  request.mutable_create_queue()->mutable_settings()->set_lease_ms(kLeaseMs);
  request.mutable_create_queue()->mutable_settings()->set_max_receive_count(1'000);
  if (const auto made = admin.call(request); !made) {
    return made.error();
  }
  request.mutable_create_topic()->set_name("log");
  if (const auto made = admin.call(std::move(request)); !made) {
    return made.error();
  }
  // A topic keeps what it has, so it is written once and only read from then on.
  RawClients publishers;
  publishers.add(std::make_unique<crash::RawProducers>(
      std::vector<crash::RawProducers::Target>{{&topic_, true, 0, 1}}, kMessagesPerBatch,
      random_.next()));
  if (proto::Result<> opened = publishers.connect(broker_.port()); !opened) {
    return opened;
  }
  const auto publish = [&] {
    return RawClients::Doing{.sends = topic_.tally().acknowledged < kTopicMessages};
  };
  const auto is_published = [&] {
    return topic_.tally().acknowledged >= kTopicMessages && publishers.producers_are_idle();
  };
  if (proto::Result<> done = publishers.pump(publish, is_published); !done) {
    return done;
  }
  return clients_.connect(broker_.port());
}

proto::Result<> DiskFullRun::cycle() {
  // Others have files on the disk, too: more or less of it is left to fill.
  const std::uint64_t left =
      random_.between(options_.disk_bytes * 2 / 5, options_.disk_bytes * 4 / 5);
  const auto hold = [] { return RawClients::Doing{.sends = false, .keeps = kHeldForEver}; };
  if (proto::Result<> ate = clients_.pump(hold, [&] { return disk_->eat(left); }); !ate) {
    return ate;
  }
  if (random_.percent(kWallPercent)) {
    if (proto::Result<> done = run_into_the_wall(); !done) {
      return done;
    }
  }
  for (const auto step :
       {&DiskFullRun::fill, &DiskFullRun::check_full, &DiskFullRun::drain, &DiskFullRun::resume}) {
    if (proto::Result<> done = (this->*step)(); !done) {
      return done;
    }
  }
  return {};
}

// Until every producer is refused. What is handed out meanwhile is held.
proto::Result<> DiskFullRun::fill() {
  return clients_.pump(
      [] { return RawClients::Doing{.sends = true, .keeps = kHeldForEver, .limit_ms = kPhaseMs}; },
      [this] { return producers_->refused() == kProducers && clients_.unanswered_sends() == 0; });
}

// Sends are refused; everything else goes on, and the pages say so.
proto::Result<> DiskFullRun::check_full() {
  const std::string health = integration::http_get(broker_.http_port(), "/healthz");
  const std::string ready = integration::http_get(broker_.http_port(), "/readyz");
  if (health.find(" 200 ") == std::string::npos || ready.find(" 503 ") == std::string::npos ||
      ready.find("the disk is nearly full") == std::string::npos) {
    return fail(Errc::kInternal, "the pages of a full disk: " + health + " | " + ready);
  }
  const std::uint64_t settled = queue_.tally().settled + kSettledWhileFull;
  const std::uint64_t delivered = queue_.tally().deliveries + kSettledWhileFull;
  const auto go_on = [] { return RawClients::Doing{.sends = false, .limit_ms = kPhaseMs}; };
  if (proto::Result<> done = clients_.pump(go_on,
                                           [&] {
                                             return queue_.tally().settled >= settled &&
                                                    queue_.tally().deliveries >= delivered;
                                           });
      !done) {
    return done;
  }
  // Beside it the other clients answer pings: on a busy disk a cold read takes its time.
  const auto end = static_cast<std::int64_t>(topic_.tally().acknowledged);
  std::future<proto::Result<>> reading = std::async(std::launch::async, [this, end] {
    return crash::read_back(broker_.port(), "log", 0, end, topic_);
  });
  const auto hold = [] {
    return RawClients::Doing{.sends = false, .keeps = kHeldForEver, .limit_ms = kPhaseMs};
  };
  const auto is_read = [&] {
    return reading.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  const proto::Result<> served = clients_.pump(hold, is_read);
  const proto::Result<> read = reading.get();
  return served ? read : served;
}

// Others take everything but the ballast, which the broker gives away: that is enough to empty it.
proto::Result<> DiskFullRun::drain() {
  const auto wait = [] {
    return RawClients::Doing{.sends = false, .keeps = kHeldForEver, .limit_ms = kBallastMs};
  };
  // Again and again: the broker gives some space back by itself.
  const std::uint64_t left = min_free_bytes(options_.disk_bytes) / 2 - kLeftBytes;
  const auto is_released = [&] {
    (void)disk_->eat(left);
    return !has_ballast();
  };
  if (proto::Result<> done = clients_.pump(wait, is_released); !done) {
    if (crash::is_loss(done)) {
      return done;
    }
    return fail(Errc::kInternal, "the ballast stays: " + done.error().to_string());
  }
  const std::uint64_t ballast = ballast_bytes(options_.disk_bytes);
  if (proto::Result<> ate = clients_.pump(wait, [&] { return disk_->eat(ballast); }); !ate) {
    return ate;
  }
  if (proto::Result<> settled = settle_all(); !settled) {
    return settled;
  }
  ++report_.drained;
  return {};
}

proto::Result<> DiskFullRun::resume() {
  disk_->give_back();
  const Clock::time_point begin = Clock::now();
  Clock::time_point retried = begin;
  const auto is_taken = [&] {
    if (ms_since(retried) >= kRetryMs) {
      retried = Clock::now();
      producers_->retry_refused();
    }
    return producers_->is_idle();
  };
  const auto retry = [] {
    return RawClients::Doing{.sends = false, .keeps = kHeldForEver, .limit_ms = kResumeMs};
  };
  if (proto::Result<> done = clients_.pump(retry, is_taken); !done) {
    if (crash::is_loss(done)) {
      return done;
    }
    return fail(Errc::kInternal, "sends are not taken again: " + done.error().to_string() + ", " +
                                     std::to_string(disk_->free_bytes()) + " bytes are free");
  }
  report_.slowest_resume_ms = std::max(report_.slowest_resume_ms, ms_since(begin));
  return {};
}

// Somebody else takes everything, and what the broker gives away as well.
proto::Result<> DiskFullRun::run_into_the_wall() {
  const Clock::time_point begin = Clock::now();
  const auto go_on = [] { return RawClients::Doing{.sends = true, .keeps = 100}; };
  const auto eats = [&] {
    (void)disk_->eat(0);
    return ms_since(begin) > kWallMs;
  };
  const proto::Result<> served = clients_.pump(go_on, eats);
  if (served) {  // it had nothing to write
    return resume();
  }
  if (!crash::is_loss(served)) {
    return served;
  }
  const auto end = broker_.wait_end(kEndMs);
  const std::string log = broker_.log();
  if (!end || end->exit_code != 3 || log.find("the broker cannot go on") == std::string::npos ||
      log.find("No space left on device") == std::string::npos) {
    return fail(Errc::kInternal, "a full disk ended the broker otherwise than it should: exit " +
                                     std::to_string(end ? end->exit_code : -1) + ", signal " +
                                     std::to_string(end ? end->signal : -1) + ": " + log);
  }
  ++report_.deaths;
  if (proto::Result<> read = clients_.read_last_words(); !read) {
    return read;
  }
  clients_.close(false);
  if (proto::Result<> tried = start_without_space(); !tried) {
    return tried;
  }
  disk_->give_back();
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  return clients_.connect(broker_.port());
}

// It may start, or say why not; it must not do harm.
proto::Result<> DiskFullRun::start_without_space() {
  while (!disk_->eat(0)) {
  }
  if (broker_.start()) {
    return broker_.kill();
  }
  ++report_.refused_starts;
  const std::string log = broker_.log();
  return log.find("No space left on device") != std::string::npos
             ? proto::Result<>()
             : fail(Errc::kInternal, "a start on a full disk does not say what is wrong: " + log);
}

proto::Result<> DiskFullRun::settle_all() {
  const auto drain = [] {
    return RawClients::Doing{.sends = false, .drains = true, .limit_ms = kPhaseMs};
  };
  crash::RawSession admin([](const proto::RawFrame&) { return proto::Result<>(); });
  if (proto::Result<> opened = admin.open(broker_.port()); !opened) {
    return opened;
  }
  const Clock::time_point begin = Clock::now();
  while (true) {
    const auto is_settled = [this] { return queue_.open() == 0 && clients_.consumers_are_idle(); };
    if (proto::Result<> done = clients_.pump(drain, is_settled); !done) {
      return done;
    }
    const proto::Result<std::uint64_t> left = crash::count_messages(admin, queue_.destination());
    if (!left) {
      return left.error();
    }
    if (*left == 0) {
      return {};
    }
    if (ms_since(begin) > kPhaseMs) {
      return fail(Errc::kInternal, std::to_string(*left) + " messages are counted after all that " +
                                       "is known was settled");
    }
    const Clock::time_point pause = Clock::now();
    if (proto::Result<> done = clients_.pump(drain, [&] { return ms_since(pause) > kRetryMs; });
        !done) {
      return done;
    }
  }
}

bool DiskFullRun::has_ballast() const {
  std::error_code error;
  return std::filesystem::exists(broker_.data_dir() / "ballast", error);
}

}  // namespace weir::faults
