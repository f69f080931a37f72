#include "broker/core/queue/message_groups.hpp"

#include "proto/assert.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace weir::core {
namespace {

/// The next message of the group at or behind `index` that waits in the batch.
std::optional<std::uint32_t> next_waiting(const TouchedBatch& batch, std::uint64_t group,
                                          std::uint32_t index) {
  for (const Run& run : batch.runs_meeting(index, batch.size())) {
    if (run.state != RunState::kReturned) {
      continue;
    }
    for (std::uint32_t i = std::max(run.first, index); i < run.end(); ++i) {
      if (batch.group_of(i) == group && !batch.acked(i)) {
        return i;
      }
    }
  }
  return std::nullopt;
}

/// Calls `visit` with the index of each message of the batch that waits.
template <class Visit>
void for_each_waiting(const TouchedBatch& batch, Visit visit) {
  for (const Run& run : batch.runs()) {
    if (run.state == RunState::kReturned) {
      batch.for_each_live(run.first, run.end(), visit);
    }
  }
}

}  // namespace

bool MessageGroups::is_turn_of(std::uint64_t group, proto::Offset last_offset,
                               std::uint32_t index) const {
  const auto it = groups_.find(group);
  return it != groups_.end() && it->second.turn_due != kNoTurn && !it->second.is_turn_cold &&
         it->second.turn_place.last_offset == last_offset && it->second.turn_place.first == index;
}

proto::TimeMs MessageGroups::next_due() const {
  proto::TimeMs due = turns_.empty() ? TouchedBatch::kNever : turns_.begin()->due;
  if (!cold_turns_.empty()) {
    due = std::min(due, cold_turns_.begin()->due);
  }
  return due;
}

std::uint32_t MessageGroups::held(std::uint64_t group) const {
  const auto it = groups_.find(group);
  return it != groups_.end() ? it->second.held : 0;
}

bool MessageGroups::is_held_since(std::uint64_t group, proto::GrantId first) const {
  const auto it = groups_.find(group);
  return it != groups_.end() && it->second.held > 0 && it->second.oldest_grant >= first;
}

const MessageGroups::Place* MessageGroups::first_waiting(std::uint64_t group) const {
  const auto it = groups_.find(group);
  return it != groups_.end() && it->second.has_waiting() ? &it->second.places[it->second.front]
                                                         : nullptr;
}

proto::Offset MessageGroups::last_held(std::uint64_t group) const {
  const auto it = groups_.find(group);
  return it != groups_.end() && it->second.held > 0 ? it->second.last_held : -1;
}

void MessageGroups::count_waiting(Group& group, std::int64_t more) {
  const auto change = static_cast<std::uint64_t>(more);  // modulo 2^64, as the sums are
  group.waiting += change;
  waiting_ += change;
  stuck_waiting_ += group.is_stuck ? change : 0;
}

void MessageGroups::set_stuck(Group& group, bool is_stuck) {
  if (group.is_stuck != is_stuck) {
    group.is_stuck = is_stuck;
    stuck_waiting_ += is_stuck ? group.waiting : -group.waiting;
  }
}

void MessageGroups::set_turn(std::uint64_t hash, Group& group, proto::TimeMs due, Place place,
                             bool is_cold) {
  const Place& had = group.turn_place;
  if (due == group.turn_due && is_cold == group.is_turn_cold &&
      place.last_offset == had.last_offset && place.first == had.first) {
    return;
  }
  if (group.turn_due != kNoTurn) {
    (group.is_turn_cold ? cold_turns_ : turns_)
        .erase({group.turn_due, had.last_offset, had.first, hash});
  }
  if (due != kNoTurn) {
    (is_cold ? cold_turns_ : turns_).insert({due, place.last_offset, place.first, hash});
  }
  group.turn_due = due;
  group.turn_place = place;
  group.is_turn_cold = is_cold;
}

/// Puts its turn where it belongs.
void MessageGroups::refresh(std::uint64_t hash, Group& group, const Batches& batches,
                            proto::TimeMs due_if_cold) {
  if (group.held > 0 || !group.has_waiting()) {
    set_turn(hash, group, kNoTurn, {}, false);
    return;
  }
  const Place place = group.places[group.front];
  const auto batch = batches.find(place.last_offset);
  const Run* run = batch != batches.end() ? batch->second.run_at(place.first) : nullptr;
  const proto::TimeMs due = run != nullptr ? run->when : due_if_cold;
  set_turn(hash, group, std::max<proto::TimeMs>(due, 0), place, run == nullptr);
}

/// After a change by which it may be free, or nothing of it is left.
void MessageGroups::settle(std::uint64_t hash, Group& group, const Batches& batches) {
  refresh(hash, group, batches);
  if (group.held == 0 && !group.has_waiting()) {
    set_stuck(group, false);
    groups_.erase(hash);
  }
}

