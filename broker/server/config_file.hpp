#pragma once

#include "broker/server/config.hpp"
#include "proto/result.hpp"

#include <string>
#include <string_view>

namespace weir::server {

/// Reads a TOML file's text; `name` stands in messages. INVALID_ARGUMENT: not TOML, an unknown key
/// (with the nearest one there is), or a value that is a table or a list.
proto::Result<Values> parse_config_file(std::string_view text, std::string_view name);
/// As above, from a file.
proto::Result<Values> read_config_file(const std::string& path);

/// A file that says the same, with a line of help above each setting.
std::string to_config_file(const Config& config);

}  // namespace weir::server
