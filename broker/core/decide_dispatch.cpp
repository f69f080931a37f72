#include "broker/core/dead_letter_batch.hpp"
#include "broker/core/expiry.hpp"
#include "broker/core/shard_state.hpp"
#include "broker/core/slice.hpp"
#include "proto/limits.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

// Decisions about handing messages out, and about moving those that nobody could handle.
namespace weir::core {

namespace {

/// After so many attempts that ended without a word a message is handed out alone: perhaps it is
/// what its consumers die of, and what they have beside it dies with them.
constexpr std::uint16_t kLossesOfLone = 2;

/// Ends the slice in front of what is of no use any more. True where that is all of it. Of what is
/// of use no more than `max_messages` are looked at.
bool cut_at_expired(const Queue& queue, const CachedBatch& batch, proto::TimeMs now,
                    std::uint32_t max_messages, Slice& slice) {
  const bool is_too_old = !slice.is_unparked && retained_until(queue, batch.append_time) <= now;
  const auto is_over = [&](std::uint32_t index) {
    return (is_too_old || (!batch.expiries.empty() && batch.expiries[index] <= now)) &&
           !WEIR_PLANTED(hand_out_what_expired);
  };
  const bool begins_with_it = is_over(slice.first);
  if (is_too_old || batch.expiries.empty()) {
    return begins_with_it;  // as all of them
  }
  std::uint32_t end = slice.first;
  const std::uint32_t last = begins_with_it || slice.end - slice.first <= max_messages
                                 ? slice.end
                                 : slice.first + max_messages;
  while (end < last && is_over(end) == begins_with_it) {
    ++end;
  }
  slice.end = end;
  return begins_with_it;
}

/// Where several lanes have something to hand out, one has its turn for so many messages: by so
/// many shares differ from what they should be, and so many are in front of what is more urgent.
constexpr std::uint32_t kMaxOfLane = 64;

/// What goes out of a slice: so many messages, in so many places.
struct Piece {
  std::uint32_t span = 0;
  std::uint32_t count = 0;
  std::uint64_t bytes = 0;
};
/// As many messages of the slice as their taker has room for, at most `limit`; none where not even
/// the first one fits. `touched`: what is known of their batch, or nullptr.
Piece cut_to_room(const CachedBatch& batch, const TouchedBatch* touched, const Slice& slice,
                  std::uint32_t limit, const ShardState::DispatchWish& wish) {
  const std::uint64_t max_bytes = std::min<std::uint64_t>(wish.max_bytes, proto::kMaxPieceBytes);
  const auto next_live = [&](std::uint32_t index) {
    return touched != nullptr && !WEIR_PLANTED(hand_out_what_is_done)
               ? touched->next_live(index, slice.end)
               : index;
  };
  Piece piece;
  for (std::uint32_t i = slice.first; i < slice.end && piece.count < limit; i = next_live(i + 1)) {
    const std::uint64_t bytes = batch.records[i].bytes;
    if (piece.count == 0 && wish.first_fits && bytes > wish.max_bytes) {
      return {};
    }
    if (piece.count > 0 && piece.bytes + bytes > max_bytes) {
      break;
    }
    piece.bytes += bytes;
    piece.span = i + 1 - slice.first;
    ++piece.count;
  }
  return piece;
}

/// The records of those messages: a piece of the batch's memory where nothing lies between them.
proto::SharedBytes records_of(const CachedBatch& batch, const TouchedBatch* touched,
                              std::uint32_t first, const Piece& piece) {
  if (piece.span == piece.count) {
    return batch.batch.slice(batch.records[first].position, piece.bytes);
  }
  std::string records;
  records.reserve(piece.bytes);
  touched->for_each_live(first, first + piece.span, [&](std::uint32_t i) {
    records += batch.batch.view().substr(batch.records[i].position, batch.records[i].bytes);
  });
  return proto::SharedBytes(std::move(records));
}

}  // namespace

bool must_be_alone(const Run& run) {
  return run.losses >= kLossesOfLone && !WEIR_PLANTED(crasher_with_neighbours);
}

Slice slice_of(const TouchedBatch& batch, const Run& run, std::uint32_t first, std::uint32_t end) {
  return {batch.base_offset(), batch.last_offset(), first,      end,
          run.attempts,        run.failures,        run.losses, run.is_unparked,
          run.grant.value != 0};
}

namespace {

/// Of messages from there on that were given back, the end of those that may go out with the first:
/// no more runs than hold `limit`.
std::uint32_t end_of_returned(const TouchedBatch& batch, std::span<const Run>::iterator run,
                              std::uint32_t first, std::uint32_t limit, proto::TimeMs now) {
  const Run& like = *run;
  const std::span<const Run> runs(batch.runs());
  std::uint32_t end = like.end();
  const auto goes_along = [&](const Run& next) {
    return next.state == like.state && next.when <= now && next.attempts == like.attempts &&
           next.failures == like.failures && next.losses == like.losses &&
           next.is_unparked == like.is_unparked &&
           (next.grant.value != 0) == (like.grant.value != 0) &&
           batch.next_live(end, next.first) == next.first;
  };
  std::uint32_t live = batch.live_in(first, end);
  for (++run; live < limit && run != runs.end() && goes_along(*run); ++run) {
    end = run->end();
    live += batch.live_in(run->first, end);
  }
  return end;
}

}  // namespace

DueSlice find_returned(const Queue& queue, const ShardState::DispatchWish& wish,
                       proto::TimeMs now) {
  DueSlice found;
  int passed = 0;
  for (const auto& [due, last] : queue.returned()) {
    if (due > now || passed++ == kMaxPassed) {
      break;
    }
    const TouchedBatch& batch = queue.touched_batches().at(last);
    const std::span<const Run> runs(batch.runs());
    for (auto at = runs.begin(); at != runs.end(); ++at) {
      const Run& run = *at;
      const std::uint32_t first = batch.next_live(run.first, run.end());
      if (run.state != RunState::kReturned || run.when > now || first == run.end() ||
          (run.attempts > 0 && wish.max_redeliveries == 0)) {
        continue;
      }
      if (must_be_alone(run) && !wish.is_alone) {
        found.passed_lone = true;
        continue;
      }
      found.must_be_alone = must_be_alone(run);
      found.slice =
          slice_of(batch, run, first,
                   found.must_be_alone ? first + 1
                                       : end_of_returned(batch, at, first, wish.max_messages, now));
      return found;
    }
  }
  return found;
}

/// Tags of the queue's lanes with something to hand out, in the order of their turns.
std::vector<proto::LaneTag> ShardState::ready_lanes(const Queue& queue, const DispatchWish& wish,
                                                    proto::TimeMs now) const {
  std::vector<proto::LaneTag> ready;
  for_each_lane(queue.id(), [&](const Queue& lane) {
    const bool can_be_read =
        std::ranges::find(wish.unreadable, proto::lane_tag(lane.id())) == wish.unreadable.end();
    if (can_be_read && (lane.fresh() > 0 || lane.next_due() <= now)) {
      ready.push_back(proto::lane_tag(lane.id()));
    }
  });
  lanes_.at(queue.id()).turns.sort(ready, queue.definition().settings.strict_priority != 0);
  return ready;
}

ShardState::NextStep ShardState::decide(const DispatchWish& wish, const BatchSource& batches,
                                        proto::TimeMs now) const {
  const Queue* target = queue(wish.queue);
  if (target == nullptr || wish.max_messages == 0 ||
      (target->definition().pause.receives && !WEIR_PLANTED(hand_out_in_a_pause))) {
    return std::monostate{};
  }
  const std::uint64_t in_flight = totals(wish.queue).in_flight;
  const auto max_in_flight =
      static_cast<std::uint64_t>(target->definition().settings.max_in_flight);
  if (in_flight >= max_in_flight) {
    return std::monostate{};
  }
  DispatchWish bounded = wish;
  bounded.max_messages = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(wish.max_messages, max_in_flight - in_flight));
  const auto find_due = [&](const Queue& lane) {
    return lane.is_fifo() ? find_waiting(lane, bounded, now) : find_returned(lane, bounded, now);
  };
  if (!lanes_.contains(wish.queue)) {
    return next_of(*target, bounded, find_due(*target), batches, now);
  }
  struct Ready {
    const Queue* lane;
    DueSlice due;
  };
  std::vector<Ready> ready;
  bool passed_lone = false;
  for (const proto::LaneTag tag : ready_lanes(*target, wish, now)) {
    const Queue& lane = queues_.at(proto::lane_id(wish.queue, tag));
    ready.push_back({&lane, find_due(lane)});
    passed_lone = passed_lone || ready.back().due.passed_lone;
  }
  // Whoever holds nothing may have come to that for the sake of one that must be alone.
  const auto lone =
      std::ranges::find_if(ready, [](const Ready& one) { return one.due.must_be_alone; });
  if (lone != ready.end()) {
    std::rotate(ready.begin(), lone, std::next(lone));
  }
  if (ready.size() > 1) {
    bounded.max_messages = std::min(bounded.max_messages, kMaxOfLane);
  }
  for (const auto& [lane, due] : ready) {
    NextStep step = next_of(*lane, bounded, due, batches, now);
    if (auto* given = std::get_if<DispatchStep>(&step)) {
      given->passed_lone = passed_lone;
    }
    if (!std::holds_alternative<std::monostate>(step)) {
      return step;
    }
  }
  return std::monostate{};
}

