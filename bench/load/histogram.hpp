#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir::bench {

/// Durations in buckets that are at most 1/64 (1.6 %) wide, from 1 ns up. Fixed memory, so that a
/// run of any length costs the same. Written by one thread; merged and read afterwards.
class Histogram {
 public:
  void record(std::chrono::nanoseconds took) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0));
    ++buckets_[bucket_of(value)];
    ++count_;
    max_ = std::max(max_, value);
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      buckets_[i] += other.buckets_[i];
    }
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }

  /// In microseconds; `share` between 0 and 1. 0 when nothing was recorded.
  [[nodiscard]] double percentile_us(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) {
        return static_cast<double>(std::min(middle_of(i), max_)) / 1e3;
      }
    }
    return static_cast<double>(max_) / 1e3;
  }
  [[nodiscard]] double max_us() const { return static_cast<double>(max_) / 1e3; }

 private:
  static constexpr unsigned kStepBits = 6;
  static constexpr std::uint64_t kSteps = std::uint64_t{1} << kStepBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSteps) {
      return value;
    }
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kStepBits - 1;
    return (shift + 1) * kSteps + ((value >> shift) - kSteps);
  }
  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < kSteps) {
      return bucket;
    }
    const std::size_t shift = bucket / kSteps - 1;
    const std::uint64_t low = (bucket % kSteps + kSteps) << shift;
    return low + ((std::uint64_t{1} << shift) >> 1);
  }

  std::array<std::uint64_t, (64 - kStepBits + 1) * kSteps> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

/// Of an odd or even number of runs; 0 of none.
template <class Range>
double median(Range values) {
  if (values.empty()) {
    return 0;
  }
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace weir::bench
