#include "broker/core/queue/queue.hpp"

#include "proto/assert.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <iterator>

namespace weir::core {
namespace {

/// Batches with which so many groups go on next stay in memory.
constexpr std::size_t kTurnsKept = 16;

}  // namespace

const TouchedBatch* Queue::touched(proto::Offset base_offset) const {
  const auto it = touched_.lower_bound(base_offset);
  return it != touched_.end() && it->second.base_offset() == base_offset ? &it->second : nullptr;
}

std::uint64_t Queue::delayed(proto::TimeMs now) const {
  std::uint64_t messages = cold_.delayed(now);
  for (const auto& [next_due, last] : returned_) {
    const TouchedBatch& batch = touched_.at(last);
    if (next_due > now) {
      messages += batch.counts().returned;
      continue;
    }
    for (const Run& run : batch.runs()) {
      if (run.state == RunState::kReturned && run.when > now) {
        messages += batch.live_in(run.first, run.end());
      }
    }
  }
  return messages;
}

proto::TimeMs Queue::next_due() const {
  if (is_fifo_) {
    return groups_.next_due();
  }
  return returned_.empty() ? cold_.next_due()
                           : std::min(returned_.begin()->first, cold_.next_due());
}

Queue::Batches::iterator Queue::find(const MessageRange& range) {
  const auto it = touched_.find(range.last_offset);
  WEIR_ASSERT(it != touched_.end(), "a record of a touched batch finds it");
  return it;
}

void Queue::unindex(const TouchedBatch& batch) {
  returned_.erase({batch.next_due(), batch.last_offset()});
  leases_.erase({batch.next_deadline(), batch.last_offset()});
  dying_.erase(batch.last_offset());
  if (idle_.erase({batch.next_due(), batch.last_offset()}) > 0) {
    idle_bytes_ -= batch.memory_bytes();
  }
  const RunCounts& counts = batch.counts();
  counters_.runs.leased -= counts.leased;
  counters_.runs.returned -= counts.returned;
  counters_.runs.dying -= counts.dying;
  counters_.runs.parked -= counts.parked;
}

void Queue::index(Batches::iterator it) {
  const TouchedBatch& batch = it->second;
  const RunCounts& counts = batch.counts();
  counters_.runs.leased += counts.leased;
  counters_.runs.returned += counts.returned;
  counters_.runs.dying += counts.dying;
  counters_.runs.parked += counts.parked;
  if (counts.returned > 0) {
    returned_.emplace(batch.next_due(), batch.last_offset());
  }
  if (counts.leased > 0) {
    leases_.emplace(batch.next_deadline(), batch.last_offset());
  }
  if (counts.dying > 0) {
    dying_.insert(batch.last_offset());
  }
  // Where the cursor stands inside the batch, handing out goes on with it.
  if (counts.leased == 0 && counts.dying == 0 && batch.last_offset() < counters_.cursor) {
    idle_.emplace(batch.next_due(), batch.last_offset());
    idle_bytes_ += batch.memory_bytes();
  }
}

/// After a change of an unindexed batch: index it again, or let it go when all of it is done.
void Queue::settle(Batches::iterator it) {
  if (it->second.done()) {
    if (!WEIR_PLANTED(forget_to_count_bytes)) {
      counters_.bytes -= std::min(it->second.bytes(), counters_.bytes);
    }
    changes_.touched.erase(it->first);
    changes_.finished.insert(it->first);
    cold_.finished(it->first);
    touched_.erase(it);
    return;
  }
  changes_.touched.insert(it->first);
  index(it);
}

proto::TimeMs Queue::oldest_append_time() const {
  // Within a queue append times never go back.
  const auto& cold = cold_.oldest();
  if (!touched_.empty() && (!cold || touched_.begin()->first <= cold->last_offset)) {
    return touched_.begin()->second.append_time();
  }
  if (cold) {
    return cold->append_time;
  }
  return fresh() > 0 ? counters_.cursor_time : 0;
}

std::optional<proto::Offset> Queue::page_out_candidate(proto::TimeMs now) const {
  if (idle_.empty()) {
    return std::nullopt;
  }
  const auto first_turns_end =
      std::next(groups_.turns().begin(),
                static_cast<std::ptrdiff_t>(std::min(groups_.turns().size(), kTurnsKept)));
  const auto is_next = [&](proto::TimeMs due, proto::Offset last) {
    if (is_fifo_) {
      return std::any_of(groups_.turns().begin(), first_turns_end,
                         [last](const auto& turn) { return turn.last_offset == last; });
    }
    return due <= now && returned_.begin()->second == last;
  };
  std::size_t passed = 0;
  for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
    if (!is_next(it->first, it->second)) {
      return it->second;
    }
    if (!is_fifo_ || passed++ == kTurnsKept) {
      break;  // in a standard queue all the others are due sooner
    }
  }
  return std::nullopt;
}

