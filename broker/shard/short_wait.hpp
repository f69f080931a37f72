#pragma once

#include <algorithm>
#include <chrono>

namespace weir::shard {

/// Tells whether one kind of wait is worth being spent awake: it was short lately, and this one is
/// not yet long. Putting a thread to sleep and waking it costs 10 to 30 us of latency and more on a
/// virtual machine, where an idle processor leaves the guest. Not thread-safe.
class ShortWait {
 public:
  using Clock = std::chrono::steady_clock;

  /// Waits up to `limit` are short; with zero none is.
  explicit ShortWait(std::chrono::microseconds limit) : limit_(limit), typical_(2 * limit) {}

  void begin(Clock::time_point now) { since_ = now; }
  [[nodiscard]] bool pays(Clock::time_point now) const {
    return typical_ <= limit_ && now - since_ < limit_;
  }
  /// Weighs the wait that began last; one very long wait is forgotten after a few short ones.
  void end(Clock::time_point now) {
    const Clock::duration took = std::min<Clock::duration>(now - since_, 8 * limit_);
    typical_ += (took - typical_) / 4;
  }

 private:
  const Clock::duration limit_;
  Clock::duration typical_;
  Clock::time_point since_{};
};

}  // namespace weir::shard
