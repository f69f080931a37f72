#pragma once

#include "proto/result.hpp"

#include <string>
#include <utility>
#include <vector>

namespace weir::core {

/// What becomes of the headers of messages on their way to another queue.
struct HeaderChanges {
  /// By name: in place of all that a message has of that name.
  std::vector<std::pair<std::string, std::string>> set = {};
  std::vector<std::string> remove = {};
  friend bool operator==(const HeaderChanges&, const HeaderChanges&) = default;

  [[nodiscard]] bool empty() const { return set.empty() && remove.empty(); }
};

/// INVALID_ARGUMENT for names that are empty or the broker's own, LIMIT_EXCEEDED.
[[nodiscard]] proto::Result<> check(const HeaderChanges& changes);

}  // namespace weir::core
