#include "proto/json_string.hpp"

#include "proto/hex.hpp"

#include <algorithm>
#include <cstddef>

namespace weir::proto {
namespace {

// The length of the UTF-8 character that `text` begins with; 0 where there is none.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xc2 || first > 0xf4) {
    return 0;
  }
  const std::size_t bytes = first < 0xe0 ? 2 : (first < 0xf0 ? 3 : 4);
  if (text.size() < bytes) {
    return 0;
  }
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  const bool is_overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool is_no_character =
      (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return is_overlong || is_no_character ? 0 : bytes;
}

}  // namespace

std::string json_string(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string json = "\"";
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) {
      json += kReplacement;
    } else if (c == '"' || c == '\\') {
      json += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20U) {
      json += "\\u";
      append_hex(json, static_cast<unsigned char>(c), 4);
    } else {
      json += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  json += '"';
  return json;
}

}  // namespace weir::proto
