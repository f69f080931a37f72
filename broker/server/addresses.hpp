#pragma once

#include "proto/result.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::server {

/// The endpoint that HOST:PORT stands for, the first one where a name has several.
/// INVALID_ARGUMENT: no such host. May block.
proto::Result<boost::asio::ip::tcp::endpoint> resolve(boost::asio::io_context& io,
                                                      std::string_view host_port);

/// `host_port` with the port that is really in use.
std::string with_port(std::string_view host_port, std::uint16_t port);

}  // namespace weir::server
