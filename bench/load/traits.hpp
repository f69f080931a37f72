#pragma once

#include "weir/message.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

namespace weir::bench {

/// What the messages of a load have besides their bytes, each by its number.
struct Traits {
  std::uint64_t groups = 0;              // of a FIFO queue, in turn; 0: a standard queue
  bool has_ids = false;                  // by which a FIFO queue knows them
  bool has_priorities = false;           // all ten, in turn
  std::chrono::milliseconds put_off{0};  // from the first on until all are due, about together

  [[nodiscard]] bool is_fifo() const { return groups > 0; }
};

/// Puts them on.
class Names {
 public:
  explicit Names(const Traits& traits)
      : traits_(traits), due_(std::chrono::steady_clock::now() + traits.put_off) {}
  /// Valid until the next message.
  void put_on(MessageView& message, std::uint64_t number) {
    constexpr std::uint64_t kPriorities = 10;
    if (traits_.groups > 0) {
      group_ = std::to_string(number % traits_.groups);
      message.set_group(group_);
    }
    if (traits_.has_ids) {
      id_ = std::to_string(number);
      message.set_deduplication_id(id_);
    }
    if (traits_.has_priorities) {
      message.set_priority(static_cast<std::uint8_t>(number % kPriorities));
    }
    if (traits_.put_off.count() > 0) {
      // No two neighbours are due together, so that each is put off by itself.
      constexpr std::uint64_t kSpreadMs = 50;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          due_ - std::chrono::steady_clock::now());
      message.set_delay(std::max(left, std::chrono::milliseconds(0)) +
                        std::chrono::milliseconds(1 + number % kSpreadMs));
    }
  }

 private:
  const Traits traits_;
  const std::chrono::steady_clock::time_point due_;
  std::string group_;
  std::string id_;
};

}  // namespace weir::bench
