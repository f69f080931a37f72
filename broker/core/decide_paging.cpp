#include "broker/core/shard_state.hpp"

// Which touched batches stay in memory: what is under way, what is needed soon, and of the rest as
// much as the bound allows.
namespace weir::core {

std::optional<PagedOut> ShardState::decide_page_out(std::size_t max_idle_bytes,
                                                    const std::set<proto::QueueId>& kept,
                                                    proto::TimeMs now) const {
  if (idle_bytes_ <= max_idle_bytes) {
    return std::nullopt;
  }
  // Many queues may hold one batch each that must stay: they are not all looked at every time.
  constexpr int kMaxQueues = 64;
  int looked_at = 0;
  const auto& queues = by_idle_bytes_.ranked();
  for (auto it = queues.rbegin(); it != queues.rend() && looked_at < kMaxQueues;
       ++it, ++looked_at) {
    const proto::QueueId id = it->second;
    const auto last = queues_.at(id).page_out_candidate(now);
    if (last && !kept.contains(id)) {
      return PagedOut{id, *last};
    }
  }
  return std::nullopt;
}

namespace {

/// The batch in the store alone with which the next group goes on.
std::optional<NeedRows> next_of_groups(const Queue& queue, proto::TimeMs now) {
  const auto& turns = queue.groups().cold_turns();
  if (turns.empty() || turns.begin()->due > now) {
    return std::nullopt;
  }
  NeedRows need;
  need.what = NeedRows::What::kBatch;
  need.queue = queue.id();
  need.generation = queue.counters().generation;
  need.offset = turns.begin()->last_offset;
  need.end = need.offset + 1;
  return need;
}

}  // namespace

std::optional<NeedRows> ShardState::decide_page_in(proto::QueueId queue_id,
                                                   proto::TimeMs now) const {
  const Queue* target = queue(queue_id);
  if (target == nullptr || target->definition().pause.receives) {
    return std::nullopt;
  }
  if (target->is_fifo()) {
    return next_of_groups(*target, now);
  }
  const proto::TimeMs next_due = target->cold().next_due();
  const bool comes_later =
      !target->returned().empty() && target->returned().begin()->first <= next_due;
  if (next_due > now || comes_later) {
    return std::nullopt;
  }
  NeedRows need;
  need.what = NeedRows::What::kDue;
  need.queue = queue_id;
  need.generation = target->counters().generation;
  need.until = now;
  return need;
}

std::vector<NeedRows> ShardState::decide_seek_oldest() const {
  std::vector<NeedRows> needs;
  for (const proto::QueueId id : seeking_oldest_) {
    const Queue& target = queues_.at(id);
    NeedRows& need = needs.emplace_back();
    need.what = NeedRows::What::kOldest;
    need.queue = id;
    need.generation = target.counters().generation;
    need.offset = target.cold().oldest()->last_offset;
  }
  return needs;
}

void ShardState::learn_next_due(proto::QueueId queue_id, proto::TimeMs when) {
  queues_.at(queue_id).learn_next_due(when);
}

void ShardState::note_stuck(proto::QueueId queue_id, proto::TimeMs since) {
  queues_.at(queue_id).note_stuck(since);
}

void ShardState::learn_oldest(proto::QueueId queue_id, ColdBatches::Oldest oldest, bool is_cold) {
  queues_.at(queue_id).learn_oldest(oldest, is_cold);
  reindex(queue_id);
}

}  // namespace weir::core
