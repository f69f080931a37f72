#pragma once

#include "proto/result.hpp"

#include <string_view>

namespace weir::core {

/// INVALID_ARGUMENT for a pattern that is longer than any name.
[[nodiscard]] proto::Result<> check_pattern(std::string_view pattern);

/// Whether all of `name` is what `pattern` says: `*` is any text, `?` any one character, everything
/// else itself. An empty pattern matches every name. Takes time in proportion to the product of
/// both sizes at most.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

}  // namespace weir::core
