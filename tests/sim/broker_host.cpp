#include "tests/sim/broker_host.hpp"

#include "broker/core/row_check.hpp"
#include "storage/commit_chain.hpp"
#include "storage/export.hpp"
#include "storage/import.hpp"
#include "storage/mark_file.hpp"
#include "storage/shard_rows.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

// How the process lives: starts, and what it runs with. How it ends is in broker_end.cpp.
namespace weir::sim {
namespace {

constexpr std::int64_t kLookUs = 100'000;          // a shard's clock is looked at, as by LoopClock
constexpr std::int64_t kMostAwayMs = 30'000;       // is made up for with a start
constexpr std::int64_t kMarkDelayUs = 100'000;     // the mark is at most so far behind
constexpr std::int64_t kHangsAfterUs = 1'000'000;  // a commit, as for LocalLog

}  // namespace

BrokerHost::BrokerHost(World& world, const Options& options)
    : world_(world), options_(options), replica_(options.max_producers) {}

void BrokerHost::start(Hears hears) {
  hears_ = std::move(hears);
  boot();
}

proto::TimeMs BrokerHost::now() {
  if (stalled_us() == 0) {
    last_now_ = clock_->now(wall_ms(), mono_ms(), disk_hangs());
  }
  return last_now_;
}

BrokerHost::Moment BrokerHost::moment() {
  const proto::TimeMs time = now();
  return {time, time - away_ms_, awake_us() - hung_us_ - hanging_us(), life_};
}

std::int64_t BrokerHost::awake_us() const {
  return (stalled_us() > 0 ? stall_began_us_ : world_.now_us()) - slept_us_;
}

/// What began and left no commit was no broker: the store knows nothing of it.
void BrokerHost::note_end() {
  const auto last = storage::read_commit_point(*store_->snapshot());
  if (!ended_at_ || (last && last->index > recovered_)) {
    ended_at_ = last_now_;
    away_before_ms_ = away_ms_;
  }
}

void BrokerHost::note_start() {
  if (ended_at_) {
    away_ms_ = away_before_ms_ + std::clamp<std::int64_t>(now() - *ended_at_, 0, kMostAwayMs);
  }
}

void BrokerHost::note_commit(bool is_under_way) {
  // What passes between the broker's last look at a disk that hangs and its end counts.
  hung_us_ += std::max<std::int64_t>(hanging_us() - kLookUs, 0);
  commit_.reset();
  if (is_under_way) {
    commit_ = {world_.now_us(), awake_us()};
  }
}

bool BrokerHost::disk_hangs() const {
  return commit_ && world_.now_us() - commit_->began_us > kHangsAfterUs;
}

std::int64_t BrokerHost::hanging_us() const {
  return commit_ ? std::max<std::int64_t>(awake_us() - commit_->awake_us - kHangsAfterUs, 0) : 0;
}

std::optional<BrokerHost::Moment> BrokerHost::drawn_at(std::uint64_t nonce) const {
  const auto it = drawn_.find(nonce);
  return it != drawn_.end() ? std::optional(it->second.moment) : std::nullopt;
}

bool BrokerHost::is_of_this_incarnation(std::uint64_t nonce) const {
  return incarnation_of(nonce) == shard_->incarnation();
}

std::uint32_t BrokerHost::incarnation_of(std::uint64_t nonce) const {
  return drawn_.at(nonce).incarnation;
}

/// What a crash left goes to another machine as a stream of bytes, and the broker goes on there.
void BrokerHost::move_to_copy() {
  world_.befall(Fault::kImport, "");
  Rng& rng = world_.rng();
  std::string stream;
  const auto sink = [&stream](std::string_view bytes) -> proto::Result<> {
    stream += bytes;
    return {};
  };
  const auto block_bytes = static_cast<std::size_t>(rng.between(1, 5000));
  const auto exported =
      storage::export_shard(store_->snapshot(), sink, {.block_bytes = block_bytes});
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
  core::RowCheck check;
  const auto visited = storage::visit_shard_rows(
      *copy->snapshot(),
      [&check](storage::Family family, std::string_view key, std::string_view value) {
        return check.add(family, key, value);
      });
  const proto::Result<> whole = visited ? check.finish() : proto::Result<>(visited.error());
  if (!whole || visited->digest != exported->digest) {
    world_.violate("move: " + (whole ? "the copy holds other rows" : whole.error().to_string()));
    return;
  }
  store_ = std::move(copy);
  check_replica();
}

/// True when commits are missing, so that the start needs a person's word. That word is given, but
/// only where the disk has lied.
bool BrokerHost::check_mark(const storage::CommitPoint& recovered) {
  const auto fits = storage::check_mark(mark_, recovered);
  if (!fits && !has_lost_) {
    world_.violate("the start refuses: " + fits.error().to_string());
  }
  if (has_lost_) {
    world_.report().count(fits ? "disk: lost what it called durable, before it was marked"
                               : "disk: lost what it called durable, noticed");
  }
  recovered_ = recovered.index;
  return !fits;
}

/// Only once there is a commit of this life: a start that breaks off has changed nothing.
void BrokerHost::write_mark() {
  if (log_->told().index > recovered_) {
    mark_ = log_->told();
    has_lost_ = false;
  }
  world_.after(1 + world_.rng().skewed(kMarkDelayUs), [this, life = life_] {
    reach([this, life] {
      if (life == life_) {
        write_mark();
      }
    });
  });
}

shard::Ports BrokerHost::ports(const ProcessPost& post) {
  shard::Ports ports;
  ports.post = [this, post](std::function<void()> event) {
    post(world_.rng().skewed(100), std::move(event));
  };
  ports.arm_timer = [this](proto::TimeMs when) { arm(when); };
  ports.now = [this] { return now(); };
  ports.random = [this] {
    const std::uint64_t bits = world_.rng().next();
    drawn_[bits] = {moment(), shard_->incarnation()};
    return bits;
  };
  ports.on_failed = [this](const proto::Error& error) {
    if (!disk_.has_failed || error.code != proto::Errc::kStorageFailed) {
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
  return ports;
}

void BrokerHost::boot() {
  const auto last = storage::read_commit_point(*store_->snapshot());
  if (!last) {
    world_.violate("recovery: " + last.error().to_string());
    return;
  }
  const bool is_incomplete = check_mark(*last);
  if (epoch_ > 0 && world_.rng().per_mille(options_.move_per_mille)) {
    move_to_copy();
  }
  clock_.emplace(last->time);
  note_start();
  disk_ = {};
  disk_.planted_loss = options_.planted_loss != 0;
  disk_.before_false_word = hears_.before_false_word;
  disk_.on_commit = [this](bool is_under_way) { note_commit(is_under_way); };
  is_stopping_ = false;
  const ProcessPost post = [this](std::int64_t delay_us, std::function<void()> event) {
    world_.after(delay_us, [this, life = life_, event = std::move(event)] {
      reach([this, life, event] {
        if (life == life_) {
          event();
        }
      });
    });
  };
  loader_ = std::make_unique<SimLoader>(world_, *store_, post, options_.load_us, disk_);
  shard::ShardOptions options;
  options.tail_cache_bytes = options_.tail_cache_bytes;
  options.idle_batch_bytes = options_.idle_batch_bytes;
  options.max_backlog_bytes = options_.max_backlog_bytes;
  options.settles_per_turn = options_.settles_per_turn;
  options.max_producers = options_.max_producers;
  options.raise_incarnation = is_incomplete;
  shard_ = std::make_unique<shard::Shard>(options, ports(post));
  log_ =
      std::make_unique<SimLog>(world_, *store_, replica_, *shard_, post, options_.commit_us, disk_);
  shard_->on_leadership(true, ++epoch_);
  const bool breaks =
      !is_healed_ && epoch_ > 1 && world_.rng().per_mille(options_.broken_start_per_mille);
  if (breaks && world_.rng().per_mille(300)) {
    store_->set_fault_rates(
        {world_.rng().next(), 0, 1 + static_cast<std::uint32_t>(world_.rng().skewed(200'000))});
  }
  const auto started = shard_->start(*log_);
  store_->set_fault_rates({});
  if (!started) {
    if (!breaks) {
      world_.violate("start: " + started.error().to_string());
      return;
    }
    world_.report().count("start: could not read");
    world_.begin_fault(Fault::kBrokenStart, started.error().to_string());
    end_process();
    return;
  }
  check_incarnation(is_incomplete);
  tick();
  write_mark();
  for (const Fault ended : {Fault::kCrash, Fault::kBrokenStart, Fault::kStop, Fault::kFailedSync}) {
    world_.end_fault(ended);
  }
  if (breaks) {
    break_start();
  }
}

/// A shard that was imported begins the next one, so does one that lost commits, and no other does.
void BrokerHost::check_incarnation(bool has_lost) {
  const bool imported = storage::was_imported(*store_->snapshot()).value();
  const std::uint32_t expected = replica_.incarnation() + (imported || has_lost ? 1 : 0);
  if (shard_->incarnation() != expected) {
    world_.violate("the shard begins incarnation " + std::to_string(shard_->incarnation()) +
                   ", not " + std::to_string(expected));
  }
}

void BrokerHost::count_work() {
  if (shard_ != nullptr) {
    const shard::ShardMetrics metrics = shard_->metrics();
    world_.report().count("shard: batch paged out", metrics.paged_out_batches);
    world_.report().count("shard: batch paged in", metrics.paged_in_batches);
    world_.report().count("shard: input waited for rows", metrics.waited_inputs);
  }
}

void BrokerHost::arm(proto::TimeMs when) {
  armed_for_ = when;
  watch(++armed_);
}

/// Broker time is slewed and skips stalls, so a timer is looked at again until it is due.
void BrokerHost::watch(std::uint64_t armed) {
  const std::int64_t wait_ms =
      std::clamp<std::int64_t>(armed_for_ - now(), disk_hangs() ? kLookUs / 1000 : 1, 200);
  world_.after(wait_ms * 1000, [this, armed, life = life_] {
    reach([this, armed, life] {
      if (life != life_ || armed != armed_) {
        return;
      }
      if (now() >= armed_for_) {
        shard_->on_timer();
      } else {
        watch(armed);
      }
    });
  });
}

void BrokerHost::tick() {
  (void)now();
  world_.after(kLookUs, [this, life = life_] {
    reach([this, life] {
      if (life == life_) {
        tick();
      }
    });
  });
}

}  // namespace weir::sim
