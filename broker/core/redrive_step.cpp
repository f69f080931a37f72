#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/shard_state.hpp"
#include "broker/core/slice.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

// One step of a redrive: the messages of one batch, what becomes of them, and the place behind it.
namespace weir::core {
namespace {

/// Whether a message in that state is one of those that are taken; nullptr: never handed out.
bool is_free(const Run* run, bool parked) {
  if (parked) {
    return run != nullptr && run->state == RunState::kParked;
  }
  return run == nullptr || run->state == RunState::kReturned || run->state == RunState::kParked;
}

/// A batch of the source, as far as it is known.
struct Place {
  proto::Offset base_offset = 0;
  proto::Offset last_offset = 0;
  const TouchedBatch* touched = nullptr;  // nothing of it was ever handed out
  const CachedBatch* cached = nullptr;    // nobody needs its bytes
};
/// Nothing is left in front of this offset.
struct Nothing {
  proto::Offset until = 0;
};

Place place_of(const TouchedBatch& batch) {
  return {batch.base_offset(), batch.last_offset(), &batch, nullptr};
}

/// Where the redrive goes on.
std::variant<Place, Nothing, NeedRows> find_place(const Queue& source, const Redrive& redrive,
                                                  proto::Offset known_until) {
  const proto::Offset at = redrive.position;
  const proto::Offset cursor = source.counters().cursor;
  const auto next = source.touched_batches().lower_bound(at);
  const bool has_next = next != source.touched_batches().end();
  if (at >= cursor) {
    // In the batch in which the cursor stands, or in one that nobody has seen.
    return has_next ? place_of(next->second) : Place{at, at, nullptr, nullptr};
  }
  const proto::Offset known =
      source.cold().empty() ? cursor : std::min(std::max(known_until, at), cursor);
  if (has_next && next->second.base_offset() < known) {
    return place_of(next->second);
  }
  if (known > at) {
    return Nothing{known};
  }
  NeedRows need;
  need.what = NeedRows::What::kNext;
  need.queue = source.id();
  need.generation = source.counters().generation;
  need.offset = at;
  need.end = cursor;
  return need;
}

/// What a step does with the messages of one batch.
struct Picks {
  std::vector<MessageRange> ranges;               // that are taken, one behind the other
  std::map<proto::QueueId, RebuiltBatch> copies;  // by the lane that they go to
  std::uint64_t moved = 0;
  std::uint64_t skipped = 0;
  std::uint32_t end = 0;  // everything before was looked at
};

void pick(Picks& picks, proto::QueueId source, const Place& place, std::uint32_t index) {
  ++picks.moved;
  if (!picks.ranges.empty() && picks.ranges.back().first + picks.ranges.back().count == index) {
    ++picks.ranges.back().count;
  } else {
    picks.ranges.push_back({source, place.base_offset, place.last_offset, index, 1});
  }
}

/// Whether the message is there, and one that the filter takes.
bool is_meant(const Redrive& redrive, const Place& place, std::uint32_t incarnation,
              std::uint32_t index) {
  const proto::Offset offset = place.base_offset + static_cast<proto::Offset>(index);
  return (place.touched == nullptr || !place.touched->acked(index)) &&
         (redrive.filter.takes_all() || takes(redrive.filter, record_at(*place.cached, index),
                                              {incarnation, redrive.source.value, offset}));
}

/// Finds the queue that a message of the batch goes to; nullopt: there is none.
using WayBack =
    std::function<std::optional<proto::QueueId>(const CachedBatch& batch, std::uint32_t index)>;

/// Finds the lane of a queue that a message goes to.
using WayToLane = std::function<proto::QueueId(proto::QueueId queue, const proto::RecordView&)>;

Picks pick_messages(const Redrive& redrive, const Place& place, std::uint32_t incarnation,
                    const WayBack& way_back, const WayToLane& lane_for, proto::TimeMs now) {
  Picks picks;
  const auto index_of = [&](proto::Offset offset) {
    return static_cast<std::uint32_t>(offset - place.base_offset);
  };
  const std::uint64_t allowance = redrive.allowance(now);
  const std::uint32_t end = index_of(std::min(place.last_offset + 1, redrive.end));
  for (picks.end = index_of(std::max(redrive.position, place.base_offset)); picks.end < end;
       ++picks.end) {
    const std::uint32_t i = picks.end;
    if (!is_meant(redrive, place, incarnation, i)) {
      continue;
    }
    if (!is_free(place.touched != nullptr ? place.touched->run_at(i) : nullptr, redrive.parked)) {
      picks.skipped += redrive.parked ? 0 : 1;
      continue;
    }
    const std::optional<proto::QueueId> target =
        redrive.moves() ? way_back(*place.cached, i) : std::nullopt;
    if (!target && redrive.moves()) {
      ++picks.skipped;
      continue;
    }
    if (picks.moved == allowance) {
      break;
    }
    if (target && !redrive.dry_run) {
      const proto::QueueId lane = lane_for(*target, record_at(*place.cached, i));
      const CopyRules rules{
          .keeps_attempts = redrive.keep_attempts,
          .changes = WEIR_PLANTED(forget_header_changes) ? nullptr : &redrive.headers};
      RebuiltBatch& copies =
          picks.copies.try_emplace(lane, redrive.source, incarnation, now, rules).first->second;
      if (!copies.add(*place.cached, i, {})) {
        break;
      }
    }
    pick(picks, proto::lane_of(redrive.source, place.base_offset), place, i);
  }
  return picks;
}

/// What becomes of those that were picked, where they lie.
ShardState::Records ends_of(const Redrive& redrive, const Picks& picks, proto::TimeMs now) {
  ShardState::Records ends;
  if (redrive.dry_run || (redrive.moves() && WEIR_PLANTED(redrive_without_delete)) ||
      (redrive.drop && WEIR_PLANTED(drop_leaves_messages))) {
    return ends;
  }
  const bool stay = redrive.parked && !redrive.drop;
  for (const MessageRange& range : picks.ranges) {
    ends.push_back(stay ? Record{Unparked{range, now}} : Record{Moved{range}});
  }
  return ends;
}

}  // namespace

std::optional<proto::QueueId> ShardState::find_way_back(const Redrive& redrive,
                                                        const CachedBatch& batch,
                                                        std::uint32_t index) const {
  if (redrive.target.value != 0) {
    return redrive.target;
  }
  const proto::NamespaceId owner = queues_.at(redrive.source).definition().name_space;
  const auto died_in = catalog_.queue(catalog_.namespace_name(owner),
                                      header_of(record_at(batch, index), kHeaderDeadFrom));
  return died_in && *died_in != redrive.source ? std::optional(*died_in) : std::nullopt;
}

std::variant<std::monostate, Need, NeedRows, ShardState::Records> ShardState::decide_redrive(
    proto::QueueId queue_id, proto::Offset known_until, const BatchSource& batches,
    proto::TimeMs now) const {
  const Redrive* redrive = redrives_.find(queue_id);
  if (redrive == nullptr || !redrive->is_running() || redrive->next_time() > now) {
    return std::monostate{};
  }
  const Queue& source = queues_.at(proto::lane_of(queue_id, redrive->end));
  const Queue::Counters& counters = source.counters();
  if (counters.generation != redrive->generation) {
    return Records{decide_redrive_failure(queue_id, "the queue was purged", now)};
  }
  if (redrive->target.value != 0 && queue(redrive->target) == nullptr) {
    return Records{decide_redrive_failure(queue_id, "the queue it goes to was deleted", now)};
  }
  RedriveChanged changed{*redrive};
  Redrive& next = changed.redrive;
  const auto go_on_at = [&](proto::Offset position) {
    next.position = std::min(position, next.end);
    if (next.position >= next.end && !next.further_ends.empty()) {
      next.enter_next_lane();
    }
    if (next.is_complete()) {
      next.finish(RedriveState::kDone, {}, now);
    }
  };
  if (next.position >= next.end) {
    go_on_at(next.end);
    return Records{std::move(changed)};
  }
  const auto found = find_place(source, next, known_until);
  if (const auto* need = std::get_if<NeedRows>(&found)) {
    return *need;
  }
  if (const auto* nothing = std::get_if<Nothing>(&found)) {
    go_on_at(nothing->until);
    return Records{std::move(changed)};
  }
  Place place = std::get<Place>(found);
  if (place.base_offset >= next.end) {
    go_on_at(next.end);
    return Records{std::move(changed)};
  }
  if (!next.parked || !next.filter.takes_all()) {
    const proto::Offset at = std::max(next.position, place.base_offset);
    place.cached = batches.find(log_of(source), at);
    if (place.cached == nullptr) {
      return Need{log_of(source), counters.generation, at};
    }
    place.base_offset = place.cached->base_offset;
    place.last_offset = place.cached->last_offset;
  }
  Picks picks = pick_messages(
      next, place, identity_.incarnation,
      [&](const CachedBatch& batch, std::uint32_t index) {
        return find_way_back(next, batch, index);
      },
      [&](proto::QueueId target, const proto::RecordView& record) {
        return proto::lane_id(target, lane_for(target, record));
      },
      now);
  Records records;
  const proto::Offset reached = place.base_offset + static_cast<proto::Offset>(picks.end);
  if (!next.dry_run && !next.parked && reached > counters.cursor) {
    const auto first = std::max(counters.cursor, place.base_offset);
    const MessageRange range{source.id(), place.base_offset, place.last_offset,
                             static_cast<std::uint32_t>(first - place.base_offset),
                             static_cast<std::uint32_t>(reached - first)};
    const proto::TimeMs append_time = place.cached->append_time;
    records.emplace_back(Passed{range, place.cached->stored_bytes, append_time,
                                cursor_time_behind(source, range, append_time, batches), now,
                                groups_told(source, *place.cached)});
  }
  for (Record& end : ends_of(next, picks, now)) {
    records.push_back(std::move(end));
  }
  if (WEIR_PLANTED(redrive_without_copy)) {
    picks.copies.clear();
  }
  for (auto& [lane, copies] : picks.copies) {
    const LogEnd end = end_of_lane(proto::home_of(lane), proto::lane_tag(lane));
    records.emplace_back(append_of(copies, end, identity_.epoch, now));
  }
  next.note_moved(picks.moved, now);
  next.skipped += picks.skipped;
  go_on_at(reached);
  records.emplace_back(std::move(changed));
  return records;
}

}  // namespace weir::core
