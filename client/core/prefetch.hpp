#pragma once

#include "client/core/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace weir::sdk {

/// How many messages should wait for the workers of a pool: as many as they handle in 100 ms, which
/// is long enough for the broker's next ones to arrive behind a slow disk, and short enough that
/// idle consumers elsewhere are not kept waiting for them.
class Prefetch {
 public:
  static constexpr Duration kHorizon = std::chrono::milliseconds(100);
  static constexpr std::uint32_t kMax = 1'000;

  explicit Prefetch(std::uint32_t workers) : workers_(workers), messages_(workers) {}

  [[nodiscard]] std::uint32_t messages() const { return messages_; }

  /// A message took a worker so long. The new number, when it differs enough to be worth telling.
  std::optional<std::uint32_t> on_handled(Duration spent) {
    sum_ += spent;
    ++count_;
    if (sum_ < kHorizon && count_ < kSample) {
      return std::nullopt;
    }
    // Over at least that long, or that many: one slow message among many changes little.
    const Duration mean = std::max<Duration>(sum_ / count_, Duration{1});
    sum_ = Duration{0};
    count_ = 0;
    const auto in_horizon =
        std::min<std::int64_t>(std::int64_t{workers_} * (kHorizon / mean), kMax);
    const std::uint32_t wanted = std::max(static_cast<std::uint32_t>(in_horizon), workers_);
    const std::uint32_t difference = wanted > messages_ ? wanted - messages_ : messages_ - wanted;
    if (difference <= messages_ / 4) {
      return std::nullopt;
    }
    messages_ = wanted;
    return messages_;
  }

 private:
  static constexpr std::uint32_t kSample = 64;

  std::uint32_t workers_;
  std::uint32_t messages_;
  Duration sum_{0};
  std::uint32_t count_ = 0;
};

}  // namespace weir::sdk
