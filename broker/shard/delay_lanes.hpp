#pragma once

#include "broker/core/queue/touched_batch.hpp"
#include "proto/ids.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace weir::shard {

/// Which delay lanes are being read from the store, and what of them the store does not know yet.
/// One read of a lane at a time, and only when the store knows everything that has left it: then a
/// row that was read is there, and stays until it is taken. Thread-safety: none, one owner.
class DelayLanes {
 public:
  /// The unit puts something off until `due`.
  void note_delayed(proto::QueueId queue, proto::CommitIndex unit, proto::TimeMs due) {
    const auto [it, is_new] = lanes_[queue].added.try_emplace(unit, due);
    it->second = std::min(it->second, due);
  }
  /// Something leaves the lane with the unit.
  void note_ended(proto::QueueId queue, proto::CommitIndex unit) {
    lanes_[queue].ended = std::max(lanes_[queue].ended, unit);
  }

  void on_committed(proto::CommitIndex committed) {
    committed_ = committed;
    for (auto it = lanes_.begin(); it != lanes_.end();) {
      it = forget_known(it->second) ? lanes_.erase(it) : std::next(it);
    }
  }

  [[nodiscard]] bool may_read(proto::QueueId queue) const {
    const auto it = lanes_.find(queue);
    return it == lanes_.end() || (!it->second.is_read && it->second.ended <= committed_);
  }
  void begin_read(proto::QueueId queue) {
    lanes_[queue].is_read = true;
    ++reads_;
  }
  /// Of all lanes together, those that are under way.
  [[nodiscard]] std::size_t reads() const { return reads_; }
  /// When the first of those messages is due that the read may not have seen; kNever without one.
  proto::TimeMs end_read(proto::QueueId queue) {
    const auto it = lanes_.find(queue);
    proto::TimeMs unseen = core::TouchedBatch::kNever;
    for (const auto& [unit, due] : it->second.added) {
      unseen = std::min(unseen, due);
    }
    it->second.is_read = false;
    --reads_;
    if (forget_known(it->second)) {
      lanes_.erase(it);
    }
    return unseen;
  }
  /// What is due is not in the store yet: it is read when that knows the first of what it lacks.
  void wait_for_added(proto::QueueId queue) {
    if (const auto it = lanes_.find(queue); it != lanes_.end() && !it->second.added.empty()) {
      it->second.ended = std::max(it->second.ended, it->second.added.begin()->first);
    }
  }
  void clear() {
    lanes_.clear();
    reads_ = 0;
  }

 private:
  struct Lane {
    bool is_read = false;
    proto::CommitIndex ended;                           // no read before this unit is committed
    std::map<proto::CommitIndex, proto::TimeMs> added;  // by unit: the first due time
  };
  /// True when nothing is left that has to be remembered.
  bool forget_known(Lane& lane) {
    if (!lane.is_read) {
      lane.added.erase(lane.added.begin(), lane.added.upper_bound(committed_));
    }
    return !lane.is_read && lane.added.empty() && lane.ended <= committed_;
  }

  std::map<proto::QueueId, Lane> lanes_;
  proto::CommitIndex committed_;
  std::size_t reads_ = 0;
};

}  // namespace weir::shard
