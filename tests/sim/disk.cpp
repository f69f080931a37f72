#include "tests/sim/disk.hpp"

#include "proto/error.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::sim {

SimLog::SimLog(World& world, storage::MemoryStore& store, Replica& replica,
               shard::CommitListener& listener, ProcessPost post, std::int64_t commit_us,
               DiskFaults& faults)
    : world_(world),
      store_(store),
      replica_(replica),
      listener_(listener),
      post_(std::move(post)),
      commit_us_(commit_us),
      faults_(faults) {
  restart_from_store();
}

void SimLog::restart_from_store() {
  ++life_;
  pending_.clear();
  backlog_bytes_ = 0;
  busy_ = false;
  faults_.on_commit(false);
  written_ = storage::read_commit_point(*store_.snapshot()).value();
  submitted_ = written_.index;
  told_ = written_;
  false_words_ = 0;
}

void SimLog::submit(shard::CommitUnit unit) {
  if (unit.index.value != submitted_.value + 1) {
    world_.violate("unit " + std::to_string(unit.index.value) + " submitted after " +
                   std::to_string(submitted_.value));
    return;
  }
  submitted_ = unit.index;
  replica_.hear(unit);
  backlog_bytes_ += unit.rows.bytes();
  pending_.push_back(std::move(unit));
  if (!busy_) {
    begin();
  }
}

void SimLog::begin() {
  busy_ = true;
  const std::int64_t gather =
      world_.rng().skewed(commit_us_ * (world_.rng().per_mille(200) ? 2 : 1));
  post_(gather, [this, life = life_] {
    if (life != life_) {
      return;
    }
    faults_.on_commit(true);
    std::size_t bytes = write_group();
    // What is synced together may have been written in more than one change.
    while (!pending_.empty() && world_.rng().per_mille(700)) {
      bytes += write_group();
    }
    const std::int64_t slow = world_.rng().per_mille(10) ? 20 : 1;
    const std::int64_t extra = std::exchange(faults_.next_sync_us, 0);
    if (extra > 0) {
      world_.befall(Fault::kSlowSync, std::to_string(extra / 1000) + " ms", extra);
      faults_.slow_until_us = world_.now_us() + extra;
    }
    post_(1 + world_.rng().skewed(commit_us_ * 2) * slow + extra, [this, life, bytes] {
      if (life == life_) {
        finish(bytes);
      }
    });
  });
}

/// Writes some of what waits as one change; returns its bytes.
std::size_t SimLog::write_group() {
  std::vector<storage::WriteBatch> rows;
  std::size_t bytes = 0;
  // Sometimes a group ends in the middle of what is waiting.
  const std::size_t most = 1 + world_.rng().below(pending_.size() + 1);
  while (!pending_.empty() && rows.size() < most) {
    shard::CommitUnit unit = std::move(pending_.front());
    pending_.pop_front();
    written_ =
        storage::next_point(written_, unit.index, std::max(written_.time, unit.time), unit.rows);
    bytes += unit.rows.bytes();
    rows.push_back(std::move(unit.rows));
  }
  storage::put_commit_point(rows.emplace_back(), written_);
  std::vector<const storage::WriteBatch*> batches;
  batches.reserve(rows.size());
  for (const storage::WriteBatch& batch : rows) {
    batches.push_back(&batch);
  }
  if (auto done = store_.write_unsynced(batches); !done) {
    world_.violate("write: " + done.error().to_string());
  }
  return bytes;
}

void SimLog::finish(std::size_t bytes) {
  faults_.on_commit(false);
  if (std::exchange(faults_.next_sync_fails, false)) {
    world_.begin_fault(Fault::kFailedSync, "");
    faults_.has_failed = true;
    listener_.on_log_failed(proto::make_error(proto::Errc::kStorageFailed));
    return;
  }
  if (!sync()) {
    return;
  }
  world_.report().count("disk: commit");
  say_committed(bytes);
  busy_ = false;
  if (!pending_.empty()) {
    begin();
  }
}

/// False when the run has ended with it.
bool SimLog::sync() {
  if (faults_.planted_loss) {
    return store_.sync_lying().has_value();
  }
  if (faults_.lies > 0) {
    --faults_.lies;
    if (store_.lies() == 0) {
      world_.begin_fault(Fault::kLyingSync, "from commit " + std::to_string(written_.index.value));
    }
    return store_.sync_lying().has_value();  // no fault is planned that it could meet
  }
  world_.end_fault(Fault::kLyingSync);
  false_words_ = 0;
  if (auto done = store_.sync(); !done) {
    world_.violate("sync: " + done.error().to_string());
    return false;
  }
  if (auto wrong = replica_.follow(store_)) {
    world_.violate("replica: " + *wrong);
    return false;
  }
  return true;
}

void SimLog::say_committed(std::size_t bytes) {
  last_word_us_ = std::max(last_word_us_, world_.now_us() + world_.rng().skewed(300));
  const bool is_lie = store_.lies() > 0 && !faults_.planted_loss;
  post_(last_word_us_ - world_.now_us(), [this, life = life_, point = written_, bytes, is_lie] {
    if (life != life_) {
      return;
    }
    if (is_lie && store_.lies() > 0) {
      faults_.before_false_word(false_words_++);
    }
    told_ = point;
    backlog_bytes_ -= bytes;
    listener_.on_committed(point.index);
  });
}

void SimLoader::load(Work work) {
  world_.report().count("disk: load");
  auto shared = std::make_shared<Work>(std::move(work));
  const std::int64_t extra = std::exchange(faults_.next_load_us, 0);
  if (extra > 0) {
    world_.befall(Fault::kSlowLoad, std::to_string(extra / 1000) + " ms", extra);
  }
  post_(1 + world_.rng().skewed(load_us_) + extra, [this, shared] {
    const bool fails = std::exchange(faults_.next_load_fails, false);
    if (fails) {
      world_.befall(Fault::kFailedLoad, "");
      faults_.has_failed = true;
    }
    store_.fail_reads(fails);
    auto continuation = (*shared)(*store_.snapshot());
    store_.fail_reads(false);
    post_(1 + world_.rng().skewed(load_us_), std::move(continuation));
  });
}

}  // namespace weir::sim
