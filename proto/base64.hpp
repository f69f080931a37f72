#pragma once

#include <string>
#include <string_view>

namespace weir::proto {

/// RFC 4648, section 4, and section 5: the one that is safe in addresses and names of files.
inline constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// In that alphabet, padded with = where the bytes are no whole number of threes, in one line.
std::string to_base64(std::string_view bytes, std::string_view alphabet = kBase64);

}  // namespace weir::proto
