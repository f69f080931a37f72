#pragma once

#include <cstddef>
#include <string_view>

namespace weir::terminal {

/// Letters to insert, remove or change to make one word of the other (Levenshtein).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace weir::terminal
