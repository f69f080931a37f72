#include "broker/server/addresses.hpp"

#include "broker/server/setting_values.hpp"

#include <boost/asio/ip/address.hpp>

namespace weir::server {

namespace asio = boost::asio;

proto::Result<asio::ip::tcp::endpoint> resolve(asio::io_context& io, std::string_view host_port) {
  const proto::Result<HostPort> parsed = parse_host_port(host_port);
  if (!parsed) {
    return parsed.error();
  }
  // Loopback whatever a name server says, as the rule about listening beyond it takes for granted.
  if (parsed->host == "localhost") {
    return asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), parsed->port);
  }
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(parsed->host, error);
  if (!error) {
    return asio::ip::tcp::endpoint(address, parsed->port);
  }
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(parsed->host, std::to_string(parsed->port), error);
  if (error || found.empty()) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "there is no host '" + parsed->host + "' to listen on");
  }
  return found.begin()->endpoint();
}

std::string with_port(std::string_view host_port, std::uint16_t port) {
  return std::string(host_port.substr(0, host_port.rfind(':') + 1)) + std::to_string(port);
}

}  // namespace weir::server
