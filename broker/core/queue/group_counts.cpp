#include "broker/core/queue/group_counts.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/planted_bugs.hpp"

namespace weir::core {

std::uint32_t GroupCounts::waiting(int priority, std::uint64_t group) const {
  const Counts& counts = counts_.at(static_cast<std::size_t>(priority));
  const auto it = counts.find(group);
  return it != counts.end() ? it->second : 0;
}

bool GroupCounts::is_too_many(int priority, std::uint64_t group, std::uint32_t more) const {
  return group != proto::kNoGroup && !WEIR_PLANTED(one_lane_for_all_groups) &&
         waiting(priority, group) + more > kQuietMessages;
}

void GroupCounts::note_sent(int priority, std::span<const std::uint64_t> groups) {
  Counts& counts = of(priority);
  for (const std::uint64_t group : groups) {
    if (group == proto::kNoGroup) {
      continue;
    }
    if (counts.size() < kMaxGroups) {
      ++counts[group];
    } else if (const auto it = counts.find(group); it != counts.end()) {
      ++it->second;
    }
  }
}

void GroupCounts::note_handed_out(int priority, std::span<const std::uint64_t> groups) {
  Counts& counts = of(priority);
  for (const std::uint64_t group : groups) {
    if (const auto it = counts.find(group); it != counts.end() && --it->second == 0) {
      counts.erase(it);
    }
  }
}

}  // namespace weir::core
