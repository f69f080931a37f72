#include "broker/server/text_file.hpp"

#include <array>
#include <cstddef>
#include <fstream>

namespace weir::server {

std::optional<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 4096> part{};
  while (file.read(part.data(), part.size()) || file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
  }
  return file.is_open() && !file.bad() ? std::optional(text) : std::nullopt;
}

}  // namespace weir::server
