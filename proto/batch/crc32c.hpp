#pragma once

#include <cstdint>
#include <string_view>

namespace weir::proto {

/// CRC-32C (Castagnoli) of `bytes`, going on from `crc`: 0 to begin with, or the result for what
/// precedes, so that crc32c(crc32c(0, a), b) == crc32c(0, ab). crc32c(0, "123456789") is
/// 0xe3069283. Any thread, also before main(): the tables are constants of the program.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

/// What crc32c() runs on this machine: "sse4.2" (crc32 and carry-less multiplication instructions)
/// or "software".
[[nodiscard]] std::string_view crc32c_implementation();

/// The portable form, the same result everywhere; what the instructions are checked against.
[[nodiscard]] std::uint32_t crc32c_software(std::uint32_t crc, std::string_view bytes);

}  // namespace weir::proto
