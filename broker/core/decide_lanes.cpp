#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/send_part.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/lanes.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

// Sends to a queue with lanes: each message goes to that of its priority, and, where its group is
// too many for the others, to that of its group.
namespace weir::core {
namespace {

/// The place of each message of a batch that went to several lanes, as its parts tell it. The
/// others lie behind the first message of the largest part: whoever asks again hears the same.
class Places {
 public:
  explicit Places(std::vector<SentPart> parts) : parts_(std::move(parts)) {}

  [[nodiscard]] const std::vector<SentPart>& parts() const { return parts_; }
  [[nodiscard]] const SentPart& largest() const {
    return *std::ranges::max_element(parts_, {}, &SentPart::count);
  }
  /// Which part has the messages of that priority and group.
  [[nodiscard]] std::size_t part_of(int priority, std::uint64_t group) const {
    std::size_t found = parts_.size();  // that of all others of the priority
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (proto::priority_of(proto::lane_tag(parts_[i].base_offset)) != priority) {
        continue;
      }
      if (parts_[i].group == group) {
        return i;
      }
      found = parts_[i].group == 0 ? i : found;
    }
    return found;
  }
  [[nodiscard]] std::vector<proto::SentEntry::Place> elsewhere(
      const proto::BatchColumns& columns) const {
    std::vector<proto::Offset> next;
    next.reserve(parts_.size());
    for (const SentPart& part : parts_) {
      next.push_back(part.base_offset);
    }
    const auto main = static_cast<std::size_t>(&largest() - parts_.data());
    std::vector<proto::SentEntry::Place> places;
    for (std::uint32_t i = 0; i < columns.count(); ++i) {
      const std::size_t part = part_of(columns.priority_of(i), columns.group_of(i));
      if (part < parts_.size() && part != main) {
        places.push_back({i, next[part]++});
      }
    }
    return places;
  }

 private:
  std::vector<SentPart> parts_;
};

/// A batch is divided into no more parts for the sake of single groups; those that are left go with
/// all the others.
constexpr std::size_t kMaxParts = 32;

/// Which message of a batch goes to which lane.
class Division {
 public:
  struct Lane {
    proto::LaneTag tag = 0;
    std::uint64_t group = 0;  // as in SentPart
    friend bool operator==(const Lane&, const Lane&) = default;
  };

  Division(const proto::BatchColumns& columns, const GroupCounts& waiting)
      : columns_(columns), waiting_(waiting) {
    for (std::uint32_t i = 0; i < columns.groups.size(); ++i) {
      ++in_batch_[{columns.priority_of(i), columns.groups[i]}];
    }
    lane_of_.reserve(columns.count());
    for (std::uint32_t i = 0; i < columns.count(); ++i) {
      lane_of_.push_back(find_lane(i));
    }
  }

  /// Each once, as they come.
  [[nodiscard]] const std::vector<Lane>& lanes() const { return lanes_; }
  /// That of a message, by its place in lanes().
  [[nodiscard]] std::size_t lane_of(std::uint32_t index) const { return lane_of_[index]; }

 private:
  [[nodiscard]] std::size_t place_of(const Lane& lane) const {
    return static_cast<std::size_t>(std::ranges::find(lanes_, lane) - lanes_.begin());
  }
  std::size_t find_lane(std::uint32_t index) {
    const int priority = columns_.priority_of(index);
    const std::uint64_t group = columns_.group_of(index);
    Lane lane{proto::lane_tag(priority, 0), 0};
    if (group != proto::kNoGroup &&
        waiting_.is_too_many(priority, group, in_batch_.at({priority, group}))) {
      const Lane own{proto::lane_tag(priority, proto::group_lane(group)), group};
      lane = place_of(own) < lanes_.size() || lanes_.size() < kMaxParts ? own : lane;
    }
    const std::size_t place = place_of(lane);
    if (place == lanes_.size()) {
      lanes_.push_back(lane);
    }
    return place;
  }

  const proto::BatchColumns& columns_;
  const GroupCounts& waiting_;
  std::map<std::pair<int, std::uint64_t>, std::uint32_t> in_batch_;  // by priority and group
  std::vector<Lane> lanes_;
  std::vector<std::size_t> lane_of_;
};

}  // namespace

const GroupCounts& ShardState::group_counts(proto::QueueId queue) const {
  static const GroupCounts none;
  const auto counts = group_counts_.find(queue);
  return counts != group_counts_.end() ? counts->second : none;
}

