#include "broker/core/shard_state.hpp"
#include "proto/limits.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

// Decisions about messages that were handed out: acks, returns, extensions, expiry.
namespace weir::core {

using proto::Errc;
using proto::SettleKind;

namespace {

MessageRange range_of(const Queue& queue, const TouchedBatch& batch, std::uint32_t first,
                      std::uint32_t count) {
  return {queue.id(), batch.base_offset(), batch.last_offset(), first, count};
}

/// Why a settlement of one run is refused; nullopt when it is accepted.
std::optional<Errc> refusal(const Queue& queue, const Run& run, const proto::SettleRange& settle,
                            proto::TimeMs now) {
  if (WEIR_PLANTED(accept_stale_handle)) {
    return std::nullopt;
  }
  if (run.grant == settle.grant && run.nonce != settle.nonce && !WEIR_PLANTED(ignore_nonce)) {
    return Errc::kReceiptInvalid;
  }
  if (run.grant != settle.grant) {
    return Errc::kReceiptExpired;
  }
  const proto::TimeMs late_by = WEIR_PLANTED(deadline_off_by_one) ? 1 : 0;
  const bool leased = run.state == RunState::kLeased && run.when + late_by > now;
  // In all, from the hand-out on: what is extended without end would be lost to everybody else.
  if (leased && settle.kind == SettleKind::kExtend && run.since != 0 &&
      !WEIR_PLANTED(extend_for_ever) && now + settle.value > run.since + proto::kMaxLeaseMs) {
    return Errc::kLimitExceeded;
  }
  // A standard queue lets a late ack through as long as nobody else got the message: the work is
  // done, and doing it twice helps nobody. A FIFO queue does not: what comes behind it may have
  // been taken back on its account (both as SQS).
  if (leased || (settle.kind == SettleKind::kAck && !queue.is_fifo())) {
    return std::nullopt;
  }
  return Errc::kReceiptExpired;
}

/// Of messages that are to go back, those that do for what is said of them: in a FIFO queue the
/// first of each group, since those behind it go back with it whatever was said.
class GoingBack {
 public:
  explicit GoingBack(const Queue& queue) : is_fifo_(queue.is_fifo()) {}
  /// Calls `back` for ranges of the live messages from `first` to `end`.
  template <class Back>
  void for_each(const TouchedBatch& batch, std::uint32_t first, std::uint32_t end, Back back) {
    if (!is_fifo_) {
      back(first, end);
      return;
    }
    std::uint32_t begin = first;
    std::uint32_t next = first;  // behind those that go
    for (std::uint32_t i = batch.next_live(first, end); i < end; i = batch.next_live(i + 1, end)) {
      if (!seen_.insert(batch.group_of(i)).second) {
        continue;
      }
      if (next != i && begin < next) {
        back(begin, next);
      }
      begin = next == i ? begin : i;
      next = i + 1;
    }
    if (begin < next) {
      back(begin, next);
    }
  }

