#pragma once

#include "storage/kv.hpp"

#include <cstdint>
#include <string_view>

// What the digests of this folder are made of.
namespace weir::storage {

/// CRC-32C of an operation, going on from `crc`. Sizes are part of it, so that bytes cannot move
/// from a key to its value unseen.
[[nodiscard]] std::uint32_t crc_of_row(std::uint32_t crc, char kind, Family family,
                                       std::string_view first, std::string_view second);

/// Every bit reaches every bit.
[[nodiscard]] std::uint64_t avalanche(std::uint64_t number);

/// A digest over rows in their order: what tells whether a store, a backup and what was restored
/// from it hold the same. Finds accidents, not forgery.
class RowsDigest {
 public:
  void add(Family family, std::string_view key, std::string_view value) {
    digest_ = avalanche(digest_ ^ crc_of_row(0, 'P', family, key, value));
  }
  [[nodiscard]] std::uint64_t value() const { return digest_; }

 private:
  std::uint64_t digest_ = 0x9e3779b97f4a7c15U;
};

}  // namespace weir::storage
