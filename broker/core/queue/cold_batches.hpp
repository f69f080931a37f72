#pragma once

#include "broker/core/queue/touched_batch.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace weir::core {

/// What a queue remembers of its touched batches that lie in the store alone: sums and bounds,
/// never a batch. Its size follows the span of due times, in steps of about four minutes over at
/// most 30 days, not the number of batches.
class ColdBatches {
 public:
  void add(const TouchedBatch& batch);
  void remove(const TouchedBatch& batch);
  [[nodiscard]] bool empty() const { return batches_ == 0; }
  /// Number of batches.
  [[nodiscard]] std::uint64_t size() const { return batches_; }

  /// No returned message among them is due before this; kNever when none is returned.
  [[nodiscard]] proto::TimeMs next_due() const { return next_due_; }
  /// The index of due times was read: it goes on at `when`.
  void learn_next_due(proto::TimeMs when) { next_due_ = when; }
  /// Returned messages that are not due yet. Where some are due and wait to be read, exact to about
  /// four minutes of due time.
  [[nodiscard]] std::uint64_t delayed(proto::TimeMs now) const;

  /// A touched batch of the queue, in memory or not, that is no younger than any cold one.
  struct Oldest {
    proto::Offset last_offset = 0;
    proto::TimeMs append_time = 0;
  };
  [[nodiscard]] const std::optional<Oldest>& oldest() const { return oldest_; }
  /// The batch that oldest() names is done: what came next has to be looked up in the store.
  [[nodiscard]] bool is_oldest_done() const { return oldest_done_; }
  /// A touched batch of the queue has gone.
  void finished(proto::Offset last_offset);
  /// What was looked up; `done` when that one has gone, too, meanwhile.
  void learn_oldest(Oldest oldest, bool done);

 private:
  void forget_if_empty();

  std::uint64_t batches_ = 0;
  proto::TimeMs next_due_ = TouchedBatch::kNever;
  std::map<std::int64_t, std::uint64_t> due_;  // messages by step of due time
  std::optional<Oldest> oldest_;
  bool oldest_done_ = false;
};

}  // namespace weir::core