proto::LaneTag ShardState::lane_for(proto::QueueId queue, const proto::RecordView& record) const {
  if (WEIR_PLANTED(append_in_one_lane)) {
    return 0;
  }
  const int priority = proto::read_priority(header_of(record, proto::kHeaderPriority))
                           .value_or(proto::kDefaultPriority);
  const std::string_view group = header_of(record, proto::kHeaderGroup);
  const std::uint64_t hash = group.empty() ? proto::kNoGroup : proto::group_hash(group);
  const bool is_too_many = group_counts(queue).is_too_many(priority, hash, 1);
  return proto::lane_tag(priority, is_too_many ? proto::group_lane(hash) : 0);
}

LogEnd ShardState::end_of_lane(proto::QueueId queue_id, proto::LaneTag tag) const {
  const proto::QueueId id = proto::lane_id(queue_id, tag);
  const Queue* lane = queue(id);
  return lane != nullptr ? end_of(*lane)
                         : LogEnd{proto::LogId{id.value}, proto::first_offset(tag), -1};
}

ShardState::SendDecision ShardState::decide_lanes(const Queue& queue, SendBatch& command,
                                                  proto::TimeMs now) const {
  const proto::BatchColumns& columns = command.columns;
  SendDecision decision;
  decision.append_time = now;
  const Division division(columns, group_counts(queue.id()));
  const std::vector<Division::Lane>& lanes = division.lanes();
  if (lanes.size() == 1) {
    const LogEnd end = end_of_lane(queue.id(), lanes.front().tag);
    decision.base_offset = end.next_offset;
    decision.record = append_whole(command, end, identity_.epoch, now);
    return decision;
  }
  std::vector<SendPart> batches(lanes.size(), SendPart(command, now));
  for (std::uint32_t i = 0; i < columns.count(); ++i) {
    batches[division.lane_of(i)].add(i);
  }
  // Several groups may share a lane.
  std::map<proto::LaneTag, LogEnd> ends;
  std::vector<SentPart> parts;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    LogEnd& end =
        ends.try_emplace(lanes[i].tag, end_of_lane(queue.id(), lanes[i].tag)).first->second;
    parts.push_back({end.next_offset, batches[i].count(), lanes[i].group});
    decision.more.emplace_back(append_of(batches[i], end, identity_.epoch, now));
    end.go_on(parts.back().count);
  }
  const Places places(std::move(parts));
  decision.base_offset = places.largest().base_offset;
  decision.elsewhere = places.elsewhere(columns);
  take_sequence(command, decision, places.parts());
  return decision;
}

void ShardState::note_sent(proto::QueueId lane, std::span<const std::uint64_t> groups) {
  const proto::QueueId home = proto::home_of(lane);
  const int priority = proto::priority_of(proto::lane_tag(lane));
  GroupCounts& counts = group_counts_[home];
  std::uint64_t waiting = 0;
  for_each_lane(home, [&](const Queue& other) {
    if (proto::priority_of(proto::lane_tag(other.id())) == priority) {
      waiting += other.fresh();
    }
  });
  if (waiting <= groups.size()) {
    counts.clear(priority);  // nothing waited before
  }
  counts.note_sent(priority, groups);
}

void ShardState::note_handed_out(const MessageRange& range, std::span<const std::uint64_t> groups) {
  const auto counts = group_counts_.find(proto::home_of(range.queue));
  // What was there before the restart was not counted.
  if (counts != group_counts_.end() &&
      range.base_offset + range.first >= queues_.at(range.queue).known_from()) {
    counts->second.note_handed_out(proto::priority_of(proto::lane_tag(range.queue)), groups);
  }
}

bool ShardState::is_fresh(const MessageRange& range) const {
  const TouchedBatch* batch = queues_.at(range.queue).touched(range.base_offset);
  return batch == nullptr || (batch->run_at(range.first) == nullptr && !batch->acked(range.first));
}

ShardState::SendDecision ShardState::decide_duplicate(const SendBatch& command,
                                                      const SentBatch& sent) {
  SendDecision decision;
  decision.base_offset = sent.base_offset;
  decision.append_time = sent.append_time;
  decision.is_duplicate = true;
  if (!sent.parts.empty()) {
    decision.elsewhere = Places(sent.parts).elsewhere(command.columns);
  }
  return decision;
}

}  // namespace weir::core
