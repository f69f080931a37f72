#include "broker/server/setting_values.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace weir::server {
namespace {

constexpr std::array<std::pair<std::string_view, unsigned>, 4> kSuffixes = {
    {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};

}  // namespace

proto::Error invalid_setting(std::string message) {
  return proto::fail(proto::Errc::kInvalidArgument, std::move(message));
}

proto::Result<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid_setting("'" + std::string(text) + "' is not a whole number");
  }
  return value;
}

proto::Result<std::uint64_t> parse_bytes(std::string_view text) {
  std::string_view digits = text;
  unsigned shift = 0;
  for (const auto& [suffix, bits] : kSuffixes) {
    if (text.ends_with(suffix)) {
      digits = text.substr(0, text.size() - suffix.size());
      shift = bits;
    }
  }
  while (digits.ends_with(' ')) {
    digits.remove_suffix(1);
  }
  const proto::Result<std::uint64_t> number = parse_number(digits);
  if (!number || *number > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return invalid_setting("'" + std::string(text) + "' is not a size such as 4096, 64MiB or 1GiB");
  }
  return *number << shift;
}

std::string format_bytes(std::uint64_t bytes) {
  for (const auto& [suffix, bits] : kSuffixes) {
    if (bytes != 0 && bytes % (std::uint64_t{1} << bits) == 0) {
      return std::to_string(bytes >> bits) + std::string(suffix);
    }
  }
  return std::to_string(bytes);
}

proto::Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const proto::Result<std::uint64_t> port = colon == std::string_view::npos
                                                ? proto::Result<std::uint64_t>(invalid_setting(""))
                                                : parse_number(text.substr(colon + 1));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    host = {};
  }
  if (host.empty() || !port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return invalid_setting("'" + std::string(text) + "' is not HOST:PORT");
  }
  return HostPort{.host = std::string(host), .port = static_cast<std::uint16_t>(*port)};
}

}  // namespace weir::server
