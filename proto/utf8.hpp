#pragma once

#include <cstddef>
#include <string_view>

namespace weir::proto {

/// The bytes of the UTF-8 character (RFC 3629) that `text` begins with; 0 where there is none.
std::size_t utf8_character_bytes(std::string_view text);

/// True when `text` is UTF-8 from its first byte to its last.
bool is_utf8(std::string_view text);

}  // namespace weir::proto
