#pragma once

#include "broker/http/routes.hpp"
#include "proto/result.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::http {

/// Serves the pages on the loop that the shard runs on. Requests are small and without a body,
/// bounded in time, and only so many are served at once: what hangs there cannot hurt the broker.
/// When there are that many, whoever has been silent longest makes room, or else whoever has left
/// an answer unread for longest.
class HttpServer {
 public:
  static constexpr std::size_t kMaxConnections = 64;

  HttpServer(boost::asio::io_context& io, Pages pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Takes the address. INVALID_ARGUMENT with a message for a person.
  proto::Result<> open(const boost::asio::ip::tcp::endpoint& endpoint);
  /// Serves from here on. Errors as open().
  proto::Result<> start();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void close();

 private:
  void accept();

  struct Shared;
  std::shared_ptr<Shared> shared_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_timer_;
  std::uint16_t port_ = 0;
};

}  // namespace weir::http