void Queue::apply(const QueuePurged&, Effects& effects) {
  for (const auto& [deadline, last] : leases_) {
    const TouchedBatch& batch = touched_.at(last);
    for (const Run& run : batch.runs()) {
      const std::uint32_t live = batch.live_in(run.first, run.end());
      if (run.state == RunState::kLeased && live > 0) {
        effects.freed.emplace_back(run.grant, live);
      }
    }
  }
  touched_.clear();
  returned_.clear();
  leases_.clear();
  dying_.clear();
  idle_.clear();
  idle_bytes_ = 0;
  cold_ = {};
  groups_.clear();
  changes_ = {};  // of rows that go all together
  ++counters_.generation;
  counters_.cursor = counters_.next_offset;
  counters_.purged_before = counters_.next_offset;
  counters_.runs = {};
  counters_.bytes = 0;
  counters_.lane.messages = 0;
  counters_.lane.bytes = 0;
  counters_.deduplication_parts.clear();
  next_delay_due_ = TouchedBatch::kNever;
}

void Queue::append(const BatchAppended& record) {
  WEIR_ASSERT(record.base_offset == counters_.next_offset, "offsets are dense");
  if (fresh() == 0) {
    counters_.cursor_time = record.time;
  }
  counters_.next_offset = record.base_offset + record.count;
  counters_.prev_last_offset = counters_.next_offset - 1;
  counters_.bytes += record.stored.size();
}

/// The batch that a record is the first to tell of, perhaps; unindexed.
template <class Touching>
Queue::Batches::iterator Queue::touch(const Touching& record) {
  const MessageRange& range = record.range;
  const auto [it, is_new] =
      touched_.try_emplace(range.last_offset, range.base_offset, range.last_offset,
                           record.batch_bytes, record.append_time);
  if (is_new) {
    it->second.set_groups(record.groups);
  } else {
    unindex(it->second);
    leave_groups(it->second, range.first, range.count);
  }
  return it;
}

void Queue::pass_cursor(const MessageRange& range, proto::TimeMs cursor_time) {
  const proto::Offset end =
      range.base_offset + range.first + static_cast<proto::Offset>(range.count);
  if (end > counters_.cursor) {
    counters_.cursor = end;
    counters_.cursor_time = cursor_time;
  }
}

std::uint32_t Queue::apply(const Leased& record) {
  const MessageRange& range = record.range;
  const auto it = touch(record);
  Run like;
  like.started = record.started;
  like.grant = record.grant;
  like.nonce = record.nonce;
  like.when = record.deadline;
  like.since = record.time;
  like.holder = record.holder;
  const std::uint32_t leased = it->second.lease(range.first, range.count, like);
  join_groups(it->second, range.first, range.count, record.time);
  pass_cursor(range, record.cursor_time);
  settle(it);
  return leased;
}

void Queue::apply(const Passed& record) {
  const MessageRange& range = record.range;
  const auto it = touch(record);
  it->second.lease(range.first, range.count, {});
  it->second.update(range.first, range.count, [&](Run& run, std::uint32_t) {
    run.state = RunState::kReturned;
    run.when = record.due;
  });
  join_groups(it->second, range.first, range.count, record.due);
  pass_cursor(range, record.cursor_time);
  settle(it);
}

