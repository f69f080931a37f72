#pragma once

#include "broker/core/queue/queue.hpp"
#include "proto/ids.hpp"
#include "proto/lanes.hpp"
#include "tests/sim/story.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

// What an oracle knows by offset: of a partition, or of a queue with all its lanes.
namespace weir::sim {

/// Whether the offset is one of a message that is put off.
[[nodiscard]] inline bool is_put_off(proto::Offset offset) {
  return proto::lane_tag(offset) == 0 && offset >= core::Queue::DelayLane::kFirstOffset;
}

/// Messages by offset.
class KnownOffsets {
 public:
  /// 0: not known.
  [[nodiscard]] MessageNumber at(proto::Offset offset) const {
    const auto lane = lanes_.find(proto::lane_tag(offset));
    const std::size_t index = index_of(offset);
    return lane != lanes_.end() && index < lane->second.size() ? lane->second[index] : 0;
  }
  void set(proto::Offset offset, MessageNumber number) {
    std::vector<MessageNumber>& lane = lanes_[proto::lane_tag(offset)];
    const std::size_t index = index_of(offset);
    if (lane.size() <= index) {
      lane.resize(index + 1);
    }
    lane[index] = number;
  }
  /// Behind the last one that is known in that lane.
  [[nodiscard]] proto::Offset end(proto::LaneTag tag = 0) const {
    const auto lane = lanes_.find(tag);
    return proto::first_offset(tag) +
           static_cast<proto::Offset>(lane != lanes_.end() ? lane->second.size() : 0);
  }
  /// As many messages as must have come, in all lanes.
  [[nodiscard]] proto::Offset count() const {
    proto::Offset messages = 0;
    for (const auto& [tag, lane] : lanes_) {
      messages += static_cast<proto::Offset>(lane.size());
    }
    return messages;
  }

 private:
  /// Far outside where the offset is negative.
  static std::size_t index_of(proto::Offset offset) {
    return static_cast<std::size_t>(offset - proto::first_offset(proto::lane_tag(offset)));
  }
  std::map<proto::LaneTag, std::vector<MessageNumber>> lanes_;
};

/// A bound in each lane: nothing is in front of it unless it was set.
class LaneBounds {
 public:
  [[nodiscard]] proto::Offset of(proto::LaneTag tag) const {
    const auto bound = bounds_.find(tag);
    return bound != bounds_.end() ? bound->second : proto::first_offset(tag);
  }
  void set(proto::LaneTag tag, proto::Offset bound) { bounds_[tag] = bound; }
  [[nodiscard]] bool is_behind(proto::Offset offset) const {
    return offset < of(proto::lane_tag(offset));
  }

 private:
  std::map<proto::LaneTag, proto::Offset> bounds_;
};

}  // namespace weir::sim
