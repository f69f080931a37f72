#include "client/core/partitioner.hpp"

#include "proto/endian.hpp"

#include <cstddef>

namespace weir::sdk {

std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr unsigned kShift = 24;

  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word = proto::load_le<std::uint32_t>(bytes.data() + at);
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
  }
  if (at < bytes.size()) {
    std::uint32_t tail = 0;
    for (std::size_t i = bytes.size(); i > at; --i) {
      tail = (tail << 8U) | static_cast<std::uint8_t>(bytes[i - 1]);
    }
    hash ^= tail;
    hash *= kMultiplier;
  }
  hash ^= hash >> 13U;
  hash *= kMultiplier;
  hash ^= hash >> 15U;
  return hash;
}

std::uint32_t partition_of_key(std::string_view key, std::uint32_t partitions) {
  return (murmur2(key) & 0x7FFFFFFFU) % partitions;
}

}  // namespace weir::sdk
