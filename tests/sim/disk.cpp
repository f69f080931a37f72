#include "tests/sim/disk.hpp"

#include "proto/error.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::sim {

SimLog::SimLog(World& world, storage::MemoryStore& store, Replica& replica,
               shard::CommitListener& listener, ProcessPost post, std::int64_t commit_us)
    : world_(world),
      store_(store),
      replica_(replica),
      listener_(listener),
      post_(std::move(post)),
      commit_us_(commit_us) {
  restart_from_store();
}

void SimLog::restart_from_store() {
  ++life_;
  pending_.clear();
  backlog_bytes_ = 0;
  busy_ = false;
  written_ = storage::read_commit_point(*store_.snapshot()).value();
  submitted_ = written_.index;
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
  const std::int64_t gather = world_.rng().skewed(commit_us_ / 4);
  post_(gather, [this, life = life_] {
    if (life != life_) {
      return;
    }
    std::size_t bytes = write_group();
    // What is synced together may have been written in more than one change.
    while (!pending_.empty() && world_.rng().per_mille(300)) {
      bytes += write_group();
    }
    const std::int64_t slow = world_.rng().per_mille(10) ? 20 : 1;
    post_(1 + world_.rng().skewed(commit_us_ * 2) * slow, [this, life, bytes] {
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
  const std::size_t most = 1 + world_.rng().below(pending_.size() * 2);
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
  if (failing_) {
    world_.report().count("fault: failed sync");
    listener_.on_log_failed(proto::make_error(proto::Errc::kStorageFailed));
    return;
  }
  if (auto done = store_.sync(); !done) {
    world_.violate("sync: " + done.error().to_string());
    return;
  }
  if (auto wrong = replica_.follow(store_)) {
    world_.violate("replica: " + *wrong);
    return;
  }
  world_.report().count("disk: commit");
  post_(world_.rng().skewed(300), [this, life = life_, index = written_.index, bytes] {
    if (life == life_) {
      backlog_bytes_ -= bytes;
      listener_.on_committed(index);
    }
  });
  busy_ = false;
  if (!pending_.empty()) {
    begin();
  }
}

void SimLoader::load(Work work) {
  world_.report().count("disk: load");
  auto shared = std::make_shared<Work>(std::move(work));
  post_(1 + world_.rng().skewed(load_us_), [this, shared] {
    auto continuation = (*shared)(*store_.snapshot());
    post_(1 + world_.rng().skewed(load_us_), std::move(continuation));
  });
}

}  // namespace weir::sim
