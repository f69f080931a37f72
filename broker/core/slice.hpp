#pragma once

#include "broker/core/decision.hpp"
#include "broker/core/queue/queue.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <optional>
#include <variant>

// What is handed out next, before it is cut to what its taker has room for.
namespace weir::core {

/// Messages that may go out together: of one batch, of one number of attempts, and next to each
/// other but for what is done between them. The first is not.
struct Slice {
  proto::Offset base_offset = 0;
  proto::Offset last_offset = 0;
  std::uint32_t first = 0;
  std::uint32_t end = 0;
  std::uint16_t attempts = 0;
  std::uint16_t failures = 0;
  std::uint16_t losses = 0;
  bool is_unparked = false;
  bool was_handed_out = false;  // ever
};

/// Of messages that were given back and are due, the first that are wished for.
struct DueSlice {
  std::optional<Slice> slice;
  bool must_be_alone = false;
  bool passed_lone = false;  // one that must be alone was passed by
};

/// The messages of that run from `first` to `end`.
[[nodiscard]] Slice slice_of(const TouchedBatch& batch, const Run& run, std::uint32_t first,
                             std::uint32_t end);
/// Whether it may be what its consumers die of: then nothing is handed out beside it.
[[nodiscard]] bool must_be_alone(const Run& run);
/// Of batches, or groups, with something due so many are looked at for what may go out now.
inline constexpr int kMaxPassed = 16;

/// In a standard queue.
[[nodiscard]] DueSlice find_returned(const Queue& queue, const ShardState::DispatchWish& wish,
                                     proto::TimeMs now);
/// In a FIFO queue: of a group that is free, or that its taker has already.
[[nodiscard]] DueSlice find_waiting(const Queue& queue, const ShardState::DispatchWish& wish,
                                    proto::TimeMs now);
/// What stands at the cursor, which lies in that batch: messages that may go out, or, in a FIFO
/// queue, that are to be set aside; monostate while so many are that nothing more may be.
[[nodiscard]] std::variant<std::monostate, Slice, Passed> at_cursor(
    const Queue& queue, const ShardState::DispatchWish& wish, const CachedBatch& batch,
    proto::TimeMs now);
/// What a record says that is the first to tell of a batch; see Leased::groups.
[[nodiscard]] std::vector<std::uint64_t> groups_told(const Queue& queue, const CachedBatch& batch);

}  // namespace weir::core