ShardState::NextStep ShardState::next_of(const Queue& lane, const DispatchWish& wish,
                                         const DueSlice& due, const BatchSource& batches,
                                         proto::TimeMs now) const {
  std::optional<Slice> slice = due.slice;
  if (!slice && lane.fresh() == 0) {
    return std::monostate{};
  }
  const proto::Offset at = slice ? slice->base_offset + slice->first : lane.counters().cursor;
  const CachedBatch* cached = batches.find(log_of(lane), at);
  if (cached == nullptr) {
    return Need{log_of(lane), lane.counters().generation, at};
  }
  if (!slice) {
    auto found = at_cursor(lane, wish, *cached, now);
    if (auto* passed = std::get_if<Passed>(&found)) {
      passed->cursor_time = cursor_time_behind(lane, passed->range, cached->append_time, batches);
      return std::move(*passed);
    }
    if (std::holds_alternative<std::monostate>(found)) {
      return std::monostate{};
    }
    slice = std::get<Slice>(found);
  }
  const TouchedBatch* touched = due.slice ? lane.touched(slice->base_offset) : nullptr;
  if (can_expire(lane, *cached) && cut_at_expired(lane, *cached, now, wish.max_messages, *slice)) {
    if (touched != nullptr) {
      slice->end = touched->live_end(slice->first, slice->end);
    }
    if (must_wait_to_expire(lane)) {
      return std::monostate{};
    }
    return expired(lane,
                   {lane.id(), slice->base_offset, slice->last_offset, slice->first,
                    slice->end - slice->first},
                   *cached, batches);
  }
  std::uint32_t limit = std::min(wish.max_messages, slice->end - slice->first);
  if (slice->attempts > 0) {
    limit = std::min(limit, wish.max_redeliveries);
  }
  const Piece piece = cut_to_room(*cached, touched, *slice, limit, wish);
  if (piece.count == 0) {
    return NoRoom{};
  }
  DispatchStep step;
  step.group = cached->group_of(slice->first + piece.span - 1);
  if (!cached->groups.empty() && !slice->was_handed_out && !lane.is_fifo()) {
    const auto first = cached->groups.begin() + slice->first;
    step.groups.assign(first, first + piece.count);
  }
  step.must_be_alone = due.must_be_alone;
  step.passed_lone = due.passed_lone;
  step.record.groups = groups_told(lane, *cached);
  step.record.range = {lane.id(), slice->base_offset, slice->last_offset, slice->first, piece.span};
  step.record.grant = proto::GrantId{allocator_.next_grant};
  step.record.nonce = wish.nonce;
  step.record.deadline = now + wish.lease_ms / (WEIR_PLANTED(halve_leases) ? 2 : 1);
  step.record.started = wish.started;
  step.record.time = now;
  step.record.holder = wish.holder;
  step.record.batch_bytes = cached->stored_bytes;
  step.record.append_time = cached->append_time;
  step.record.cursor_time =
      cursor_time_behind(lane, step.record.range, cached->append_time, batches);
  step.delivery.grant = step.record.grant;
  step.delivery.nonce = wish.nonce;
  step.delivery.queue = proto::home_of(lane.id());
  step.delivery.generation = lane.counters().generation;
  step.delivery.base_offset = slice->base_offset;
  step.delivery.first_index = slice->first;
  step.delivery.span = piece.span;
  step.delivery.count = piece.count;
  step.delivery.attempts = slice->attempts;
  step.delivery.failures = slice->failures;
  step.delivery.losses = slice->losses;
  step.delivery.again = slice->was_handed_out;
  step.delivery.lease_ms = wish.lease_ms;
  step.delivery.base_timestamp = cached->base_timestamp;
  step.delivery.records = records_of(*cached, touched, slice->first, piece);
  return step;
}

