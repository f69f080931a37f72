#pragma once

#include "broker/core/record.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weir::core {

/// A batch in memory, with where its records lie. `batch` is the RecordBatch without our header.
struct CachedBatch {
  proto::Offset base_offset = 0;
  proto::Offset last_offset = 0;
  proto::TimeMs append_time = 0;
  proto::TimeMs base_timestamp = 0;
  std::uint64_t stored_bytes = 0;
  proto::SharedBytes batch;
  std::vector<proto::RecordSpan> records;  // empty for a compressed batch
  /// Until when each message is of use by its own words; empty where none says it.
  std::vector<proto::TimeMs> expiries = {};
  /// The hash of each message's group; empty where none has one.
  std::vector<std::uint64_t> groups = {};

  [[nodiscard]] std::uint64_t group_of(std::uint32_t index) const {
    return index < groups.size() ? groups[index] : proto::kNoGroup;
  }
};

inline constexpr proto::TimeMs kNeverExpires = INT64_MAX;
/// CachedBatch::expiries of a batch that came then.
[[nodiscard]] std::vector<proto::TimeMs> expiries_of(const proto::BatchColumns& columns,
                                                     proto::TimeMs append_time);

/// The end of a log, behind which the next batch goes.
struct LogEnd {
  proto::LogId log;
  proto::Offset next_offset = 0;
  proto::Offset prev_last_offset = -1;

  /// So many messages went there.
  void go_on(std::uint32_t count) {
    next_offset += count;
    prev_last_offset = next_offset - 1;
  }
};

/// Where decisions find message data: whatever the driver keeps in memory.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The batch that holds the offset, or nullptr when it is not in memory. Valid until the driver
  /// changes its cache, which it does not while a decision is made.
  [[nodiscard]] virtual const CachedBatch* find(proto::LogId log, proto::Offset offset) const = 0;
};

/// What a decision needs and does not find in memory: the batch of a queue that holds `offset`. The
/// driver loads it and asks again.
struct Need {
  proto::LogId log;
  std::uint32_t generation = 0;
  proto::Offset offset = 0;
};

/// Rows of touched batches that lie in the store alone. The driver loads them (load_rows) and asks
/// again.
struct NeedRows {
  enum class What : std::uint8_t {
    kBatch,   // the batch that holds `offset`, or the next one if it begins before `end`
    kDue,     // what is due until `until`, soonest first
    kNext,    // cold ones from the one that holds `offset` on, up to `end`, as many as fit
    kOldest,  // the first touched batch behind last offset `offset`
  };
  What what = What::kBatch;
  proto::QueueId queue;
  std::uint32_t generation = 0;
  proto::Offset offset = 0;
  proto::Offset end = 0;
  proto::TimeMs until = 0;
};

}  // namespace weir::core
