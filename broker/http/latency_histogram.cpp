#include "broker/http/latency_histogram.hpp"

#include <algorithm>

namespace weir::http {

void LatencyHistogram::add(std::chrono::nanoseconds took, std::uint64_t times) {
  const double seconds = std::chrono::duration<double>(took).count();
  const auto bucket =
      static_cast<std::size_t>(std::ranges::lower_bound(kBounds, seconds) - kBounds.begin());
  buckets_[bucket].fetch_add(times, std::memory_order_relaxed);
  const auto ns = std::max<std::chrono::nanoseconds::rep>(took.count(), 0);
  sum_ns_.fetch_add(static_cast<std::uint64_t>(ns) * times, std::memory_order_relaxed);
}

LatencyHistogram::Snapshot LatencyHistogram::read() const {
  Snapshot snapshot;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    snapshot.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    snapshot.count += snapshot.buckets[i];
  }
  snapshot.sum_seconds = static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9;
  return snapshot;
}

}  // namespace weir::http