/// The queue has lost its dead-letter queue meanwhile: what was on the way there is parked, or
/// comes again where the limit was raised.
ShardState::Records ShardState::decide_without_dead_letter_queue(const Queue& source,
                                                                 const TouchedBatch& batch,
                                                                 proto::TimeMs now) {
  Records records;
  for (const Run& run : batch.runs()) {
    if (run.state == RunState::kDying) {
      records.emplace_back(
          Returned{{source.id(), batch.base_offset(), batch.last_offset(), run.first, run.count},
                   now,
                   ReturnCause::kReleased,
                   now});
    }
  }
  return records;
}

namespace {

/// Messages of one batch on their way to the dead-letter queue.
class DyingMessages {
 public:
  DyingMessages(const Queue& source, const TouchedBatch& batch, const AttemptSource& attempts)
      : source_(source), batch_(batch), attempts_(attempts) {}

  /// Those of the run, as far as there is room and their history is read.
  void move(const Run& run, DeadLetterBatch& copies, ShardState::Records& records) {
    for (std::uint32_t i = batch_.next_live(run.first, run.end()); i < run.end() && goes_on();
         i = batch_.next_live(i + 1, run.end())) {
      const std::vector<Attempt>* history =
          attempts_.find(source_.id(), batch_.base_offset() + i, run.attempts);
      is_read_ = is_read_ && history != nullptr;
      if (history == nullptr) {
        continue;
      }
      is_full_ = !copies.add(i, run, *history);
      if (!is_full_ && !WEIR_PLANTED(dead_letter_without_delete)) {
        records.emplace_back(
            DeadLettered{{source_.id(), batch_.base_offset(), batch_.last_offset(), i, 1}});
      }
    }
  }
  /// The history of all that were looked at.
  [[nodiscard]] bool is_read() const { return is_read_; }

