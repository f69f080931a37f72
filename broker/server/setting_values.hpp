#pragma once

#include "proto/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

// How the values of settings are written. INVALID_ARGUMENT with what they look like. Pure.
namespace weir::server {

/// INVALID_ARGUMENT, as everything is refused that is wrong with settings.
proto::Error invalid_setting(std::string message);

proto::Result<std::uint64_t> parse_number(std::string_view text);

/// "64MiB", "1GiB", "4096": bytes with an optional suffix KiB, MiB, GiB, TiB.
proto::Result<std::uint64_t> parse_bytes(std::string_view text);
/// With the largest suffix that leaves a whole number.
std::string format_bytes(std::uint64_t bytes);

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
/// "127.0.0.1:7340" or "[::1]:7340"; port 0 lets the system choose.
proto::Result<HostPort> parse_host_port(std::string_view text);

}  // namespace weir::server