 private:
  bool is_fifo_;
  std::unordered_set<std::uint64_t> seen_;
};

/// Why a lease goes back, and when its messages are due.
struct GivenBack {
  ReturnCause cause = ReturnCause::kReleased;
  proto::TimeMs due = 0;
};

/// Leases of the batch that are meant go back, each as `how` says.
template <class Meant, class How>
ShardState::Records given_back(const Queue& queue, const TouchedBatch& batch, proto::TimeMs now,
                               Meant meant, How how) {
  ShardState::Records records;
  GoingBack going_back(queue);
  for (const Run& run : batch.runs()) {
    if (run.state == RunState::kLeased && meant(run)) {
      const GivenBack back = how(run);
      going_back.for_each(batch, run.first, run.end(), [&](std::uint32_t first, std::uint32_t end) {
        records.emplace_back(
            Returned{range_of(queue, batch, first, end - first), back.due, back.cause, now});
      });
    }
  }
  return records;
}

/// Gives back the leased runs of a batch that are meant.
template <typename Meant>
ShardState::Records returned_of(const Queue& queue, const TouchedBatch& batch, proto::TimeMs now,
                                ReturnCause cause, Meant meant) {
  const ReturnCause counted = WEIR_PLANTED(punish_prefetched) ? ReturnCause::kFailed : cause;
  return given_back(queue, batch, now, meant, [&](const Run&) { return GivenBack{counted, now}; });
}

/// What is said of a range, with the random bits that a policy may need.
struct Said {
  const proto::SettleRange& settle;
  std::string_view reason;
  std::uint64_t random = 0;
};

/// Random bits of its own for each place, as good for neighbours; of the first one the bits as they
/// are. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014), the step
/// of SplitMix64.
std::uint64_t bits_at(std::uint64_t random, std::uint32_t place) {
  std::uint64_t bits = place * std::uint64_t{0x9E3779B97F4A7C15};
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBU;
  return random + (bits ^ (bits >> 31U));
}

/// When messages of the run may be handed out again by their queue's policy; not all at once that
/// fail together.
proto::TimeMs due_by_policy(const Queue& queue, const Run& run, std::uint32_t place,
                            proto::TimeMs now, std::uint64_t random) {
  return now + redelivery_delay_ms(queue.definition().settings, run.ended_attempts(),
                                   bits_at(random, place));
}

Record record_of(const Queue& queue, const Run& run, const Said& said, const MessageRange& range,
                 proto::TimeMs now) {
  const proto::SettleRange& settle = said.settle;
  const auto returned = [&](ReturnCause cause) {
    const proto::TimeMs due =
        settle.value == proto::kDelayByPolicy
            // Those that may share a row of history stay one run.
            ? due_by_policy(queue, run, range.first / AttemptSpans::kMaxMessages, now, said.random)
            : now + settle.value;
    return Returned{range, due, cause, now, std::string(said.reason)};
  };
  switch (settle.kind) {
    case SettleKind::kAck:
      return Acked{range};
    case SettleKind::kNack:
      return returned(ReturnCause::kFailed);
    case SettleKind::kPoison:
      return returned(ReturnCause::kPoison);
    case SettleKind::kTransient:
      return returned(ReturnCause::kTransient);
    case SettleKind::kNotNow:
      return returned(ReturnCause::kNotNow);
    case SettleKind::kRelease:
      return returned(ReturnCause::kReleased);
    case SettleKind::kExtend:
      break;
    case SettleKind::kStarted:
      return Started{range};
  }
  // A lease of nothing ends now: the message goes back.
  if (settle.value == 0) {
    return returned(ReturnCause::kReleased);
  }
  return Extended{range, now + settle.value};
}

bool is_nack(proto::SettleKind kind) {
  return kind == SettleKind::kNack || kind == SettleKind::kPoison ||
         kind == SettleKind::kTransient || kind == SettleKind::kNotNow;
}

bool gives_back(const proto::SettleRange& settle) {
  return settle.kind == SettleKind::kExtend
             ? settle.value == 0
             : settle.kind == SettleKind::kRelease || is_nack(settle.kind);
}

/// Whether the value is one that this kind of settlement can have.
bool is_value_allowed(const proto::SettleRange& settle) {
  switch (settle.kind) {
    case SettleKind::kExtend:
      return settle.value <= proto::kMaxLeaseMs;
    case SettleKind::kNack:
    case SettleKind::kTransient:
      return settle.value <= proto::kMaxDelayMs || settle.value == proto::kDelayByPolicy;
    case SettleKind::kRelease:
    case SettleKind::kNotNow:
      return settle.value <= proto::kMaxDelayMs;
    case SettleKind::kAck:
    case SettleKind::kStarted:
    case SettleKind::kPoison:
      break;
  }
  return true;
}

void refuse(ShardState::SettleDecision& decision, std::uint32_t first, std::uint32_t count,
            Errc code) {
  if (!decision.failed.empty() && decision.failed.back().code == code &&
      decision.failed.back().first + decision.failed.back().count == first) {
    decision.failed.back().count += count;
  } else {
    decision.failed.push_back({first, count, code});
  }
}

/// Whether it may be said of what is done already: it changes nothing.
bool passes_what_is_done(SettleKind kind) {
  return kind == SettleKind::kAck || kind == SettleKind::kStarted;
}

/// The messages of a range that the batch has, run by run, up to `end`.
void settle_runs(const Queue& queue, const TouchedBatch& batch, const Said& said, std::uint32_t end,
                 proto::TimeMs now, ShardState::SettleDecision& decision) {
  const proto::SettleRange& settle = said.settle;
  GoingBack going_back(queue);
  for (std::uint32_t index = settle.first_index; index < end;) {
    if (batch.acked(index)) {
      const std::uint32_t live = batch.next_live(index, end);
      if (!passes_what_is_done(settle.kind)) {
        refuse(decision, index, live - index, Errc::kReceiptExpired);
      }
      index = live;
      continue;
    }
    const Run* run = batch.run_at(index);
    if (run == nullptr || run->grant.value == 0) {
      refuse(decision, index, 1, Errc::kReceiptInvalid);  // never handed out
      ++index;
      continue;
    }
    const auto why = refusal(queue, *run, settle, now);
    std::uint32_t stop = std::min(end, run->end());
    if (why || !passes_what_is_done(settle.kind)) {
      stop = batch.live_end(index, stop);
    }
    if (why) {
      refuse(decision, index, stop - index, *why);
    } else if (settle.kind != SettleKind::kStarted || !run->started) {
      if (WEIR_PLANTED(settle_whole_runs)) {
        stop = batch.live_end(index, run->end());
      }
      const auto say = [&](std::uint32_t from, std::uint32_t to) {
        decision.records.push_back(
            record_of(queue, *run, said, range_of(queue, batch, from, to - from), now));
        decision.nacked += is_nack(settle.kind) ? to - from : 0;
      };
      if (gives_back(settle)) {
        going_back.for_each(batch, index, stop, say);
      } else {
        say(index, stop);
      }
    }
    index = stop;
  }
}

/// The ranges of two records which say the same of their messages.
std::optional<std::pair<MessageRange&, const MessageRange&>> alike(Record& one,
                                                                   const Record& next) {
  using Ranges = std::pair<MessageRange&, const MessageRange&>;
  if (auto* acked = std::get_if<Acked>(&one)) {
    const auto* more = std::get_if<Acked>(&next);
    return more != nullptr ? std::optional(Ranges(acked->range, more->range)) : std::nullopt;
  }
  auto* returned = std::get_if<Returned>(&one);
  const auto* more = std::get_if<Returned>(&next);
  const bool is_alike = returned != nullptr && more != nullptr && returned->due == more->due &&
                        returned->cause == more->cause && returned->time == more->time &&
                        returned->reason == more->reason;
  return is_alike ? std::optional(Ranges(returned->range, more->range)) : std::nullopt;
}

}  // namespace

std::variant<NeedRows, ShardState::SettleDecision> ShardState::decide(
    proto::QueueId queue_id, const proto::SettleRange& settle, std::string_view reason,
    std::uint64_t random, proto::TimeMs now, std::optional<proto::Offset> known_done) const {
  SettleDecision decision;
  const Queue* target = queue(proto::lane_of(queue_id, settle.base_offset));
  if (target == nullptr || !is_value_allowed(settle)) {
    refuse(decision, settle.first_index, settle.count,
           target != nullptr            ? Errc::kInvalidArgument
           : queue(queue_id) != nullptr ? Errc::kReceiptInvalid
                                        : Errc::kQueueNotFound);
    return decision;
  }
  const TouchedBatch* batch = target->touched(settle.base_offset);
  if (batch == nullptr) {
    // Everything of a batch behind the cursor that left no trace, in memory or in the store, is
    // done; before it, nothing was ever handed out. What reaches into a batch that is there names
    // no batch at all.
    const proto::Offset cursor = target->counters().cursor;
    const auto next = target->touched_batches().lower_bound(settle.base_offset);
    const bool reaches_in =
        next != target->touched_batches().end() &&
        next->second.base_offset() < settle.base_offset + settle.first_index + settle.count;
    const bool was_purged = settle.base_offset < target->counters().purged_before &&
                            !WEIR_PLANTED(settle_what_was_purged);
    if (settle.base_offset < 0 || settle.base_offset > cursor || reaches_in ||
        settle.base_offset + settle.first_index + settle.count > cursor ||
        settle.grant.value >= allocator_.next_grant) {
      refuse(decision, settle.first_index, settle.count, Errc::kReceiptInvalid);
    } else if (!was_purged && !target->cold().empty() && known_done != settle.base_offset) {
      NeedRows need;
      need.what = NeedRows::What::kBatch;
      need.queue = target->id();
      need.generation = target->counters().generation;
      need.offset = settle.base_offset;
      need.end = settle.base_offset + settle.first_index + settle.count;
      return need;
    } else if (was_purged || settle.kind != SettleKind::kAck) {
      refuse(decision, settle.first_index, settle.count, Errc::kReceiptExpired);
    }
    return decision;
  }
  const std::uint64_t wanted_end = std::uint64_t{settle.first_index} + settle.count;
  if (settle.count == 0 || wanted_end > batch->size() ||
      settle.grant.value >= allocator_.next_grant) {
    refuse(decision, settle.first_index, settle.count, Errc::kReceiptInvalid);
    return decision;
  }
  settle_runs(*target, *batch, {settle, reason, random}, static_cast<std::uint32_t>(wanted_end),
              now, decision);
  return decision;
}

bool ShardState::says_the_same(proto::QueueId queue_id, const proto::SettleRange& range,
                               const proto::SettleRange& next) const {
  const Queue* target = queue(queue_id);
  proto::SettleRange moved = range;
  moved.first_index = next.first_index;
  moved.count = next.count;
  // In a FIFO queue what goes back takes with it what is behind it.
  return moved == next && next.first_index >= range.first_index + std::uint64_t{range.count} &&
         (is_nack(range.kind) || range.kind == SettleKind::kAck) && target != nullptr &&
         !target->is_fifo();
}

bool ShardState::join(Record& record, const Record& next) const {
  const auto ranges = alike(record, next);
  if (!ranges) {
    return false;
  }
  auto& [range, behind] = *ranges;
  const TouchedBatch& batch = queues_.at(range.queue).touched_batches().at(range.last_offset);
  if (range.queue != behind.queue || range.last_offset != behind.last_offset ||
      batch.next_live(range.first + range.count, behind.first) != behind.first) {
    return false;
  }
  range.count = behind.first + behind.count - range.first;
  return true;
}

void ShardState::join_settled(Records& records) const {
  std::size_t kept = 0;
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (join(records[kept], records[i])) {
      continue;
    }
    if (++kept != i) {
      records[kept] = std::move(records[i]);
    }
  }
  records.resize(std::min(records.size(), kept + 1));
}

