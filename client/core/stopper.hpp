#pragma once

#include "weir/function.hpp"

#include <optional>
#include <stop_token>
#include <utility>

namespace weir::sdk {

/// Calls a function when somebody asks to stop, for as long as this lives. Its destructor waits
/// for a call that is under way on another thread: never destroy it under a lock that the function
/// takes.
class Stopper {
 public:
  /// Once. Calls the function at once if that was asked already.
  void arm(std::stop_token token, UniqueFunction<void()> function) {
    callback_.emplace(std::move(token), std::move(function));
  }

 private:
  std::optional<std::stop_callback<UniqueFunction<void()>>> callback_;
};

}  // namespace weir::sdk
