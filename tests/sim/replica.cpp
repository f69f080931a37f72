#include "tests/sim/replica.hpp"

#include "broker/core/record_codec.hpp"
#include "storage/key_codec.hpp"
#include "storage/transfer_format.hpp"

#include <algorithm>
#include <array>

namespace weir::sim {

using storage::Family;
using storage::KeyKind;

namespace {

std::string in_unit(proto::CommitIndex index) {
  return "unit " + std::to_string(index.value);
}

/// The first row of the family that is not in both, apart from those that belong to a store and not
/// to its shard: the commit row, and the mark of an import.
std::optional<std::string> difference_in(Family family, const storage::Reader& primary,
                                         const storage::Reader& replica) {
  const auto a = primary.scan(family, "", "", {});
  const auto b = replica.scan(family, "", "", {});
  while (a->valid() || b->valid()) {
    const bool in_a = a->valid() && (!b->valid() || a->key() <= b->key());
    const bool in_b = b->valid() && (!a->valid() || b->key() <= a->key());
    const std::string key(in_a ? a->key() : b->key());
    if (!storage::transfer::is_left_out(family, key) &&
        (!in_a || !in_b || a->value() != b->value())) {
      return describe_key(family, key) + (!in_b   ? " is missing in the replica"
                                          : !in_a ? " is in the replica alone"
                                                  : " differs");
    }
    if (in_a) {
      a->next();
    }
    if (in_b) {
      b->next();
    }
  }
  return std::nullopt;
}

std::string name_of(Family family, KeyKind kind) {
  if (family == Family::kLog) {
    return kind == KeyKind::kDelayed ? "delayed batch of queue" : "batch of log";
  }
  switch (kind) {
    case KeyKind::kMeta:
      return "meta row";
    case KeyKind::kNamespace:
      return "namespace";
    case KeyKind::kQueue:
      return "queue";
    case KeyKind::kTopic:
      return "topic";
    case KeyKind::kQueueState:
      return "state of queue";
    case KeyKind::kTouchedBatch:
      return "touched batch of queue";
    case KeyKind::kReturnedIndex:
      return "returned index of queue";
    case KeyKind::kAttempt:
      return "attempt in queue";
    case KeyKind::kRedrive:
      return "redrive of queue";
    case KeyKind::kDelayIndex:
      return "delay index of queue";
    case KeyKind::kDeduplication:
      return "deduplication in queue";
    case KeyKind::kDelayed:  // of the other family
      break;
    case KeyKind::kPartitionState:
      return "state of partition";
    case KeyKind::kTimeIndex:
      return "time index of log";
    case KeyKind::kProducer:
      return "producer";
    case KeyKind::kProducerWindow:
      return "window of producer";
  }
  return "row of unknown kind " + std::to_string(static_cast<int>(kind)) + " of";
}

}  // namespace

std::string describe_key(Family family, std::string_view key) {
  const KeyKind kind = key.empty() ? KeyKind{} : static_cast<KeyKind>(key.front());
  const std::string name = name_of(family, kind) + " ";
  if (family == Family::kState && kind == KeyKind::kMeta && key.size() == 2) {
    return name + std::to_string(static_cast<int>(key[1]));
  }
  if (const auto id = storage::parse_object_key(kind, key)) {
    return name + std::to_string(*id);
  }
  if (const auto at = storage::parse_attempt_key(key)) {
    return name + std::to_string(at->queue.value) + ", offset " + std::to_string(at->offset) +
           ", number " + std::to_string(at->attempt);
  }
  if (const auto at = storage::parse_batch_key(kind, key)) {
    return name + std::to_string(at->id) + ", generation " + std::to_string(at->generation) +
           ", last offset " + std::to_string(at->last_offset);
  }
  if (const auto at = storage::parse_timed_batch_key(kind, key)) {
    return name + std::to_string(at->id) + ", generation " + std::to_string(at->generation) +
           ", time " + std::to_string(at->when) + ", last offset " +
           std::to_string(at->last_offset);
  }
  if (const auto at = storage::parse_producer_window_key(key)) {
    return name + std::to_string(at->producer.value) + " in log " + std::to_string(at->log.value);
  }
  return name + "a key of " + std::to_string(key.size()) + " bytes";
}

Replica::Replica(std::uint32_t max_producers)
    : max_producers_(max_producers), state_(std::make_unique<core::ShardState>(max_producers)) {}

void Replica::hear(const shard::CommitUnit& unit) {
  heard_.push_back({unit.index, unit.time, unit.records});
}

std::optional<std::string> Replica::follow(const storage::MemoryStore& primary) {
  const auto committed = storage::read_commit_point(*primary.snapshot());
  if (!committed) {
    return committed.error().to_string();
  }
  while (last_.index < committed->index) {
    if (heard_.empty() || heard_.front().index.value != last_.index.value + 1) {
      return in_unit(proto::CommitIndex{last_.index.value + 1}) + " is committed, but not heard";
    }
    if (auto done = apply(heard_.front()); !done) {
      return in_unit(heard_.front().index) + ": " + done.error().to_string();
    }
    heard_.pop_front();
  }
  // Equal points are equal rows in all units up to here: the digest covers them.
  return last_ == *committed ? std::nullopt : difference(primary);
}

proto::Result<> Replica::apply(const Heard& unit) {
  if (unit.records.empty()) {
    return proto::fail(proto::Errc::kInternal, "it has no records");
  }
  for (const std::string& bytes : unit.records) {
    const auto record = core::records::decode(bytes);
    if (!record) {
      return record.error();
    }
    core::Queue::Effects effects;
    state_->apply(*record, effects);
  }
  const storage::WriteBatch rows = state_->take_rows();
  last_ = storage::next_point(last_, unit.index, std::max(last_.time, unit.time), rows);
  storage::WriteBatch point;
  storage::put_commit_point(point, last_);
  const std::array<const storage::WriteBatch*, 2> all = {&rows, &point};
  return store_.commit(all);
}

std::optional<std::string> Replica::restart() {
  state_ = std::make_unique<core::ShardState>(max_producers_);
  if (auto read = state_->restore(*store_.snapshot()); !read) {
    return read.error().to_string();
  }
  return std::nullopt;
}

std::optional<std::string> Replica::difference(const storage::MemoryStore& primary) const {
  const auto there = primary.snapshot();
  const auto here = store_.snapshot();
  for (const Family family : {Family::kState, Family::kLog}) {
    if (auto differs = difference_in(family, *there, *here)) {
      return "after " + in_unit(last_.index) + ": " + *differs;
    }
  }
  const storage::Key commit_row = storage::meta_key(storage::MetaRow::kCommit);
  if (there->get(Family::kState, commit_row).value() !=
      here->get(Family::kState, commit_row).value()) {
    return "after " + in_unit(last_.index) + ": equal rows were not written by equal units";
  }
  return std::nullopt;
}

}  // namespace weir::sim
