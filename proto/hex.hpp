#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Lower-case hexadecimal digits.
namespace weir::proto {

/// The last `digits` digits of a number.
void append_hex(std::string& out, std::uint64_t number, unsigned digits);
/// Two digits a byte.
void append_hex(std::string& out, std::string_view bytes);

}  // namespace weir::proto
