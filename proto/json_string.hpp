#pragma once

#include <string>
#include <string_view>

namespace weir::proto {

/// `text` as a JSON string with its quotes (RFC 8259), without control characters in it. What is no
/// UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);

}  // namespace weir::proto
