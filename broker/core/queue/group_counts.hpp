#pragma once

#include "proto/lanes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

namespace weir::core {

/// Of a standard queue: how many messages of each group wait that were never handed out, by
/// priority. So it is known which groups are too many for the others, and get lanes of their own.
/// Soft: begins with nothing after a restart, and what goes without being handed out is forgotten
/// when nothing waits any more. Memory: about 50 bytes a group, of kMaxGroups at the most.
class GroupCounts {
 public:
  /// A group of which more wait than that is one too many for the others.
  static constexpr std::uint32_t kQuietMessages = 64;
  /// Of those that come when so many are known nothing is counted.
  static constexpr std::size_t kMaxGroups = std::size_t{1} << 16;

  /// Whether it is one too many for the others when so many more of it come. Not where it is none.
  [[nodiscard]] bool is_too_many(int priority, std::uint64_t group, std::uint32_t more) const;
  /// How many wait.
  [[nodiscard]] std::uint32_t waiting(int priority, std::uint64_t group) const;
  void note_sent(int priority, std::span<const std::uint64_t> groups);
  void note_handed_out(int priority, std::span<const std::uint64_t> groups);
  /// Nothing waits in that priority.
  void clear(int priority) { of(priority).clear(); }

 private:
  using Counts = std::unordered_map<std::uint64_t, std::uint32_t>;
  Counts& of(int priority) { return counts_.at(static_cast<std::size_t>(priority)); }

  std::array<Counts, proto::kPriorities> counts_;
};

}  // namespace weir::core
