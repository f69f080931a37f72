#include "tests/sim/broker_host.hpp"

#include "storage/commit_chain.hpp"
#include "storage/export.hpp"
#include "storage/import.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace weir::sim {
namespace {

constexpr std::int64_t kTickUs = 200'000;  // a shard's clock wants to be looked at

}  // namespace

BrokerHost::BrokerHost(World& world, const Options& options)
    : world_(world), options_(options), replica_(options.max_producers) {}

void BrokerHost::start(Lost lost) {
  lost_ = std::move(lost);
  boot();
}

proto::TimeMs BrokerHost::now() {
  return clock_->now(wall_ms_ + mono_ms(), mono_ms());
}

std::optional<proto::TimeMs> BrokerHost::drawn_at(std::uint64_t nonce) const {
  const auto it = drawn_.find(nonce);
  return it != drawn_.end() ? std::optional(it->second.time) : std::nullopt;
}

bool BrokerHost::is_of_this_incarnation(std::uint64_t nonce) const {
  return incarnation_of(nonce) == shard_->incarnation();
}

std::uint32_t BrokerHost::incarnation_of(std::uint64_t nonce) const {
  return drawn_.at(nonce).incarnation;
}

/// What a crash left goes to another machine as a stream of bytes, and the broker goes on there.
void BrokerHost::move_to_copy() {
  world_.report().count("fault: the broker goes on with an import");
  Rng& rng = world_.rng();
  std::string stream;
  const auto sink = [&stream](std::string_view bytes) -> proto::Result<> {
    stream += bytes;
    return {};
  };
  const auto block_bytes = static_cast<std::size_t>(rng.between(1, 5000));
  const auto exported =
      storage::export_shard(*store_->snapshot(), sink, {.block_bytes = block_bytes});
  const auto source =
      [&stream, at = std::size_t{0}](std::span<char> into) mutable -> proto::Result<std::size_t> {
    const std::size_t bytes = std::min(into.size(), stream.size() - at);
    std::memcpy(into.data(), stream.data() + at, bytes);
    at += bytes;
    return bytes;
  };
  auto copy = std::make_unique<storage::MemoryStore>();
  const auto commit_bytes = static_cast<std::size_t>(rng.between(1, 5000));
  const auto imported = storage::import_shard(*copy, source, {.commit_bytes = commit_bytes});
  if (!exported || !imported) {
    world_.violate("move: " + (exported ? imported : exported).error().to_string());
    return;
  }
  store_ = std::move(copy);
  check_replica();
}

void BrokerHost::boot() {
  if (epoch_ > 0 && world_.rng().per_mille(options_.move_per_mille)) {
    move_to_copy();
  }
  const auto last = storage::read_commit_point(*store_->snapshot());
  if (!last) {
    world_.violate("recovery: " + last.error().to_string());
    return;
  }
  clock_.emplace(last->time);
  const ProcessPost post = [this](std::int64_t delay_us, std::function<void()> event) {
    world_.after(delay_us, [this, life = life_, event = std::move(event)] {
      if (life == life_) {
        event();
      }
    });
  };
  loader_ = std::make_unique<SimLoader>(world_, *store_, post, options_.load_us);
  shard::Ports ports;
  ports.post = [this, post](std::function<void()> event) {
    post(world_.rng().skewed(100), std::move(event));
  };
  ports.arm_timer = [this](proto::TimeMs when) { arm(when); };
  ports.now = [this] { return now(); };
  ports.random = [this] {
    const std::uint64_t bits = world_.rng().next();
    drawn_[bits] = {now(), shard_->incarnation()};
    return bits;
  };
  ports.on_failed = [this](const proto::Error& error) {
    if (!failure_expected_) {
      world_.violate("the shard stopped: " + error.to_string());
      return;
    }
    world_.after(0, [this, life = life_] {
      if (life == life_) {
        end_process();
      }
    });
  };
  ports.store = store_.get();
  ports.loader = loader_.get();
  shard::ShardOptions options;
  options.tail_cache_bytes = options_.tail_cache_bytes;
  options.idle_batch_bytes = options_.idle_batch_bytes;
  options.max_backlog_bytes = options_.max_backlog_bytes;
  options.max_producers = options_.max_producers;
  shard_ = std::make_unique<shard::Shard>(options, ports);
  log_ = std::make_unique<SimLog>(world_, *store_, replica_, *shard_, post, options_.commit_us);
  failure_expected_ = false;
  shard_->on_leadership(true, ++epoch_);
  if (auto started = shard_->start(*log_); !started) {
    world_.violate("start: " + started.error().to_string());
    return;
  }
  check_incarnation();
  tick();
}