void Queue::finish(const MessageRange& range, Effects& effects) {
  const auto it = find(range);
  unindex(it->second);
  leave_groups(it->second, range.first, range.count);
  end_messages(it, range, effects);
}

/// Of an unindexed batch; they are in their groups no more.
void Queue::end_messages(Batches::iterator it, const MessageRange& range, Effects& effects) {
  effects.append_time = it->second.append_time();
  effects.done = it->second.ack(range.first, range.count,
                                [&effects](proto::GrantId grant, std::uint32_t live) {
                                  effects.freed.emplace_back(grant, live);
                                });
  forget_attempts(it->second, range.first, range.count, effects);
  effects.batch_is_gone = it->second.done();
  settle(it);
}

void Queue::apply(const Expired& record, Effects& effects) {
  const MessageRange& range = record.range;
  const auto it = touch(record);
  if (!record.is_dead_lettered) {
    pass_cursor(range, record.cursor_time);
    end_messages(it, range, effects);
    return;
  }
  if (it->second.run_at(range.first) == nullptr) {
    it->second.lease(range.first, range.count, {});  // nobody ever had them
  }
  it->second.update(range.first, range.count, [](Run& run, std::uint32_t) {
    run.state = RunState::kDying;
    run.is_expired = true;
  });
  join_groups(it->second, range.first, range.count, record.append_time);
  pass_cursor(range, record.cursor_time);
  settle(it);
}

void Queue::apply(const Acked& record, Effects& effects) {
  finish(record.range, effects);
}

void Queue::apply(const DeadLettered& record, Effects& effects) {
  finish(record.range, effects);
}

void Queue::apply(const Moved& record, Effects& effects) {
  finish(record.range, effects);
}

void Queue::apply(const Unparked& record) {
  const auto it = find(record.range);
  unindex(it->second);
  it->second.update(record.range.first, record.range.count, [&](Run& run, std::uint32_t) {
    run.state = RunState::kReturned;
    run.when = record.due;
    run.failures = 0;
    run.losses = 0;
    run.is_poison = false;
    run.is_unparked = true;
  });
  join_groups(it->second, record.range.first, record.range.count, record.due);
  settle(it);
}

namespace {

/// Whether the handler itself said so: then it had begun, whether that was reported or not.
bool is_said_by_handler(ReturnCause cause) {
  return cause == ReturnCause::kFailed || cause == ReturnCause::kPoison ||
         cause == ReturnCause::kTransient || cause == ReturnCause::kNotNow;
}

bool is_failure(ReturnCause cause) {
  return WEIR_PLANTED(every_return_is_a_failure) || cause == ReturnCause::kFailed ||
         cause == ReturnCause::kPoison || cause == ReturnCause::kExpired ||
         cause == ReturnCause::kLost;
}

/// Counts what the end of a lease means for the messages of a run. True where an attempt is over.
bool end_attempt(Run& run, ReturnCause cause) {
  if (cause == ReturnCause::kUnsaid) {
    run.attempts = run.ended_attempts();
    return false;
  }
  if (is_said_by_handler(cause) && !run.started) {
    count_one(run.attempts);
    run.started = true;
  }
  if (run.started && is_failure(cause)) {
    count_one(run.failures);
  }
  if (run.started && (cause == ReturnCause::kExpired || cause == ReturnCause::kLost)) {
    count_one(run.losses);
  }
  run.is_poison =
      run.is_poison || (cause == ReturnCause::kPoison && !WEIR_PLANTED(poison_comes_again));
  return run.started;
}

}  // namespace

/// What of a batch was leased goes back, or over the limit; indexed as it was.
void Queue::give_back(TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                      const Returned& record, Effects& effects) {
  leave_groups(batch, first, count);
  const std::size_t ended_before = effects.ended.size();
  const auto change = [&](Run& run, std::uint32_t live) {
    if (run.state == RunState::kLeased && live > 0) {
      effects.freed.emplace_back(run.grant, live);
    }
    if (end_attempt(run, record.cause)) {
      tell_attempt(batch, run, record.cause, effects);
    }
    run.started = false;
    run.is_expired = false;
    run.when = record.due;
    run.since = 0;
    run.holder = nullptr;
    const std::uint32_t more = WEIR_PLANTED(one_attempt_more) ? 1 : 0;
    if (run.is_poison || run.failures >= definition_.settings.max_receive_count + more) {
      run.state = definition_.dead_letter_queue.value != 0 ? RunState::kDying : RunState::kParked;
    } else {
      run.state = RunState::kReturned;
    }
  };
  batch.update(first, count, change);
  if (effects.ended.size() > ended_before) {
    forget_attempts(batch, first, count, effects);
  }
  join_groups(batch, first, count, record.time);
}

