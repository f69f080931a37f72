#include "tests/faults/memory_limit.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

namespace weir::faults {
namespace {

using crash::RawClients;
using proto::Errc;
using proto::fail;

constexpr std::uint32_t kProducers = 16;
constexpr std::uint32_t kMessagesPerBatch = 20;
constexpr std::uint32_t kMaxFillerBytes = 8'000;
constexpr std::uint64_t kMeanBytes = kMaxFillerBytes / 2;
constexpr int kConsumers = 12;
constexpr int kIdleClients = 40;
constexpr std::uint64_t kHeldForEver = 1'000'000;
constexpr std::uint64_t kKept = 100;
constexpr std::int64_t kFillMs = 900'000;
constexpr std::uint64_t kLeaseMs = 900'000;
/// Of the backlog, how many messages are worked off while as many come.
constexpr std::uint64_t kWorkedShare = 10;

/// What README.md of broker/server advises for a machine of 256 MiB, a hundred clients.
std::vector<std::string> flags() {
  return {"--write-buffer-bytes",    "16MiB", "--block-cache-bytes", "8MiB",
          "--tail-cache-bytes",      "8MiB",  "--idle-batch-bytes",  "8MiB",
          "--producer-budget-bytes", "8MiB",  "--max-connections",   "100",
          "--max-wal-bytes",         "32MiB", "--ballast-bytes",     "0",
          "--min-free-disk-bytes",   "1MiB",  "--max-memory-bytes",  "224MiB"};
}

std::uint64_t peak_resident_bytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (in >> word) {
    if (word == "VmHWM:") {
      std::uint64_t kib = 0;
      in >> kib;
      return kib << 10U;
    }
  }
  return 0;
}

}  // namespace

MemoryRun::MemoryRun(MemoryOptions options)
    : options_(std::move(options)), load_("load", {.max_filler_bytes = kMaxFillerBytes}) {
  clients_.add(std::make_unique<crash::RawProducers>(
      std::vector<crash::RawProducers::Target>{{&load_, false, 0, kProducers}}, kMessagesPerBatch,
      1));
  for (std::uint64_t i = 0; i < kConsumers; ++i) {
    clients_.add(std::make_unique<crash::RawConsumer>(load_, i));
  }
}

proto::Result<> MemoryRun::run() {
  for (const auto step :
       {&MemoryRun::prepare, &MemoryRun::fill, &MemoryRun::work_slowly, &MemoryRun::check}) {
    if (const proto::Result<> done = (this->*step)(); !done) {
      return crash::is_loss(done) && broker_ ? broker_->explain_loss() : done.error();
    }
  }
  return broker_->kill();
}

proto::Result<> MemoryRun::prepare() {
  crash::BrokerSetup setup{.flags = flags()};
  if (options_.is_enforced) {
    proto::Result<ControlGroup> group = ControlGroup::make(options_.limit_bytes);
    if (!group) {
      return group.error();
    }
    group_.emplace(std::move(*group));
    setup.group_file = group_->entry();
  }
  broker_.emplace(options_.broker, options_.dir, std::move(setup));
  if (proto::Result<> started = broker_->start(); !started) {
    return started;
  }
  for (int i = 0; i < kIdleClients; ++i) {
    HandClient& client = *idle_.emplace_back(std::make_unique<HandClient>());
    if (proto::Result<> opened = client.open(broker_->port()); !opened) {
      return opened;
    }
    if (i == 0) {
      for (const char* queue : {"load", "idle"}) {
        if (proto::Result<> made = client.create_queue(queue, kLeaseMs); !made) {
          return made;
        }
      }
    }
    client.ask("idle", 1, 20'000);
  }
  return clients_.connect(broker_->port());
}

// What consumers have credit for is handed out and held.
proto::Result<> MemoryRun::fill() {
  const std::uint64_t messages = options_.backlog_bytes / kMeanBytes;
  return clients_.pump(
      [] { return RawClients::Doing{.sends = true, .keeps = kHeldForEver, .limit_ms = kFillMs}; },
      [this, messages] { return load_.open() >= messages; });
}

// What comes is read from disk by now, and as much is sent.
proto::Result<> MemoryRun::work_slowly() {
  const std::uint64_t settled =
      load_.tally().settled + options_.backlog_bytes / kMeanBytes / kWorkedShare;
  const std::uint64_t most = load_.open();
  return clients_.pump(
      [this, most] {
        return RawClients::Doing{.sends = load_.open() < most, .keeps = kKept, .limit_ms = kFillMs};
      },
      [this, settled] { return load_.tally().settled >= settled; });
}

proto::Result<> MemoryRun::check() {
  resident_bytes_ = peak_resident_bytes(broker_->pid());
  if (group_) {
    group_bytes_ = group_->peak_bytes();
    if (group_->kills() > 0 || group_bytes_ > options_.limit_bytes) {
      return fail(Errc::kInternal,
                  "the control group came to " + std::to_string(group_bytes_) +
                      " bytes, processes killed in it: " + std::to_string(group_->kills()));
    }
  }
  return resident_bytes_ > 0 && resident_bytes_ <= options_.limit_bytes
             ? proto::Result<>()
             : fail(Errc::kInternal,
                    "the broker came to " + std::to_string(resident_bytes_) + " bytes of memory");
}

}  // namespace weir::faults
