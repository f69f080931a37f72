#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// The variable-length integers of RecordBatch: zigzag, seven bits a byte, lowest first, at most
// five bytes for 32 bits and ten for 64.
namespace weir::proto {

template <std::signed_integral Int>
[[nodiscard]] constexpr std::make_unsigned_t<Int> zigzag(Int value) {
  using Unsigned = std::make_unsigned_t<Int>;
  return (static_cast<Unsigned>(value) << 1U) ^ static_cast<Unsigned>(value < 0 ? -1 : 0);
}

template <std::unsigned_integral Unsigned>
[[nodiscard]] constexpr std::make_signed_t<Unsigned> unzigzag(Unsigned bits) {
  return static_cast<std::make_signed_t<Unsigned>>((bits >> 1U) ^ (Unsigned{0} - (bits & 1U)));
}

/// Bytes that write_varint takes for `value`.
template <std::signed_integral Int>
[[nodiscard]] constexpr std::size_t varint_bytes(Int value) {
  const auto width = static_cast<std::size_t>(std::bit_width(zigzag(value) | 1U));
  return (width * 9 + 64) / 64;  // (width + 6) / 7 for every width up to 64, without a division
}

/// Writes at `to` and returns the place behind. There must be room for ten bytes.
template <std::signed_integral Int>
inline char* write_varint(char* to, Int value) {
  auto bits = zigzag(value);
  while (bits >= 0x80U) {
    *to++ = static_cast<char>(static_cast<unsigned char>(bits | 0x80U));
    bits >>= 7U;
  }
  *to++ = static_cast<char>(static_cast<unsigned char>(bits));
  return to;
}

/// The part of read_varint() for three bytes and more: `bits` holds what the first two said.
template <std::signed_integral Int>
[[nodiscard]] const char* read_long_varint(const char* at, const char* end,
                                           std::make_unsigned_t<Int> bits, Int& value) {
  using Unsigned = std::make_unsigned_t<Int>;
  constexpr unsigned kBits = sizeof(Int) * 8;
  constexpr unsigned kLastShift = (kBits - 1) / 7 * 7;
  for (unsigned shift = 14; at != end; shift += 7) {
    const Unsigned byte = static_cast<unsigned char>(*at++);
    if (shift == kLastShift && byte >= (Unsigned{1} << (kBits - kLastShift))) {
      return nullptr;
    }
    bits |= (byte & 0x7fU) << shift;
    if (byte < 0x80U) {
      value = unzigzag(bits);
      return at;
    }
  }
  return nullptr;
}

/// Reads one integer from [at, end) and returns the place behind it; nullptr when it does not end
/// in there or does not fit Int.
template <std::signed_integral Int>
[[nodiscard]] inline const char* read_varint(const char* at, const char* end, Int& value) {
  using Unsigned = std::make_unsigned_t<Int>;
  if (at == end) {
    return nullptr;
  }
  const Unsigned first = static_cast<unsigned char>(*at++);
  if (first < 0x80U) [[likely]] {
    value = unzigzag(first);
    return at;
  }
  if (at == end) {
    return nullptr;
  }
  const Unsigned second = static_cast<unsigned char>(*at++);
  const Unsigned bits = (first & 0x7fU) | ((second & 0x7fU) << 7U);
  if (second < 0x80U) [[likely]] {
    value = unzigzag(bits);
    return at;
  }
  return read_long_varint(at, end, bits, value);
}

}  // namespace weir::proto
