#include "proto/base64.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir::proto {

std::string to_base64(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 3))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
    }
    for (unsigned i = 0; i < 4; ++i) {
      text += i <= bytes.size() ? alphabet[(group >> (18 - 6 * i)) & 0x3fU] : '=';
    }
  }
  return text;
}

}  // namespace weir::proto
