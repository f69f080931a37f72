#include "proto/hex.hpp"

namespace weir::proto {

void append_hex(std::string& out, std::uint64_t number, unsigned digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (unsigned i = digits; i > 0; --i) {
    out.push_back(kDigits[(number >> (4 * (i - 1))) & 0xfU]);
  }
}

void append_hex(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) {
    append_hex(out, static_cast<unsigned char>(byte), 2);
  }
}

}  // namespace weir::proto
