#pragma once

#include "client/core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace weir::sdk {

/// Sends of one connection that are unanswered: numbers them 1, 2, 3 … and keeps their bytes within
/// the broker's credit.
class SendLedger {
 public:
  /// Which batch of which producer a send number stands for.
  struct Origin {
    std::uint64_t producer = 0;
    std::uint32_t partition = 0;
    std::uint64_t ordinal = 0;
    std::uint32_t messages = 0;
    TimePoint left_at{};
  };

  /// A new connection: nothing is unanswered.
  void restart(std::uint32_t window_bytes) {
    window_bytes_ = window_bytes;
    open_.clear();
    first_ = 1;
    used_bytes_ = 0;
  }
  void set_window(std::uint32_t window_bytes) { window_bytes_ = window_bytes; }
  [[nodiscard]] std::uint32_t window_bytes() const { return window_bytes_; }

  /// One body may exceed the window while nothing else is unanswered.
  [[nodiscard]] bool has_room(std::size_t body_bytes) const {
    return used_bytes_ == 0 || used_bytes_ + body_bytes <= window_bytes_;
  }
  /// The send's number.
  std::uint64_t add(const Origin& origin, std::size_t body_bytes) {
    open_.emplace_back(origin, body_bytes);
    used_bytes_ += body_bytes;
    return first_ + open_.size() - 1;
  }
  /// Whose send was answered; nullopt for a number that is not open.
  std::optional<Origin> take(std::uint64_t number) {
    if (number < first_ || number - first_ >= open_.size()) {
      return std::nullopt;
    }
    Entry& entry = open_[number - first_];
    if (entry.is_answered) {
      return std::nullopt;
    }
    entry.is_answered = true;
    used_bytes_ -= entry.bytes;
    const Origin origin = entry.origin;
    while (!open_.empty() && open_.front().is_answered) {
      open_.pop_front();
      ++first_;
    }
    return origin;
  }
  [[nodiscard]] bool empty() const { return open_.empty(); }

 private:
  struct Entry {
    Entry(const Origin& entry_origin, std::size_t entry_bytes)
        : origin(entry_origin), bytes(entry_bytes) {}
    Origin origin;
    std::size_t bytes;
    bool is_answered = false;
  };

  std::uint32_t window_bytes_ = 0;
  std::deque<Entry> open_;  // from number first_ on
  std::uint64_t first_ = 1;
  std::size_t used_bytes_ = 0;
};

}  // namespace weir::sdk
