#pragma once

#include "weir/message.hpp"

#include <cstdint>
#include <string>

namespace weir::bench {

/// What the messages of a load have besides their bytes, each by its number.
struct Traits {
  std::uint64_t groups = 0;     // of a FIFO queue, in turn; 0: a standard queue
  bool has_ids = false;         // by which a FIFO queue knows them
  bool has_priorities = false;  // all ten, in turn

  [[nodiscard]] bool is_fifo() const { return groups > 0; }
};

/// Puts them on.
class Names {
 public:
  explicit Names(const Traits& traits) : traits_(traits) {}
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
  }

 private:
  const Traits traits_;
  std::string group_;
  std::string id_;
};

}  // namespace weir::bench
