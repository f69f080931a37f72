#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

// Integers at unaligned addresses in a given byte order: big for batches and handles, little for
// frames and our own headers. The caller answers for the bytes being there.
namespace weir::proto {

/// `value` with its bytes in the opposite order.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T swap_bytes(T value) {
  if constexpr (sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else {
    static_assert(sizeof(T) == 8);
    return __builtin_bswap64(value);
  }
}

template <std::integral T, std::endian Order>
[[nodiscard]] inline T load_ordered(const char* from) {
  std::make_unsigned_t<T> value{};
  std::memcpy(&value, from, sizeof(value));
  if constexpr (Order != std::endian::native) {
    value = swap_bytes(value);
  }
  return static_cast<T>(value);
}

template <std::endian Order, std::integral T>
inline void store_ordered(char* to, T number) {
  auto value = static_cast<std::make_unsigned_t<T>>(number);
  if constexpr (Order != std::endian::native) {
    value = swap_bytes(value);
  }
  std::memcpy(to, &value, sizeof(value));
}

/// Reads sizeof(T) bytes at `from`.
template <std::integral T>
[[nodiscard]] inline T load_be(const char* from) {
  return load_ordered<T, std::endian::big>(from);
}
template <std::integral T>
[[nodiscard]] inline T load_le(const char* from) {
  return load_ordered<T, std::endian::little>(from);
}

/// Writes sizeof(T) bytes at `to`. Name T where the width matters: store_be<std::uint32_t>(...).
template <std::integral T>
inline void store_be(char* to, std::type_identity_t<T> value) {
  store_ordered<std::endian::big, T>(to, value);
}
template <std::integral T>
inline void store_le(char* to, std::type_identity_t<T> value) {
  store_ordered<std::endian::little, T>(to, value);
}

}  // namespace weir::proto
