#pragma once

#include "weir/export.hpp"

#include <string_view>

/// Of these headers; version() is that of the library.
#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

namespace weir {

/// Of the library that is linked, e.g. "0.1.0".
[[nodiscard]] WEIR_API std::string_view version();

}  // namespace weir
