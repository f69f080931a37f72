#pragma once

#include "client/core/time.hpp"

#include <cstdint>

namespace weir::sdk {

/// How many messages are reported as begun together. A report that covers many costs little, but
/// when the process dies in one handler all of them have used up an attempt: so only while handlers
/// are fast, and never what a consumer may have died of.
class StartPolicy {
 public:
  static constexpr std::uint32_t kMaxChunk = 64;
  static constexpr Duration kFastHandler = std::chrono::microseconds(50);

  /// For messages of which so many attempts ended without a word from their handlers.
  [[nodiscard]] std::uint32_t chunk(std::uint32_t losses) const { return losses == 0 ? chunk_ : 1; }
  /// Handlers of `count` messages, at least one, took so long together.
  void on_handled(std::uint32_t count, Duration spent) {
    if (spent / count >= kFastHandler) {
      chunk_ = 1;
    } else if (count >= chunk_ && chunk_ < kMaxChunk) {
      chunk_ *= 2;
    }
  }

 private:
  std::uint32_t chunk_ = 1;
};

}  // namespace weir::sdk