void MessageGroups::hold(std::uint64_t group, proto::Offset last_offset, proto::GrantId grant,
                         proto::TimeMs now) {
  Group& held = groups_[group];
  held.oldest_grant = held.held == 0 ? grant : std::min(held.oldest_grant, grant);
  held.last_held = held.held == 0 ? last_offset : std::max(held.last_held, last_offset);
  ++held.held;
  held.got_on = std::max(held.got_on, now);
  set_stuck(held, false);
  if (held.turn_due != kNoTurn) {
    refresh(group, held, {});
  }
}

void MessageGroups::let_go(std::uint64_t group, const Batches& batches) {
  const auto it = groups_.find(group);
  WEIR_ASSERT(it != groups_.end() && it->second.held > 0, "what is let go was held");
  if (--it->second.held == 0) {
    settle(group, it->second, batches);
  }
}

void MessageGroups::wait(std::uint64_t group, proto::Offset last_offset, std::uint32_t index,
                         const Waiting& from, const Batches& batches) {
  const auto [known, is_new] = groups_.try_emplace(group);
  Group& waiting = known->second;
  if (is_new) {
    waiting.got_on = from.now;
  }
  count_waiting(waiting, 1);
  const auto begin = waiting.places.begin() + static_cast<std::ptrdiff_t>(waiting.front);
  const auto at = std::partition_point(begin, waiting.places.end(), [&](const Place& place) {
    return place.last_offset < last_offset;
  });
  if (at != waiting.places.end() && at->last_offset == last_offset) {
    at->first = std::min(at->first, index);
  } else if (at == begin && waiting.front > 0) {
    waiting.places[--waiting.front] = {last_offset, index};
    ++places_;
  } else {
    waiting.places.insert(at, {last_offset, index});
    ++places_;
  }
  const Place& head = waiting.places[waiting.front];
  const bool is_head = head.last_offset == last_offset && head.first == index;
  refresh(group, waiting, batches,
          is_head ? from.due : std::max<proto::TimeMs>(waiting.turn_due, 0));
}

void MessageGroups::remove_place(Group& group, std::size_t at) {
  if (at == group.front) {
    ++group.front;
  } else {
    group.places.erase(group.places.begin() + static_cast<std::ptrdiff_t>(at));
  }
  --places_;
  // So that what is gone takes no more room than what is left, at a cost that is spread.
  if (group.front > 64 && group.front > group.places.size() / 2) {
    group.places.erase(group.places.begin(),
                       group.places.begin() + static_cast<std::ptrdiff_t>(group.front));
    group.front = 0;
  }
}

void MessageGroups::stop_waiting(std::uint64_t group, proto::Offset last_offset,
                                 std::uint32_t index, const Batches& batches) {
  const auto it = groups_.find(group);
  WEIR_ASSERT(it != groups_.end(), "what waits is of a group that is known");
  Group& waiting = it->second;
  count_waiting(waiting, -1);
  const auto at = std::partition_point(
      waiting.places.begin() + static_cast<std::ptrdiff_t>(waiting.front), waiting.places.end(),
      [&](const Place& place) { return place.last_offset < last_offset; });
  WEIR_ASSERT(at != waiting.places.end() && at->last_offset == last_offset,
              "what waits has its place");
  if (at->first != index) {
    return;
  }
  if (const auto next = next_waiting(batches.at(last_offset), group, index + 1)) {
    at->first = *next;
  } else {
    remove_place(waiting, static_cast<std::size_t>(at - waiting.places.begin()));
  }
  settle(group, waiting, batches);
}

void MessageGroups::came_back(const TouchedBatch& batch, const Batches& batches) {
  for_each_waiting(batch, [&](std::uint32_t i) {
    const auto it = groups_.find(batch.group_of(i));
    if (it != groups_.end() && it->second.is_turn_cold &&
        it->second.turn_place.last_offset == batch.last_offset() &&
        it->second.turn_place.first == i) {
      refresh(it->first, it->second, batches);
    }
  });
}

void MessageGroups::went_out(const TouchedBatch& batch) {
  for_each_waiting(batch, [&](std::uint32_t i) {
    const std::uint64_t hash = batch.group_of(i);
    if (is_turn_of(hash, batch.last_offset(), i)) {
      Group& group = groups_.at(hash);
      set_turn(hash, group, group.turn_due, group.turn_place, true);
    }
  });
}

void MessageGroups::note_stuck(proto::TimeMs since) {
  for (auto& [hash, group] : groups_) {
    if (group.got_on < since) {
      set_stuck(group, true);
    }
  }
}

}  // namespace weir::core
