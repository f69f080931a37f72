#pragma once

#include "broker/core/record.hpp"
#include "proto/ids.hpp"
#include "storage/log/partition_log.hpp"

#include <cstdint>

namespace weir::core {

/// One partition of a topic. `next_offset` runs ahead of the disk; readers see what lies below
/// `high_watermark`, which moves when the append is committed.
struct Partition {
  proto::TopicId topic;
  std::uint32_t index = 0;  // within the topic

  // Durable: the partition's state row.
  proto::Offset log_start = 0;
  proto::Offset next_offset = 0;
  proto::Offset prev_last_offset = -1;
  std::uint32_t leader_epoch = 0;
  std::uint64_t bytes = 0;
  storage::TimeIndexState time_index;

  // Soft.
  proto::Offset high_watermark = 0;

  /// Transactions hold it back one day; today every committed record is stable.
  [[nodiscard]] proto::Offset last_stable() const { return high_watermark; }

  void append(const BatchAppended& record) {
    next_offset = record.base_offset + record.count;
    prev_last_offset = next_offset - 1;
    bytes += record.stored.size();
  }
};

}  // namespace weir::core
