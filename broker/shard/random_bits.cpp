#include "broker/shard/random_bits.hpp"

#include "proto/assert.hpp"

#include <cstring>
#include <span>
#include <sys/random.h>
#include <sys/types.h>

namespace weir::shard {

std::uint64_t RandomBits::next() {
  if (used_ == block_.size()) {
    // At most 256 bytes: the kernel gives them all, uninterrupted.
    const ssize_t got = ::getrandom(block_.data(), sizeof(block_), 0);
    WEIR_ASSERT(got == static_cast<ssize_t>(sizeof(block_)), "the kernel gives random bytes");
    used_ = 0;
  }
  return block_[used_++];
}

core::Uuid RandomBits::uuid() {
  const std::array<std::uint64_t, 2> bits = {next(), next()};
  core::Uuid uuid{};
  std::memcpy(uuid.data(), bits.data(), uuid.size());
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0fU) | 0x40U);
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3fU) | 0x80U);
  return uuid;
}

}  // namespace weir::shard
