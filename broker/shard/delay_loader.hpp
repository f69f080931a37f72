#pragma once

#include "broker/core/delayed_batch.hpp"
#include "broker/core/reply.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Reads of a delay lane, each a bounded piece. CORRUPT_BATCH when what is read is damaged,
// STORAGE_FAILED when the disk fails. All run off the shard.
namespace weir::shard {

/// The lane of one life of a queue.
struct LaneName {
  proto::QueueId queue;
  std::uint32_t generation = 0;
  /// Nothing of it is due before: what was is deleted, and a read need not pass by its traces.
  proto::TimeMs first_due = 0;
};

struct DueRows {
  std::vector<core::DelayedBatch> rows;                 // in the order of their due times
  proto::TimeMs next_due = core::TouchedBatch::kNever;  // of the first that is not among them
};
/// What is due until then, as much as one turn moves; what stands in front of a damaged row is
/// no error yet.
proto::Result<DueRows> load_due(const storage::Reader& reader, const LaneName& lane,
                                proto::TimeMs until);

struct DelayedRows {
  std::vector<core::DelayedBatch> rows;
  proto::Offset end = INT64_MAX;  // of those from here on nothing is known yet
};
/// The rows that hold messages with those offsets, which ascend; each row once. Of the first of
/// them, as much as one turn changes.
proto::Result<DelayedRows> load_delayed(const storage::Reader& reader, const LaneName& lane,
                                        std::span<const proto::Offset> offsets);

/// The row that holds the message, if it is still put off.
proto::Result<std::optional<core::DelayedBatch>> find_delayed(const storage::Reader& reader,
                                                              const LaneName& lane,
                                                              proto::Offset offset);

/// A message of a lane, by the order in which they are due.
struct DelayedPlace {
  proto::TimeMs due = 0;
  proto::Offset offset = 0;
};
/// As pages name it, and back: empty stands in front of the first. INVALID_ARGUMENT for what is
/// none.
std::string to_token(const DelayedPlace& place);
proto::Result<DelayedPlace> parse_token(std::string_view token);

/// Which messages of a lane are to be shown.
struct DelayedWish {
  LaneName lane;
  std::uint32_t incarnation = 0;  // of the ids
  DelayedPlace after = {};
  std::uint32_t max_messages = 0;
};
/// Up to 1 MiB of them, but at least one. What stands in front of a damaged row is no error yet.
proto::Result<core::DelayedList> list_delayed(const storage::Reader& reader,
                                              const DelayedWish& wish);

}  // namespace weir::shard
