#include "broker/core/going_back.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/limits.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

// Decisions about what consumers say of messages that they hold.
namespace weir::core {

using proto::Errc;
using proto::SettleKind;

namespace {

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

/// What is said of a range, with the random bits that a policy may need.
struct Said {
  const proto::SettleRange& settle;
  std::string_view reason;
  std::uint64_t random = 0;
};

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

/// Of what is said of messages of the run from `index` on, the end of those that it is said of
/// together: up to what is done, unless that may be named along.
std::uint32_t end_of_said(const TouchedBatch& batch, const Run& run, std::uint32_t index,
                          std::uint32_t end, bool passes_done) {
  const std::uint32_t stop = std::min(end, run.end());
  return passes_done ? stop : batch.live_end(index, stop);
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
    std::uint32_t stop =
        end_of_said(batch, *run, index, end, !why && passes_what_is_done(settle.kind));
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

}  // namespace weir::core
