#pragma once

#include "broker/core/command.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::shard {

/// Random bits that nobody can guess, from the kernel in blocks. One owner.
class RandomBits {
 public:
  [[nodiscard]] std::uint64_t next();
  /// A random UUID (version 4 of RFC 9562).
  [[nodiscard]] core::Uuid uuid();

 private:
  std::array<std::uint64_t, 32> block_{};
  std::size_t used_ = block_.size();
};

}  // namespace weir::shard
