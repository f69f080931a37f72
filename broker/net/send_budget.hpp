#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir::net {

/// Memory for sends that are not answered yet, shared by all connections. Each connection holds a
/// window out of it; what a producer does not use stays small, what it uses grows while there is
/// budget. One owner, no synchronisation.
class SendBudget {
 public:
  static constexpr std::uint32_t kSmallWindow = std::uint32_t{64} << 10;
  static constexpr std::uint32_t kFirstWindow = std::uint32_t{1} << 20;
  static constexpr std::uint32_t kLargestWindow = std::uint32_t{8} << 20;

  explicit SendBudget(std::size_t total_bytes) : total_bytes_(total_bytes) {}

  /// A window for a new connection: kFirstWindow while there is budget, else kSmallWindow. The
  /// small one is always given, so the total may be exceeded by one of them a connection.
  [[nodiscard]] std::uint32_t open() {
    const std::uint32_t window = fits(kFirstWindow) ? kFirstWindow : kSmallWindow;
    used_bytes_ += window;
    return window;
  }
  /// Twice the window, up to kLargestWindow; the same one where the budget does not allow more.
  [[nodiscard]] std::uint32_t grow(std::uint32_t window) {
    const std::uint32_t larger = std::min(window * 2, kLargestWindow);
    if (larger <= window || !fits(larger - window)) {
      return window;
    }
    used_bytes_ += larger - window;
    return larger;
  }
  /// Gives a connection's window back.
  void close(std::uint32_t window) { used_bytes_ -= std::min<std::size_t>(used_bytes_, window); }

  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }

 private:
  [[nodiscard]] bool fits(std::size_t more) const { return used_bytes_ + more <= total_bytes_; }

  std::size_t total_bytes_;
  std::size_t used_bytes_ = 0;
};

}  // namespace weir::net