proto::Result<ShardState::HandleRange> ShardState::decode(const SettleByHandle& command) const {
  const auto handle = proto::decode_handle(command.handle);
  if (!handle) {
    return handle.error();
  }
  const Queue* target = queue(handle->queue);
  const bool is_of_this_life =
      handle->incarnation == identity_.incarnation || WEIR_PLANTED(accept_old_incarnation);
  if (!is_of_this_life || handle->shard != identity_.shard || handle->epoch > identity_.epoch ||
      target == nullptr || handle->generation > target->counters().generation) {
    return proto::make_error(Errc::kReceiptInvalid);
  }
  if (handle->generation < target->counters().generation) {
    return proto::fail(Errc::kReceiptExpired, "the queue was purged meanwhile");
  }
  if (!command.queue.empty()) {
    const auto named = catalog_.queue(command.name_space, command.queue);
    if (!named) {
      return named.error();
    }
    if (*named != handle->queue) {
      return proto::fail(
          Errc::kReceiptInvalid,
          "the receipt handle belongs to another queue than '" + command.queue + "'");
    }
  }
  proto::SettleRange range;
  range.kind = command.kind;
  range.grant = handle->grant;
  range.nonce = handle->nonce;
  range.base_offset = handle->base_offset;
  range.first_index = handle->index;
  range.count = 1;
  range.value = command.value_ms;
  return HandleRange{handle->queue, range};
}

