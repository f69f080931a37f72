#include "proto/json_string.hpp"

#include "proto/hex.hpp"
#include "proto/utf8.hpp"

#include <algorithm>
#include <cstddef>

namespace weir::proto {
namespace {

// C0, DEL and C1, of which JSON forbids the first, and terminals obey all.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  return character.size() == 1 ? first < 0x20 || first == 0x7f
                               : character.size() == 2 && first == 0xc2 &&
                                     static_cast<unsigned char>(character.back()) < 0xa0;
}

}  // namespace

std::string json_string(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string json = "\"";
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t bytes = utf8_character_bytes(text);
    if (bytes == 0) {
      json += kReplacement;
    } else if (c == '"' || c == '\\') {
      json += {'\\', c};
    } else if (is_control(text.substr(0, bytes))) {
      json += "\\u";
      // The last byte of a C1 character is its number.
      append_hex(json, static_cast<unsigned char>(text[bytes - 1]), 4);
    } else {
      json += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  json += '"';
  return json;
}

}  // namespace weir::proto
