#pragma once

#include <string>
#include <string_view>

namespace weir::terminal {

/// RFC 4648, section 4: the usual alphabet, padded with =, in one line.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace weir::terminal