void BrokerHost::end_process() {
  if (shard_ == nullptr) {
    return;
  }
  world_.trace("broker down");
  count_work();
  ++life_;
  log_.reset();
  shard_.reset();
  loader_.reset();
  const std::size_t unsynced = store_->unsynced_changes();
  const std::size_t kept = store_->crash(world_.rng().next());
  world_.report().count(unsynced == 0      ? "fault: crash with nothing unsynced"
                        : kept == 0        ? "fault: crash that lost all unsynced"
                        : kept == unsynced ? "fault: crash that kept all unsynced"
                                           : "fault: crash that kept some unsynced");
  settle_replica();
  lost_(true);
  world_.after(world_.rng().skewed(400'000), [this] {
    world_.trace("broker up");
    boot();
  });
}

void BrokerHost::count_work() {
  if (shard_ != nullptr) {
    const shard::ShardMetrics metrics = shard_->metrics();
    world_.report().count("shard: batch paged out", metrics.paged_out_batches);
    world_.report().count("shard: batch paged in", metrics.paged_in_batches);
    world_.report().count("shard: input waited for rows", metrics.waited_inputs);
  }
}

/// What a crash kept is committed, and the rest will never be.
void BrokerHost::settle_replica() {
  check_replica();
  replica_.forget_unfollowed();
}

void BrokerHost::check_replica() {
  auto wrong = replica_.follow(*store_);
  if (!wrong) {
    wrong = replica_.difference(*store_);
  }
  if (wrong) {
    world_.violate("replica: " + *wrong);
  }
  world_.report().count("check: replica");
}

/// A shard that was imported begins the next one, and no other does.
void BrokerHost::check_incarnation() {
  const bool imported = storage::was_imported(*store_->snapshot()).value();
  const std::uint32_t expected = replica_.incarnation() + (imported ? 1 : 0);
  if (shard_->incarnation() != expected) {
    world_.violate("the shard begins incarnation " + std::to_string(shard_->incarnation()) +
                   ", not " + std::to_string(expected));
  }
}

void BrokerHost::restart_replica() {
  world_.report().count("fault: the replica restarts");
  if (auto wrong = replica_.restart()) {
    world_.violate("replica, restarting: " + *wrong);
  }
}

void BrokerHost::crash() {
  end_process();
}

void BrokerHost::reset() {
  if (shard_ == nullptr || failure_expected_) {
    return;
  }
  world_.trace("reset");
  world_.report().count("fault: reset");
  store_->crash(world_.rng().next());
  settle_replica();
  log_->restart_from_store();
  lost_(false);
  shard_->on_leadership(true, ++epoch_);
  if (auto done = shard_->reset(); !done) {
    world_.violate("reset: " + done.error().to_string());
  }
}

void BrokerHost::fail_disk() {
  if (shard_ != nullptr) {
    failure_expected_ = true;
    log_->fail_next_sync();
  }
}

void BrokerHost::arm(proto::TimeMs when) {
  armed_for_ = when;
  watch(++armed_);
}

/// Broker time is slewed and skips stalls, so a timer is looked at again until it is due.
void BrokerHost::watch(std::uint64_t armed) {
  const std::int64_t wait_ms = std::clamp<std::int64_t>(armed_for_ - now(), 1, 200);
  world_.after(wait_ms * 1000, [this, armed, life = life_] {
    if (life != life_ || armed != armed_) {
      return;
    }
    if (now() >= armed_for_) {
      shard_->on_timer();
    } else {
      watch(armed);
    }
  });
}

void BrokerHost::tick() {
  (void)now();
  world_.after(kTickUs, [this, life = life_] {
    if (life == life_) {
      tick();
    }
  });
}

}  // namespace weir::sim
