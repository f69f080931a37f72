#pragma once

#include <compare>
#include <cstdint>
#include <functional>

// Strong identifiers. Inside the broker every object is known by a number that a durable allocator
// hands out once and never again, so a new object can never inherit the past of an old one.
namespace weir::proto {

/// An integer that only compares with its own kind. `Tag` is never defined.
template <class Tag, class Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

using NamespaceId = StrongId<struct NamespaceTag, std::uint64_t>;
using QueueId = StrongId<struct QueueTag, std::uint64_t>;
using TopicId = StrongId<struct TopicTag, std::uint64_t>;
using PartitionId = StrongId<struct PartitionTag, std::uint64_t>;
/// A log is what holds batches: the lane of a queue (proto/lanes.hpp) or the partition of a topic.
/// Its number is the id of that lane or partition.
using LogId = StrongId<struct LogTag, std::uint64_t>;
using ProducerId = StrongId<struct ProducerTag, std::uint64_t>;
/// One lease over one slice of one batch; unique within a shard for ever.
using GrantId = StrongId<struct GrantTag, std::uint64_t>;
/// One connection of one client; unique within a run of the broker (soft: never persisted).
using SessionId = StrongId<struct SessionTag, std::uint64_t>;
/// Position of a commit in a shard's record stream.
using CommitIndex = StrongId<struct CommitIndexTag, std::uint64_t>;

/// Position of a message in one log: dense, never reused. -1 is "none".
using Offset = std::int64_t;

/// Broker time in milliseconds since 1970. It never goes back (see broker/shard/shard_clock.hpp).
using TimeMs = std::int64_t;

}  // namespace weir::proto

template <class Tag, class Rep>
struct std::hash<weir::proto::StrongId<Tag, Rep>> {
  std::size_t operator()(weir::proto::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
