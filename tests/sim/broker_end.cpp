#include "storage/commit_chain.hpp"
#include "tests/sim/broker_host.hpp"

#include <algorithm>
#include <string>
#include <utility>

// What befalls the machine: stalls, clocks, ends of the process, and what its disk keeps of them.
namespace weir::sim {
namespace {

constexpr std::int64_t kMostDrainUs = 100'000;
constexpr std::int64_t kMostStopUs = 5'000'000;  // then it closes whatever is open
constexpr std::int64_t kMostAwayUs = 400'000;
constexpr std::int64_t kMostAwayForLeasesUs = 1'000'000;

}  // namespace

// ---- standing still

void BrokerHost::stall(std::int64_t ms) {
  if (shard_ == nullptr) {
    return;
  }
  world_.befall(Fault::kStall, std::to_string(ms) + " ms", ms * 1000);
  if (stalled_until_us_ == 0) {
    stall_began_us_ = world_.now_us();
  }
  stalled_until_us_ = std::max(stalled_until_us_, world_.now_us() + ms * 1000);
  world_.after(ms * 1000, [this] {
    if (stalled_until_us_ != 0 && world_.now_us() >= stalled_until_us_) {
      wake();
    }
  });
}

void BrokerHost::wake() {
  slept_us_ += world_.now_us() - stall_began_us_;
  stalled_until_us_ = 0;
  for (const auto& event : std::exchange(held_, {})) {
    if (!world_.violation()) {
      event();
    }
  }
}

void BrokerHost::reach(std::function<void()> event) {
  if (stalled_until_us_ != 0) {
    held_.push_back(std::move(event));
  } else {
    event();
  }
}

std::int64_t BrokerHost::stalled_us() const {
  return std::max<std::int64_t>(stalled_until_us_ - world_.now_us(), 0);
}

std::int64_t BrokerHost::waits_us() const {
  return std::max(stalled_us(), disk_.slow_until_us - world_.now_us());
}

void BrokerHost::move_wall(std::int64_t ms) {
  world_.befall(Fault::kWallClock, "set by " + std::to_string(ms) + " ms");
  wall_ms_ += ms;
}

void BrokerHost::refuse_sends(std::int64_t lasts_us) {
  if (shard_ == nullptr || stalled_until_us_ != 0) {
    return;
  }
  world_.befall(Fault::kRefusal, std::to_string(lasts_us / 1000) + " ms", lasts_us);
  shard_->refuse_sends(proto::make_error(proto::Errc::kDiskFull));
  world_.after(lasts_us, [this, refusal = ++refusals_, life = life_] {
    reach([this, refusal, life] {
      if (life == life_ && refusal == refusals_) {
        shard_->refuse_sends(std::nullopt);
      }
    });
  });
}

void BrokerHost::heal() {
  is_healed_ = true;
  disk_.next_sync_fails = false;
  disk_.next_load_fails = false;
  disk_.next_sync_us = 0;
  disk_.next_load_us = 0;
  disk_.lies = 0;
}

// ---- ends

void BrokerHost::crash() {
  if (shard_ != nullptr) {
    world_.begin_fault(Fault::kCrash, "");
    end_process();
  }
}

void BrokerHost::break_start() {
  const std::int64_t soon = world_.rng().skewed((options_.commit_us + options_.load_us) * 4);
  world_.after(soon, [this, life = life_] {
    if (life == life_) {
      world_.begin_fault(Fault::kBrokenStart, "");
      world_.report().count(log_->told().index == recovered_
                                ? "start: ended before its first commit"
                                : "start: ended soon after it");
      end_process();
    }
  });
}

void BrokerHost::stop() {
  if (!is_open()) {
    return;
  }
  world_.begin_fault(Fault::kStop, "");
  is_stopping_ = true;
  world_.after(world_.rng().skewed(kMostDrainUs), [this, life = life_] {
    reach([this, life] {
      if (life == life_) {
        shard_->when_idle([this] { close(); });
      }
    });
  });
  world_.after(kMostStopUs, [this, life = life_] {
    if (life == life_) {
      world_.report().count("stop: not at rest in time");
      end_process();
    }
  });
}

/// Everything that it heard is answered and on disk.
void BrokerHost::close() {
  hears_.all_answered();
  if (store_->unsynced_changes() != 0) {
    world_.violate("a stop in order leaves something that is not on disk");
  }
  world_.report().count("stop: in order");
  hears_.lost({});
  world_.after(0, [this, life = life_] {
    if (life == life_) {
      (void)leave_process(End::kInOrder);
    }
  });
}

void BrokerHost::end_process() {
  if (shard_ != nullptr) {
    hears_.lost(leave_process(End::kSudden));
  }
}

/// The process is gone; what the disk kept is settled, and a next process is under way.
Loss BrokerHost::leave_process(End end) {
  count_work();
  (void)now();  // for note_end()
  ++life_;
  is_stopping_ = false;
  if (std::exchange(stalled_until_us_, 0) != 0) {
    slept_us_ += world_.now_us() - stall_began_us_;
  }
  held_.clear();
  note_commit(false);
  const std::size_t false_words = log_->false_words();
  log_.reset();
  shard_.reset();
  loader_.reset();
  const Loss loss = lose_power(end, false_words);
  note_end();
  settle_replica();
  // Away for about as long as a lease now and then.
  const std::int64_t most_us = world_.rng().per_mille(200)
                                   ? std::min(options_.lease_ms * 2 * 1000, kMostAwayForLeasesUs)
                                   : kMostAwayUs;
  world_.after(world_.rng().skewed(most_us), [this] {
    world_.trace("broker up");
    boot();
  });
  return loss;
}

/// A prefix of what was not synced survives: all of it where the process was killed and the machine
/// went on. Where the disk has lied, a loss of power may show it.
Loss BrokerHost::lose_power(End end, std::size_t false_words) {
  Loss loss;
  if (const std::size_t lies = store_->lies(); lies > 0) {
    if (disk_.planted_loss) {
      store_->crash_losing_lies(lies - 1);
      return loss;
    }
    world_.end_fault(Fault::kLyingSync);
    if (end == End::kSudden && world_.rng().per_mille(600)) {
      const std::size_t kept = world_.rng().below(lies);
      world_.trace("the disk lost what it had called durable, but " + std::to_string(kept) +
                   " of " + std::to_string(lies) + " syncs");
      world_.report().count("disk: lost what it called durable");
      store_->crash_losing_lies(kept);
      has_lost_ = true;
      if (kept < false_words) {
        loss.true_lies = kept;
      }
      return loss;
    }
    world_.report().count("disk: kept what it called durable");
  }
  const std::size_t unsynced = store_->unsynced_changes();
  const std::size_t kept = store_->crash(world_.rng().next());
  world_.report().count(unsynced == 0      ? "disk: nothing was unsynced"
                        : kept == 0        ? "disk: lost all unsynced"
                        : kept == unsynced ? "disk: kept all unsynced"
                                           : "disk: kept some unsynced");
  world_.trace("broker down, kept " + std::to_string(kept) + " of " + std::to_string(unsynced) +
               " unsynced changes");
  return loss;
}

void BrokerHost::reset() {
  if (shard_ == nullptr || disk_.has_failed || is_stopping_ || stalled_until_us_ != 0) {
    return;
  }
  world_.befall(Fault::kReset, "");
  world_.end_fault(Fault::kLyingSync);
  store_->crash(world_.rng().next());
  settle_replica();
  log_->restart_from_store();
  hears_.lost({.process = false});
  shard_->on_leadership(true, ++epoch_);
  if (auto done = shard_->reset(); !done) {
    world_.violate("reset: " + done.error().to_string());
  }
}

// ---- the replica

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

void BrokerHost::restart_replica() {
  world_.befall(Fault::kReplicaRestart, "");
  if (auto wrong = replica_.restart()) {
    world_.violate("replica, restarting: " + *wrong);
  }
}

}  // namespace weir::sim
