#include "broker/core/queue/queue.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
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

/// Calls `visit` with each live message of those, and its run.
template <class Visit>
void for_each_live(const TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                   Visit visit) {
  const std::uint32_t end = first + count;
  for (const Run& run : batch.runs_meeting(first, end)) {
    batch.for_each_live(std::max(run.first, first), std::min(run.end(), end),
                        [&](std::uint32_t i) { visit(run, i); });
  }
}

/// What is leased behind messages that went back, and of their groups.
class FollowerSearch {
 public:
  FollowerSearch(const Queue& queue, const MessageRange& range) : queue_(queue), range_(range) {
    const TouchedBatch& batch = *queue.touched(range.base_offset);
    const MessageGroups& groups = queue.groups();
    batch.for_each_live(range.first, range.first + range.count, [&](std::uint32_t i) {
      const std::uint64_t group = batch.group_of(i);
      if (const proto::Offset held = groups.last_held(group);
          held >= 0 && behind_.emplace(group, range.base_offset + i).second) {
        last_ = std::max(last_, held);
        left_ += groups.held(group);
      }
    });
  }

  [[nodiscard]] std::vector<MessageRange> find() {
    const auto& batches = queue_.touched_batches();
    for (auto it = batches.find(range_.last_offset);
         left_ > 0 && it != batches.end() && it->first <= last_; ++it) {
      look_at(it->second, it->first == range_.last_offset ? range_.first : 0);
    }
    return std::move(found_);
  }

 private:
  void look_at(const TouchedBatch& batch, std::uint32_t first) {
    for (const Run& run : batch.runs_meeting(first, batch.size())) {
      const std::uint32_t begin = std::max(run.first, first);
      for (std::uint32_t i = batch.next_live(begin, run.end());
           run.state == RunState::kLeased && left_ > 0 && i < run.end();
           i = batch.next_live(i + 1, run.end())) {
        add_if_it_follows(batch, i);
      }
    }
  }
  void add_if_it_follows(const TouchedBatch& batch, std::uint32_t index) {
    const auto first = behind_.find(batch.group_of(index));
    if (first == behind_.end() ||
        first->second >= batch.base_offset() + static_cast<proto::Offset>(index)) {
      return;
    }
    --left_;
    if (!found_.empty() && found_.back().last_offset == batch.last_offset() &&
        found_.back().first + found_.back().count == index) {
      ++found_.back().count;
    } else {
      found_.push_back({queue_.id(), batch.base_offset(), batch.last_offset(), index, 1});
    }
  }

  const Queue& queue_;
  const MessageRange& range_;
  std::map<std::uint64_t, proto::Offset> behind_;  // the first of each group that went back
  proto::Offset last_ = -1;
  std::uint32_t left_ = 0;  // that may be found
  std::vector<MessageRange> found_;
};

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
  for_each_live(batch, first, count, [&](const Run& run, std::uint32_t i) {
    const std::uint64_t group = batch.group_of(i);
    if (run.state == RunState::kReturned) {
      groups_.stop_waiting(group, batch.last_offset(), i, touched_);
    } else if (run.state != RunState::kParked) {
      groups_.let_go(group, touched_);
    }
  });
}

/// After they have changed, then.
void Queue::join_groups(const TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                        proto::TimeMs now) {
  if (!is_fifo_) {
    return;
  }
  for_each_live(batch, first, count, [&](const Run& run, std::uint32_t i) {
    const std::uint64_t group = batch.group_of(i);
    if (run.state == RunState::kReturned) {
      groups_.wait(group, batch.last_offset(), i, {run.when, now}, touched_);
    } else if (run.state != RunState::kParked) {
      groups_.hold(group, batch.last_offset(), run.grant, now);
    }
  });
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
  if (touched(record.range.base_offset) == nullptr || WEIR_PLANTED(keep_followers)) {
    return;
  }
  Returned released;
  released.due = record.time;
  released.time = record.time;
  released.cause =
      record.cause == ReturnCause::kUnsaid ? ReturnCause::kUnsaid : ReturnCause::kReleased;
  for (const MessageRange& follower : FollowerSearch(*this, record.range).find()) {
    const auto it = find(follower);
    unindex(it->second);
    give_back(it->second, follower.first, follower.count, released, effects);
    settle(it);
  }
}

}  // namespace weir::core
