#pragma once

#include "client/core/time.hpp"
#include "client/core/waiters.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {

/// A batch that was not given a sequence yet.
struct WaitingBatch {
  proto::BatchBuilder builder;
  WaiterList waiters;
  /// What its messages count against the buffer's bound.
  std::size_t bytes = 0;
};

/// The records of `batch` whose waiters still wait, in a new builder; `waiters` loses its gaps. The
/// batch must be one that a BatchBuilder made.
proto::BatchBuilder rebuild_alive(std::string_view batch, WaiterList& waiters);

/// Messages on their way to one partition that have not left: they gather in the last batch until it
/// is full or taken.
class Batcher {
 public:
  struct Limits {
    std::size_t max_bytes = proto::kMaxBatchBytes;
    std::uint32_t max_records = proto::kMaxBatchRecords;
  };

  /// Applies to batches from the next message on.
  void set_limits(Limits limits) { limits_ = limits; }

  /// Copies the record; gives back what it counts against the buffer.
  std::size_t add(const proto::RecordInput& record, SendCallback callback, TimePoint deadline);

  [[nodiscard]] bool empty() const { return batches_.empty(); }
  /// At most what the batch of the next take() has in bytes, uncompressed; 0 when there is none.
  [[nodiscard]] std::size_t waiting_bytes() const;

  /// The oldest batch that somebody waits for. Messages whose time ran out by `now` are not in it any
  /// more, nor are they elsewhere: their callbacks go behind `expired`. nullopt when nothing is left.
  /// The bytes of batches that nobody waits for any more are added to `freed_bytes`.
  std::optional<WaitingBatch> take(TimePoint now, std::vector<SendCallback>& expired,
                                   std::size_t& freed_bytes);

  /// Moves the callbacks of messages whose time ran out behind `expired`: these messages will not
  /// leave.
  void take_expired(TimePoint now, std::vector<SendCallback>& expired, std::size_t& freed_bytes);
  /// Drops everything.
  void take_all(std::vector<SendCallback>& all, std::size_t& freed_bytes);
  [[nodiscard]] std::optional<TimePoint> earliest_deadline() const;

 private:
  [[nodiscard]] bool fits(const WaitingBatch& batch, std::size_t record_bytes) const;

  Limits limits_;
  std::deque<WaitingBatch> batches_;
  std::size_t last_count_ = 0;  // of the last batch taken: the next will be about as large
};

}  // namespace weir::sdk
