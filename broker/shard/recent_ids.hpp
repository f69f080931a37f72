#pragma once

#include "broker/core/deduplication.hpp"
#include "proto/ids.hpp"

#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace weir::shard {

/// Deduplication ids that a read of the store may not have seen: those of units that are not
/// committed, or were not when a read began that is still under way. What is known of a send is
/// what was read for it and this. Thread-safety: none, one owner.
class RecentIds {
 public:
  void add(const core::Deduplicated& record, std::uint32_t generation, proto::CommitIndex unit) {
    for (const core::Deduplicated::Id& known : record.ids) {
      const Key key{record.queue, generation, known.id};
      ids_.insert_or_assign(key, Known{{known.offset, record.time}, unit});
      order_.emplace_back(unit, key);
    }
  }
  /// The newest one; nullptr where there is none.
  [[nodiscard]] const core::KnownMessage* find(proto::QueueId queue, std::uint32_t generation,
                                               const core::DeduplicationId& id) const {
    const auto it = ids_.find({queue, generation, id});
    return it != ids_.end() ? &it->second.message : nullptr;
  }
  /// A read begins that sees what is committed by now, at least; end_read() takes what this gives.
  /// Its result is good for as long as that has not been called.
  [[nodiscard]] proto::CommitIndex begin_read() {
    reads_.insert(committed_);
    return committed_;
  }
  void end_read(proto::CommitIndex began) {
    reads_.erase(reads_.find(began));
    forget();
  }
  void on_committed(proto::CommitIndex committed) {
    committed_ = committed;
    forget();
  }
  void clear() { *this = {}; }

 private:
  using Key = std::tuple<proto::QueueId, std::uint32_t, core::DeduplicationId>;
  struct Known {
    core::KnownMessage message;
    proto::CommitIndex unit;
  };

  void forget() {
    const proto::CommitIndex seen = reads_.empty() ? committed_ : *reads_.begin();
    while (!order_.empty() && order_.front().first <= seen) {
      const auto it = ids_.find(order_.front().second);
      if (it != ids_.end() && it->second.unit == order_.front().first) {
        ids_.erase(it);
      }
      order_.pop_front();
    }
  }

  std::map<Key, Known> ids_;
  std::deque<std::pair<proto::CommitIndex, Key>> order_;
  std::multiset<proto::CommitIndex> reads_;  // when they began
  proto::CommitIndex committed_;
};

}  // namespace weir::shard