std::optional<ShardState::Records> ShardState::decide_expire(proto::TimeMs now,
                                                             proto::GrantId unsaid_from,
                                                             const HolderLives& holder_lives,
                                                             std::uint64_t random) const {
  if (next_deadline() > now) {
    return std::nullopt;
  }
  const Queue& target = queues_.at(by_deadline_.ranked().begin()->second);
  const TouchedBatch& batch = target.touched_batches().at(target.leases().begin()->second);
  return given_back(
      target, batch, now, [now](const Run& run) { return run.when <= now; },
      [&](const Run& run) {
        const ReturnCause cause = run.grant >= unsaid_from         ? ReturnCause::kUnsaid
                                  : holder_lives(run.holder.get()) ? ReturnCause::kExpired
                                                                   : ReturnCause::kLost;
        const bool fails = run.started && cause != ReturnCause::kUnsaid;
        return GivenBack{cause, fails ? due_by_policy(target, run, run.first, now, random) : now};
      });
}

ShardState::Records ShardState::decide_over(proto::QueueId queue_id, proto::Offset base_offset,
                                            proto::GrantId grant, proto::TimeMs now,
                                            std::uint64_t random) const {
  const Queue* target = queue(proto::lane_of(queue_id, base_offset));
  const TouchedBatch* batch = target != nullptr ? target->touched(base_offset) : nullptr;
  if (batch == nullptr) {
    return {};
  }
  return given_back(
      *target, *batch, now, [grant](const Run& run) { return run.grant == grant; },
      [&](const Run& run) {
        return GivenBack{ReturnCause::kExpired,
                         due_by_policy(*target, run, run.first, now, random)};
      });
}

