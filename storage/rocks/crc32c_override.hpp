#pragma once

#include <cstdint>

// Debian's librocksdb.so computes CRC-32C in software (1.4 GB/s, and a byte passes it three times).
// It calls its own function through the PLT, so a symbol of the same name in the executable takes
// its place. That needs default visibility, an object that really is linked, and a symbol that the
// executable exports; each can be lost without a word, so the store counts the calls and looks.
namespace weir::storage {

/// How often the library has called the replacement in this process.
[[nodiscard]] std::uint64_t crc32c_override_calls();

/// True when the replacement gives the standard's check value, whole and in pieces. A wrong one
/// would write files that no other build could read.
[[nodiscard]] bool crc32c_override_is_exact();

}  // namespace weir::storage
