#include "storage/row_digest.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"

#include <array>

namespace weir::storage {

std::uint32_t crc_of_row(std::uint32_t crc, char kind, Family family, std::string_view first,
                         std::string_view second) {
  std::array<char, 10> head{};
  head[0] = kind;
  head[1] = static_cast<char>(family);
  proto::store_le<std::uint32_t>(&head[2], static_cast<std::uint32_t>(first.size()));
  proto::store_le<std::uint32_t>(&head[6], static_cast<std::uint32_t>(second.size()));
  crc = proto::crc32c(crc, std::string_view(head.data(), head.size()));
  return proto::crc32c(proto::crc32c(crc, first), second);
}

// The finalizer of MurmurHash3 (Austin Appleby, public domain).
std::uint64_t avalanche(std::uint64_t number) {
  number = (number ^ (number >> 33U)) * 0xff51afd7ed558ccdU;
  number = (number ^ (number >> 33U)) * 0xc4ceb9fe1a85ec53U;
  return number ^ (number >> 33U);
}

}  // namespace weir::storage
