#include "broker/core/queue/group_counts.hpp"

#include "proto/batch/record_batch.hpp"

namespace weir::core {

std::uint32_t GroupCounts::waiting(int priority, std::uint64_t group) const {
  const Counts& counts = counts_.at(static_cast<std::size_t>(priority));
  const auto it = counts.find(group);
  return it != counts.end() ? it->second : 0;
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
