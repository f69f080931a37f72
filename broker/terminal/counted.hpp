#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::terminal {

/// "1 message", "5 messages".
[[nodiscard]] inline std::string counted(std::uint64_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

}  // namespace weir::terminal
