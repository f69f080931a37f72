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
  /// See Batcher::set_round().
  std::uint64_t round = 0;
  /// Its messages name a delay.
  bool is_delayed = false;
};

/// Room in a producer's buffer that is free again.
struct Released {
  std::uint64_t round = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

/// The records of `batch` whose waiters still wait, in a new builder; `waiters` loses its gaps. The
/// batch must be one that a BatchBuilder made.
proto::BatchBuilder rebuild_alive(std::string_view batch, WaiterList& waiters);
/// The records from index `first` to before `end`, of a batch as above.
proto::BatchBuilder rebuild_range(std::string_view batch, std::size_t first, std::size_t end);

/// Messages on their way to one partition that have not left: they gather in the last batch until
/// it is full or taken.
class Batcher {
 public:
  struct Limits {
    std::size_t max_bytes = proto::kMaxBatchBytes;
    std::uint32_t max_records = proto::kMaxBatchRecords;
  };

  Batcher() = default;
  // NOLINTNEXTLINE(performance-noexcept-move-constructor): that of a deque may throw
  Batcher(Batcher&&) = default;
  Batcher& operator=(Batcher&&) = default;
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;
  ~Batcher() = default;

  /// Messages that will not leave: who is to be told, and what room that gives back. Adds up.
  struct Dropped {
    std::vector<SendCallback> callbacks;
    std::vector<Released> released;
  };

  /// Applies to batches from the next message on.
  void set_limits(Limits limits) { limits_ = limits; }

  /// Messages of different rounds go to different batches, so that it can be told when all of a
  /// round are answered.
  void set_round(std::uint64_t round) { round_ = round; }

  /// Copies the record; gives back what it counts against the buffer. Records with and without a
  /// delay of their own go to different batches: the broker puts a batch off as a whole.
  std::size_t add(const proto::RecordInput& record, SendCallback callback, TimePoint deadline);

  [[nodiscard]] bool empty() const { return batches_.empty(); }
  /// At most what the batch of the next take() has in bytes, uncompressed; 0 when there is none.
  [[nodiscard]] std::size_t waiting_bytes() const;

  /// The oldest batch that somebody waits for. Messages whose time ran out by `now` are not in it
  /// any more, nor are they elsewhere: their callbacks go to `expired`. nullopt when nothing is
  /// left.
  std::optional<WaitingBatch> take(TimePoint now, Dropped& expired);

  /// Moves the callbacks of messages whose time ran out to `expired`: these messages will not
  /// leave.
  void take_expired(TimePoint now, Dropped& expired);
  /// Moves the callbacks of messages that the application has stopped to `stopped`: these will not
  /// leave. Looks at every one.
  void take_stopped(Dropped& stopped);
  /// Drops everything.
  void take_all(Dropped& all);
  [[nodiscard]] std::optional<TimePoint> earliest_deadline() const;

 private:
  template <class Take>
  static void drop(WaitingBatch& batch, Dropped& dropped, Take take);
  void forget_dropped();
  [[nodiscard]] bool fits(const WaitingBatch& batch, std::size_t record_bytes,
                          bool is_delayed) const;

  Limits limits_;
  std::deque<WaitingBatch> batches_;
  std::uint64_t round_ = 0;
  std::size_t last_count_ = 0;  // of the last batch taken: the next will be about as large
};

}  // namespace weir::sdk
