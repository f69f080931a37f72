#pragma once

#include "proto/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sdk {

struct HostPort {
  std::string host;  // a name or a literal address; IPv6 without its brackets
  std::uint16_t port = 0;

  /// "host:port", IPv6 in brackets.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Where a client may find its broker.
struct Address {
  std::vector<HostPort> hosts;  // at least one
  std::string name_space;       // "default" where none is given
};

/// Reads `weir://host[:port][,host[:port]…][/namespace]`. INVALID_ARGUMENT, INVALID_NAME (of the
/// namespace), UNSUPPORTED for `weirs://`.
proto::Result<Address> parse_address(std::string_view text);

}  // namespace weir::sdk
