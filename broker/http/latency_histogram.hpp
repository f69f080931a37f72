#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir::http {

/// Counts durations in fixed buckets. Any thread adds, any thread reads; a reading may lag behind
/// by what is being added at that moment.
class LatencyHistogram {
 public:
  /// Upper bounds in seconds; one bucket more holds what is longer.
  static constexpr std::array<double, 19> kBounds = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,  0.1,
      0.25,   0.5,     1.0,    2.5,   5.0,    10.0,  60.0, 600.0, 3600.0};

  /// `times` of the same length.
  void add(std::chrono::nanoseconds took, std::uint64_t times = 1);

  struct Snapshot {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};  // not cumulative
    std::uint64_t count = 0;
    double sum_seconds = 0;
  };
  [[nodiscard]] Snapshot read() const;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_ns_ = 0;
};

}  // namespace weir::http