bool ShardState::is_worth_saying(const Delivery& delivery, proto::TimeMs now) const {
  const Queue* target = queue(proto::lane_of(delivery.queue, delivery.base_offset));
  const TouchedBatch* batch = target != nullptr ? target->touched(delivery.base_offset) : nullptr;
  const Run* run = batch != nullptr ? batch->run_at(delivery.first_index) : nullptr;
  return run != nullptr && run->grant == delivery.grant && run->state == RunState::kLeased &&
         run->when - now >= delivery.lease_ms / 2;
}

ShardState::Records ShardState::decide_unsaid(proto::QueueId queue_id, proto::Offset base_offset,
                                              proto::GrantId grant, proto::TimeMs now) const {
  const Queue* target = queue(proto::lane_of(queue_id, base_offset));
  const TouchedBatch* batch = target != nullptr ? target->touched(base_offset) : nullptr;
  if (batch == nullptr) {
    return {};
  }
  return returned_of(*target, *batch, now, ReturnCause::kUnsaid,
                     [grant](const Run& run) { return run.grant == grant; });
}

ShardState::Records ShardState::decide_release(proto::QueueId queue_id, proto::Offset last_offset,
                                               proto::GrantId grant, proto::TimeMs now) const {
  const Queue* target = queue(proto::lane_of(queue_id, last_offset));
  if (target == nullptr) {
    return {};
  }
  const auto it = target->touched_batches().find(last_offset);
  if (it == target->touched_batches().end()) {
    return {};
  }
  if (WEIR_PLANTED(release_begun_work)) {
    return returned_of(*target, it->second, now, ReturnCause::kReleased,
                       [grant](const Run& run) { return run.grant == grant; });
  }
  return returned_of(*target, it->second, now, ReturnCause::kReleased,
                     [grant](const Run& run) { return run.grant == grant && !run.started; });
}

ShardState::Records ShardState::decide_restart(proto::TimeMs now, std::int64_t grace_ms) const {
  Records records;
  for (const auto& [id, target] : queues_) {
    Records returned;  // after the others: what is begun may have to go back with what is not
    GoingBack going_back(target);
    for (const auto& [last, batch] : target.touched_batches()) {
      for (const Run& run : batch.runs()) {
        const MessageRange range = range_of(target, batch, run.first, run.count);
        if (run.state != RunState::kLeased) {
          continue;
        }
        if (!run.started || WEIR_PLANTED(lose_leases_at_restart)) {
          going_back.for_each(
              batch, run.first, run.end(),
              [&, at = &batch](std::uint32_t first, std::uint32_t end) {
                returned.emplace_back(Returned{range_of(target, *at, first, end - first), now,
                                               ReturnCause::kReleased, now});
              });
        } else if (grace_ms > 0 && !WEIR_PLANTED(no_grace_after_restart)) {
          records.emplace_back(Extended{range, run.when + grace_ms});
        }
      }
    }
    std::ranges::move(returned, std::back_inserter(records));
  }
  return records;
}

}  // namespace weir::core
