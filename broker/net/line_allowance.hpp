#pragma once

#include "broker/net/liveness.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace weir::net {

/// How many lines about what peers do wrong may go to the log: a few at once, then a few a second.
/// Peers that connect and misbehave as fast as they can fill no disk with it. One owner.
class LineAllowance {
 public:
  static constexpr std::int64_t kAtOnce = 50;
  static constexpr std::int64_t kPerSecond = 5;

  explicit LineAllowance(MonoMs now) : since_(now) {}

  /// For one line: nullopt when it is to be left out, else how many were since the last that was
  /// not.
  [[nodiscard]] std::optional<std::uint64_t> take(MonoMs now) {
    const std::int64_t earned = std::max<MonoMs>(now - since_, 0) * kPerSecond / 1000;
    if (earned > 0) {
      lines_ = std::min(lines_ + earned, kAtOnce);
      since_ = now;
    }
    if (lines_ == 0) {
      ++left_out_;
      return std::nullopt;
    }
    --lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  std::int64_t lines_ = kAtOnce;
  MonoMs since_;
  std::uint64_t left_out_ = 0;
};

}  // namespace weir::net
