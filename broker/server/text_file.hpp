#pragma once

#include <optional>
#include <string>

namespace weir::server {

/// What a small file of people's or of the kernel's holds; nullopt where it cannot be read.
[[nodiscard]] std::optional<std::string> read_text_file(const std::string& path);

}  // namespace weir::server