 private:
  /// Behind one that stays, another of its group may come.
  [[nodiscard]] bool goes_on() const { return !is_full_ && (is_read_ || !source_.is_fifo()); }

  const Queue& source_;
  const TouchedBatch& batch_;
  const AttemptSource& attempts_;
  bool is_read_ = true;
  bool is_full_ = false;
};

}  // namespace

std::variant<std::monostate, Need, NeedAttempts, ShardState::Records>
ShardState::decide_dead_letter(proto::QueueId queue_id, const BatchSource& batches,
                               const AttemptSource& attempts, proto::TimeMs now) const {
  const Queue* source = queue(queue_id);
  if (source == nullptr || source->dying().empty()) {
    return std::monostate{};
  }
  const Queue* target = queue(source->definition().dead_letter_queue);
  const TouchedBatch& batch = source->touched_batches().at(*source->dying().begin());
  if (target == nullptr) {
    return decide_without_dead_letter_queue(*source, batch, now);
  }
  const CachedBatch* cached = batches.find(log_of(*source), batch.base_offset());
  if (cached == nullptr) {
    return Need{log_of(*source), source->counters().generation, batch.base_offset()};
  }
  Records records;
  DeadLetterBatch copies(*cached, source->definition().name, source->id(), identity_.incarnation,
                         now);
  DyingMessages dying(*source, batch, attempts);
  for (const Run& run : batch.runs()) {
    if (run.state == RunState::kDying || WEIR_PLANTED(dead_letter_neighbours)) {
      dying.move(run, copies, records);
    }
  }
  if (copies.count() == 0 && !dying.is_read()) {
    return NeedAttempts{source->id(), source->counters().generation, batch.base_offset(),
                        batch.last_offset()};
  }
  if (!WEIR_PLANTED(dead_letter_without_copy)) {
    records.emplace_back(append_of(copies, end_of(*target), identity_.epoch, now));
  }
  return records;
}

}  // namespace weir::core
