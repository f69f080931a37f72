#include "client/net/tcp_link.hpp"

#include "proto/limits.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::sdk {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kPiecesPerWrite = 16;

proto::Error connection_error(const std::string& what, const error_code& error) {
  return proto::make_error(proto::Errc::kConnectFailed, what + ": " + error.message());
}

// Addresses as they are, and `localhost`, which is loopback whatever a name server says and where
// there is none (RFC 6761, 6.3).
std::vector<tcp::endpoint> endpoints_without_a_lookup(const HostPort& host) {
  if (host.host == "localhost") {
    return {{boost::asio::ip::address_v4::loopback(), host.port},
            {boost::asio::ip::address_v6::loopback(), host.port}};
  }
  error_code not_literal;
  const auto address = boost::asio::ip::make_address(host.host, not_literal);
  if (not_literal) {
    return {};
  }
  return {{address, host.port}};
}

}  // namespace

struct TcpLink::Connection {
  explicit Connection(boost::asio::io_context& io) : resolver(io), socket(io) {}

  tcp::resolver resolver;
  tcp::socket socket;
  std::string peer;
  proto::FrameReader reader{proto::kMaxFrameBytes};
  bool is_open = false;
  bool waits_to_write = false;
  bool has_more = false;       // the last read filled its room
  bool waits_to_read = false;  // until read_on()
};

TcpLink::TcpLink(boost::asio::io_context& io, LinkEvents& events) : io_(io), events_(events) {}

TcpLink::~TcpLink() {
  end_connection();
}

void TcpLink::connect(const HostPort& host) {
  close();
  connection_ = std::make_shared<Connection>(io_);
  connection_->peer = host.to_string();
  if (const std::vector<tcp::endpoint> known = endpoints_without_a_lookup(host); !known.empty()) {
    on_endpoints(connection_,
                 tcp::resolver::results_type::create(known.begin(), known.end(), host.host,
                                                     std::to_string(host.port)));
    return;
  }
  connection_->resolver.async_resolve(
      host.host, std::to_string(host.port),
      [this, connection = connection_](const error_code& error,
                                       const tcp::resolver::results_type& endpoints) {
        if (connection != connection_) {
          return;
        }
        if (error) {
          break_off(connection, connection_error("cannot resolve " + connection->peer, error));
        } else {
          on_endpoints(connection, endpoints);
        }
      });
}

void TcpLink::on_endpoints(const std::shared_ptr<Connection>& connection,
                           const tcp::resolver::results_type& endpoints) {
  boost::asio::async_connect(
      connection->socket, endpoints,
      [this, connection](const error_code& error, const tcp::endpoint&) {
        if (connection != connection_) {
          return;
        }
        if (error) {
          break_off(connection, connection_error("cannot connect to " + connection->peer, error));
        } else {
          on_connected(connection);
        }
      });
}

void TcpLink::on_connected(const std::shared_ptr<Connection>& connection) {
  error_code error;
  connection->socket.non_blocking(true, error);
  if (!error) {
    connection->socket.set_option(tcp::no_delay(true), error);
  }
  if (error) {
    break_off(connection,
              connection_error("cannot use the connection to " + connection->peer, error));
    return;
  }
  connection->is_open = true;
  events_.on_connected();
  if (connection == connection_) {
    read(connection);
  }
}

void TcpLink::read(const std::shared_ptr<Connection>& connection) {
  const std::span<char> room = connection->reader.prepare();
  connection->socket.async_read_some(
      boost::asio::buffer(room.data(), room.size()),
      [this, connection, room = room.size()](const error_code& error, std::size_t bytes) {
        if (connection != connection_) {
          return;
        }
        if (error) {
          break_off(connection, connection_error("lost " + connection->peer, error));
          return;
        }
        connection->reader.commit(bytes);
        connection->has_more = bytes == room;
        events_.on_bytes();
        take_frames(connection);
      });
}

void TcpLink::take_frames(const std::shared_ptr<Connection>& connection) {
  const proto::Result<> taken = hand_frames(
      connection->reader, events_, [this, &connection] { return connection == connection_; });
  if (connection != connection_) {
    return;
  }
  if (!taken) {
    break_off(connection, taken.error());
    return;
  }
  connection->waits_to_read = true;
  if (connection->has_more) {
    read_on();
  }
}

void TcpLink::read_on() {
  if (connection_ && std::exchange(connection_->waits_to_read, false)) {
    read(connection_);
  }
}

bool TcpLink::flush() {
  if (!connection_ || !connection_->is_open || connection_->waits_to_write) {
    return outbox().empty();
  }
  const std::shared_ptr<Connection> connection = connection_;
  while (!outbox().empty()) {
    std::array<std::string_view, kPiecesPerWrite> pieces;
    const std::size_t count = outbox().gather(pieces);
    std::array<boost::asio::const_buffer, kPiecesPerWrite> buffers;
    for (std::size_t i = 0; i < count; ++i) {
      buffers[i] = boost::asio::buffer(pieces[i]);
    }
    error_code error;
    const std::size_t sent = connection->socket.write_some(std::span(buffers.data(), count), error);
    if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) {
      connection->waits_to_write = true;
      connection->socket.async_wait(tcp::socket::wait_write, [this, connection](const error_code&) {
        if (connection == connection_) {
          connection->waits_to_write = false;
          flush();
          events_.on_written();
        }
      });
      return false;
    }
    if (error) {
      // The reading side notices as well, and says so.
      outbox().clear();
      return false;
    }
    outbox().consume(sent);
  }
  return true;
}

void TcpLink::break_off(const std::shared_ptr<Connection>& connection, proto::Error why) {
  if (connection == connection_) {
    close();
    events_.on_broken(std::move(why));
  }
}

void TcpLink::close() {
  end_connection();
  outbox().clear();
}

void TcpLink::end_connection() {
  if (connection_) {
    error_code ignored;
    connection_->socket.close(ignored);
    connection_->resolver.cancel();
    connection_.reset();
  }
}

}  // namespace weir::sdk
