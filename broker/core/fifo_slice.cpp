#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/slice.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <unordered_set>

// What of a FIFO queue may be handed out: within a group one message after the other, and several
// at a time only to one taker, in their order.
namespace weir::core {
namespace {

/// In one step.
constexpr std::uint32_t kMaxSetAsideAtOnce = 1024;

/// The groups of a slice that is being put together.
class GroupsTaken {
 public:
  void add(std::uint64_t group) {
    if (group != last_) {
      last_ = group;
      groups_.insert(group);
    }
  }
  [[nodiscard]] bool has(std::uint64_t group) const {
    return group == last_ || groups_.contains(group);
  }

 private:
  std::uint64_t last_ = 0;
  std::unordered_set<std::uint64_t> groups_;
};

/// Where the messages end that may go out with the one that waits at `first` of the run.
std::uint32_t end_of_waiting(const Queue& queue, const TouchedBatch& batch, const Run& run,
                             std::uint32_t first, std::uint32_t max_messages) {
  GroupsTaken taken;
  taken.add(batch.group_of(first));
  std::uint32_t end = first + 1;
  const std::uint32_t last =
      batch.live_end(first, first + std::min(run.end() - first, max_messages));
  while (end < last) {
    const std::uint64_t group = batch.group_of(end);
    if (!taken.has(group)) {
      if (!queue.groups().is_turn_of(group, batch.last_offset(), end)) {
        break;
      }
      taken.add(group);
    }
    ++end;
  }
  return end;
}

/// Why a message that waits does not go out, or the slice that begins with it.
struct Candidate {
  const Queue& queue;
  const ShardState::DispatchWish& wish;
  proto::TimeMs now;
  DueSlice& found;

  /// True when it is found.
  bool take(MessageGroups::Place place) const {
    const auto it = queue.touched_batches().find(place.last_offset);
    if (it == queue.touched_batches().end()) {
      return false;  // it is read first
    }
    const TouchedBatch& batch = it->second;
    const Run& run = *batch.run_at(place.first);
    if (run.when > now || (run.attempts > 0 && wish.max_redeliveries == 0)) {
      return false;
    }
    if (must_be_alone(run) && !wish.is_alone) {
      found.passed_lone = true;
      return false;
    }
    found.must_be_alone = must_be_alone(run);
    found.slice = slice_of(batch, run, place.first,
                           found.must_be_alone
                               ? place.first + 1
                               : end_of_waiting(queue, batch, run, place.first, wish.max_messages));
    return true;
  }
};

/// Whether a message of the group at the cursor may go to whoever asks.
bool may_join(const MessageGroups& groups, const ShardState::DispatchWish& wish,
              std::uint64_t group) {
  return !groups.knows(group) || WEIR_PLANTED(hand_out_held_groups) ||
         (wish.since && groups.is_held_since(group, *wish.since) &&
          groups.first_waiting(group) == nullptr);
}

}  // namespace

DueSlice find_waiting(const Queue& queue, const ShardState::DispatchWish& wish, proto::TimeMs now) {
  DueSlice found;
  const MessageGroups& groups = queue.groups();
  const Candidate candidate{queue, wish, now, found};
  if (wish.since && groups.is_held_since(wish.group, *wish.since)) {
    const MessageGroups::Place* place = groups.first_waiting(wish.group);
    if (place != nullptr && candidate.take(*place)) {
      return found;
    }
  }
  int passed = 0;
  for (const MessageGroups::Turn& turn : groups.turns()) {
    if (turn.due > now || passed++ == kMaxPassed ||
        candidate.take({turn.last_offset, turn.first})) {
      break;
    }
  }
  return found;
}

std::variant<std::monostate, Slice, Passed> at_cursor(const Queue& queue,
                                                      const ShardState::DispatchWish& wish,
                                                      const CachedBatch& batch, proto::TimeMs now) {
  const MessageGroups& groups = queue.groups();
  const auto size = static_cast<std::uint32_t>(batch.last_offset - batch.base_offset + 1);
  const auto first = static_cast<std::uint32_t>(queue.counters().cursor - batch.base_offset);
  if (!queue.is_fifo()) {
    return Slice{batch.base_offset, batch.last_offset, first, size};
  }
  std::uint32_t end = first;
  if (may_join(groups, wish, batch.group_of(first))) {
    GroupsTaken taken;
    const std::uint32_t last = first + std::min(size - first, wish.max_messages);
    while (end < last &&
           (taken.has(batch.group_of(end)) || may_join(groups, wish, batch.group_of(end)))) {
      taken.add(batch.group_of(end));
      ++end;
    }
    return Slice{batch.base_offset, batch.last_offset, first, end};
  }
  if (queue.is_crowded()) {
    return std::monostate{};
  }
  const std::uint32_t last = first + std::min(size - first, kMaxSetAsideAtOnce);
  while (end < last && !may_join(groups, wish, batch.group_of(end))) {
    ++end;
  }
  return Passed{{queue.id(), batch.base_offset, batch.last_offset, first, end - first},
                batch.stored_bytes,
                batch.append_time,
                batch.append_time,
                now,
                groups_told(queue, batch)};
}

std::vector<std::uint64_t> groups_told(const Queue& queue, const CachedBatch& batch) {
  if (!queue.is_fifo() || queue.touched(batch.base_offset) != nullptr) {
    return {};
  }
  return batch.groups;
}

}  // namespace weir::core
