#pragma once

#include "proto/ids.hpp"

#include <map>
#include <set>
#include <utility>

namespace weir::core {

/// The queues of a shard in the order of a value that each of them has now. Those whose value is
/// `kNone` are left out. Plain data, one owner.
template <typename Value, Value kNone>
class QueueRanking {
 public:
  using Entry = std::pair<Value, proto::QueueId>;

  /// Returns the value that the queue had before; `kNone` for a new one.
  Value set(proto::QueueId queue, Value value) {
    Value& known = values_.try_emplace(queue, kNone).first->second;
    const Value before = std::exchange(known, value);
    if (before != value) {
      ranked_.erase({before, queue});
      if (value != kNone) {
        ranked_.emplace(value, queue);
      }
    }
    return before;
  }

  /// The queue is gone. Returns the value that it had.
  Value remove(proto::QueueId queue) {
    const Value before = set(queue, kNone);
    values_.erase(queue);
    return before;
  }

  /// Smallest first.
  [[nodiscard]] const std::set<Entry>& ranked() const { return ranked_; }

 private:
  std::set<Entry> ranked_;
  std::map<proto::QueueId, Value> values_;
};

}  // namespace weir::core
