#pragma once

#include "client/core/time.hpp"

namespace weir::sdk {

/// When the stories of the machines begin: late enough that a time before it is not negative.
inline constexpr TimePoint kStart{std::chrono::seconds(1'000)};

}  // namespace weir::sdk