void Queue::apply(const Returned& record, Effects& effects) {
  const auto it = find(record.range);
  unindex(it->second);
  give_back(it->second, record.range.first, record.range.count, record, effects);
  if (WEIR_PLANTED(drop_without_dead_letter_queue) && it->second.counts().parked > 0) {
    it->second.ack(record.range.first, record.range.count, [](proto::GrantId, std::uint32_t) {});
  }
  settle(it);
  if (is_fifo_) {
    give_back_followers(record, effects);
  }
}

void Queue::apply(const Extended& record) {
  const auto it = find(record.range);
  unindex(it->second);
  it->second.update(record.range.first, record.range.count,
                    [&](Run& run, std::uint32_t) { run.when = record.deadline; });
  settle(it);
}

void Queue::apply(const Started& record) {
  const auto it = find(record.range);
  unindex(it->second);
  it->second.update(record.range.first, record.range.count, [](Run& run, std::uint32_t) {
    if (!run.started) {
      run.started = true;
      count_one(run.attempts);
    }
  });
  settle(it);
}

void Queue::apply(const Delayed& record) {
  DelayLane& lane = counters_.lane;
  lane.messages += record.count;
  lane.bytes += record.stored.size();
  lane.next_offset = std::max(lane.next_offset, record.base_offset + record.count);
  next_delay_due_ = std::min(next_delay_due_, record.due);
}

void Queue::apply(const DelayEnded& record) {
  DelayLane& lane = counters_.lane;
  WEIR_ASSERT(record.count <= lane.messages && record.bytes <= lane.bytes,
              "what leaves the delay lane was in it");
  lane.messages -= record.count;
  lane.bytes -= record.bytes;
}

void Queue::apply(const PagedOut& record) {
  const auto it = touched_.find(record.last_offset);
  WEIR_ASSERT(it != touched_.end(), "what is paged out is in memory");
  const RunCounts before = counters_.runs;
  unindex(it->second);
  counters_.runs = before;  // cold messages count as well
  cold_.add(it->second);
  if (is_fifo_) {
    groups_.went_out(it->second);
  }
  changes_.touched.erase(it->first);
  changes_.paged_out.insert_or_assign(it->first, std::move(it->second));
  touched_.erase(it);
}

void Queue::apply(const PagedIn& record) {
  const proto::Offset last = record.batch.last_offset();
  cold_.remove(record.batch);
  changes_.touched.insert(last);
  changes_.paged_in.emplace(record.batch.next_due(), last);
  insert(record.batch);
  if (is_fifo_) {
    groups_.came_back(record.batch, touched_);
  }
}

void Queue::restore(TouchedBatch batch, bool is_cold) {
  const proto::Offset last = batch.last_offset();
  if (is_cold) {
    cold_.add(batch);
    join_groups(batch, 0, batch.size(), batch.append_time());
  } else {
    insert(std::move(batch));
    const TouchedBatch& restored = touched_.at(last);
    join_groups(restored, 0, restored.size(), restored.append_time());
  }
}

/// A batch that the counters know already.
void Queue::insert(TouchedBatch batch) {
  const RunCounts before = counters_.runs;
  const proto::Offset last = batch.last_offset();
  const auto [it, is_new] = touched_.emplace(last, std::move(batch));
  WEIR_ASSERT(is_new, "a batch is in memory once");
  index(it);
  counters_.runs = before;
}

void Queue::learn_oldest(ColdBatches::Oldest oldest, bool is_cold) {
  cold_.learn_oldest(oldest, !is_cold && !touched_.contains(oldest.last_offset));
}

}  // namespace weir::core
