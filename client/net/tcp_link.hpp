#pragma once

#include "client/core/address.hpp"
#include "client/session/link.hpp"
#include "proto/error.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace weir::sdk {

/// A link over TCP.
class TcpLink final : public Link {
 public:
  /// Both outlive it.
  TcpLink(boost::asio::io_context& io, LinkEvents& events);
  ~TcpLink() override;

  void connect(const HostPort& host) override;
  void close() override;
  bool flush() override;
  void read_on() override;

 private:
  // What belongs to one connection: handlers of an earlier one find themselves outdated.
  struct Connection;

  void on_endpoints(const std::shared_ptr<Connection>& connection,
                    const boost::asio::ip::tcp::resolver::results_type& endpoints);
  void on_connected(const std::shared_ptr<Connection>& connection);
  void read(const std::shared_ptr<Connection>& connection);
  void take_frames(const std::shared_ptr<Connection>& connection);
  void break_off(const std::shared_ptr<Connection>& connection, proto::Error why);
  void end_connection();

  boost::asio::io_context& io_;
  LinkEvents& events_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace weir::sdk
