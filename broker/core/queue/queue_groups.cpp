#include "broker/core/queue/queue.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

// What the changes of a FIFO queue do to the order within its groups.
namespace weir::core {
namespace {

/// So many messages may wait for groups that get on: what comes behind them is looked at later,
/// when it can be handed out in larger pieces.
constexpr std::uint64_t kMaxSetAside = 16'384;
/// What is remembered of groups is in memory: 16 bytes a place, about 100 a group.
constexpr std::size_t kMaxPlaces = std::size_t{1} << 20;
constexpr std::size_t kMaxGroups = proto::kMaxInFlightPerQueue;

}  // namespace

bool Queue::is_crowded() const {
  return groups_.soon() >= kMaxSetAside || groups_.places() >= kMaxPlaces ||
         groups_.size() >= kMaxGroups;
}

/// Before these messages of a batch in memory change.
void Queue::leave_groups(const TouchedBatch& batch, std::uint32_t first, std::uint32_t count) {
  if (!is_fifo_) {
    return;
  }
  const std::uint32_t end = first + count;
  for (const Run& run : batch.runs_meeting(first, end)) {
    batch.for_each_live(std::max(run.first, first), std::min(run.end(), end), [&](std::uint32_t i) {
      const std::uint64_t group = batch.group_of(i);
      if (run.state == RunState::kReturned) {
        groups_.stop_waiting(group, batch.last_offset(), i, touched_);
      } else if (run.state != RunState::kParked) {
        groups_.let_go(group, touched_);
      }
    });
  }
}

/// After they have changed, then.
void Queue::join_groups(const TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                        proto::TimeMs now) {
  if (!is_fifo_) {
    return;
  }
  const std::uint32_t end = first + count;
  for (const Run& run : batch.runs_meeting(first, end)) {
    batch.for_each_live(std::max(run.first, first), std::min(run.end(), end), [&](std::uint32_t i) {
      const std::uint64_t group = batch.group_of(i);
      if (run.state == RunState::kReturned) {
        groups_.wait(group, batch.last_offset(), i, {run.when, now}, touched_);
      } else if (run.state != RunState::kParked) {
        groups_.hold(group, batch.last_offset(), run.grant, now);
      }
    });
  }
}

void Queue::apply(const Deduplicated& record) {
  std::vector<proto::TimeMs>& parts = counters_.deduplication_parts;
  std::erase_if(parts, [&](proto::TimeMs part) { return part < record.first_part; });
  if (parts.empty() || parts.back() < record.part) {
    parts.push_back(record.part);
  }
}

/// Of the groups of what goes back, what is leased behind it goes back, too: nobody may have it
/// before what comes first.
void Queue::give_back_followers(const Returned& record, Effects& effects) {
  const MessageRange& range = record.range;
  const TouchedBatch* batch = touched(range.base_offset);
  if (batch == nullptr || WEIR_PLANTED(keep_followers)) {
    return;
  }
  std::map<std::uint64_t, proto::Offset> behind;  // the first of each group that went back
  proto::Offset last = -1;
  std::uint32_t left = 0;  // that may be found
  batch->for_each_live(range.first, range.first + range.count, [&](std::uint32_t i) {
    const std::uint64_t group = batch->group_of(i);
    if (const proto::Offset held = groups_.last_held(group);
        held >= 0 && behind.emplace(group, range.base_offset + i).second) {
      last = std::max(last, held);
      left += groups_.held(group);
    }
  });
  const auto is_follower = [&](const TouchedBatch& of, std::uint32_t i) {
    const auto it = behind.find(of.group_of(i));
    return it != behind.end() && it->second < of.base_offset() + static_cast<proto::Offset>(i);
  };
  std::vector<MessageRange> followers;
  for (auto it = touched_.find(range.last_offset);
       left > 0 && it != touched_.end() && it->first <= last; ++it) {
    const TouchedBatch& of = it->second;
    const std::uint32_t first = it->first == range.last_offset ? range.first : 0;
    for (const Run& run : of.runs_meeting(first, of.size())) {
      if (run.state != RunState::kLeased || left == 0) {
        continue;
      }
      for (std::uint32_t i = of.next_live(std::max(run.first, first), run.end());
           left > 0 && i < run.end(); i = of.next_live(i + 1, run.end())) {
        if (!is_follower(of, i)) {
          continue;
        }
        --left;
        if (!followers.empty() && followers.back().last_offset == it->first &&
            followers.back().first + followers.back().count == i) {
          ++followers.back().count;
        } else {
          followers.push_back({id(), of.base_offset(), it->first, i, 1});
        }
      }
    }
  }
  Returned released;
  released.due = record.time;
  released.time = record.time;
  released.cause =
      record.cause == ReturnCause::kUnsaid ? ReturnCause::kUnsaid : ReturnCause::kReleased;
  for (const MessageRange& follower : followers) {
    const auto it = find(follower);
    unindex(it->second);
    give_back(it->second, follower.first, follower.count, released, effects);
    settle(it);
  }
}

}  // namespace weir::core
