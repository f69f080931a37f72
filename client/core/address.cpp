#include "client/core/address.hpp"

#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::sdk {
namespace {

constexpr std::string_view kScheme = "weir://";
constexpr std::string_view kTlsScheme = "weirs://";

proto::Error bad(std::string_view text, std::string_view why) {
  return proto::fail(proto::Errc::kInvalidArgument,
                     "bad address '" + proto::printable(text) + "': " + std::string(why) +
                         " (weir://host[:port][,host[:port]...][/namespace])");
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool is_ipv6_char(char c) {
  return is_host_char(c) || c == ':' || c == '%';
}

bool read_port(std::string_view text, std::uint16_t& port) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0 || number > 0xFFFF) {
    return false;
  }
  port = static_cast<std::uint16_t>(number);
  return true;
}

// Splits "host", "host:port", "[v6]" or "[v6]:port". Gives a reason, or nothing on success.
std::string_view read_host(std::string_view text, HostPort& out) {
  out.port = proto::kDefaultPort;
  std::string_view host = text;
  std::string_view rest;
  const bool bracketed = text.starts_with('[');
  if (bracketed) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) {
      return "a bracket is not closed";
    }
    host = text.substr(1, close - 1);
    if (host.find(':') == std::string_view::npos) {
      return "a host in brackets is an IPv6 address";
    }
    rest = text.substr(close + 1);
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (host.empty()) {
    return "a host is missing";
  }
  if (!std::ranges::all_of(host, bracketed ? is_ipv6_char : is_host_char)) {
    return "a host has a character that no host has";
  }
  if (!rest.empty() && (rest.front() != ':' || !read_port(rest.substr(1), out.port))) {
    return "a port is a number from 1 to 65535";
  }
  out.host = host;
  return {};
}

}  // namespace

std::string HostPort::to_string() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

proto::Result<Address> parse_address(std::string_view text) {
  if (text.starts_with(kTlsScheme)) {
    return proto::fail(proto::Errc::kUnsupported,
                       "weirs:// (TLS) is not supported by this version; use weir://");
  }
  if (!text.starts_with(kScheme)) {
    return bad(text, "it does not begin with weir://");
  }
  std::string_view rest = text.substr(kScheme.size());
  Address address;
  address.name_space = proto::kDefaultNamespace;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view name_space = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
    if (!name_space.empty()) {
      if (const proto::Result<> checked = proto::check_namespace_name(name_space); !checked) {
        return checked.error();
      }
      address.name_space = name_space;
    }
  }
  while (true) {
    const std::size_t comma = rest.find(',');
    HostPort host;
    if (const std::string_view why = read_host(rest.substr(0, comma), host); !why.empty()) {
      return bad(text, why);
    }
    address.hosts.push_back(std::move(host));
    if (comma == std::string_view::npos) {
      return address;
    }
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace weir::sdk
