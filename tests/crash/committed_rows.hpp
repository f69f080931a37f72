#pragma once

#include "tests/crash/random.hpp"

#include <cstdint>
#include <string>

namespace weir::crash {

/// Buffers that fill within a run, so that logs are closed and followed by others.
inline constexpr std::size_t kCommitLoopBufferBytes = std::size_t{2} << 20;

inline std::string row_key(std::uint64_t number) {
  return "row" + std::to_string(1'000'000'000 + number);
}

/// The value of row `number`: in runs of small ones and runs of large ones.
inline std::string row_value(std::uint64_t number) {
  Random random(number);
  const bool is_small = number / 32 % 4 != 0;
  std::string value(random.between(1, is_small ? 2'000 : 60'000), '\0');
  for (char& byte : value) {
    byte = static_cast<char>(random.next());
  }
  return value;
}

}  // namespace weir::crash
