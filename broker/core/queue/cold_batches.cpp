#include "broker/core/queue/cold_batches.hpp"

#include "proto/assert.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>

namespace weir::core {
namespace {

/// 2^18 ms: at most 10 000 steps within the longest delay.
constexpr int kStepBits = 18;

std::int64_t step_of(proto::TimeMs due) {
  return due >> kStepBits;
}

}  // namespace

void ColdBatches::add(const TouchedBatch& batch) {
  ++batches_;
  if (!WEIR_PLANTED(forget_what_is_due)) {
    next_due_ = std::min(next_due_, batch.next_due());
  }
  for (const Run& run : batch.runs()) {
    if (run.state == RunState::kReturned) {
      due_[step_of(run.when)] += batch.live_in(run.first, run.end());
    }
  }
  if (!oldest_ || batch.last_offset() < oldest_->last_offset) {
    oldest_ = {batch.last_offset(), batch.append_time()};
    oldest_done_ = false;
  }
}

void ColdBatches::remove(const TouchedBatch& batch) {
  WEIR_ASSERT(batches_ > 0, "only what is cold becomes warm");
  --batches_;
  for (const Run& run : batch.runs()) {
    if (run.state != RunState::kReturned) {
      continue;
    }
    const auto it = due_.find(step_of(run.when));
    const std::uint64_t live = batch.live_in(run.first, run.end());
    WEIR_ASSERT(it != due_.end() && it->second >= live, "what becomes warm was counted");
    it->second -= live;
    if (it->second == 0) {
      due_.erase(it);
    }
  }
  forget_if_empty();
}

void ColdBatches::forget_if_empty() {
  if (batches_ == 0) {
    next_due_ = TouchedBatch::kNever;
    oldest_.reset();
    oldest_done_ = false;
  }
}

std::uint64_t ColdBatches::delayed(proto::TimeMs now) const {
  std::uint64_t messages = 0;
  const bool some_are_due = next_due_ <= now;
  for (const auto& [step, count] : due_) {
    messages += !some_are_due || step > step_of(now) ? count : 0;
  }
  return messages;
}

void ColdBatches::finished(proto::Offset last_offset) {
  oldest_done_ = oldest_done_ || (oldest_ && oldest_->last_offset == last_offset);
}

void ColdBatches::learn_oldest(Oldest oldest, bool done) {
  if (!empty() && oldest_done_) {
    oldest_ = oldest;
    oldest_done_ = done;
  }
}

}  // namespace weir::core
