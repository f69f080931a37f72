#pragma once

#include "weir/export.hpp"

#include <string_view>

namespace weir {

/// Of the library that is linked, e.g. "0.1.0".
[[nodiscard]] WEIR_API std::string_view version();

}  // namespace weir
