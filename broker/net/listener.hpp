#pragma once

#include "broker/net/connection.hpp"
#include "broker/net/liveness.hpp"
#include "broker/net/send_budget.hpp"
#include "proto/result.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace weir::net {

struct ListenerOptions {
  std::uint32_t max_connections = 10'000;
  std::size_t producer_budget_bytes = std::size_t{64} << 20;
};

/// Takes clients in, and keeps and times their connections. On the shard's loop.
class Listener {
 public:
  Listener(boost::asio::io_context& io, ListenerOptions options);
  /// Closes everything.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Takes the address, which nobody can connect to before start(). INVALID_ARGUMENT for one that
  /// is in use or not ours, with a message for a person.
  proto::Result<> open(const boost::asio::ip::tcp::endpoint& endpoint);
  /// Takes clients from here on. Of `ports` what connections share with each other is set here.
  /// Errors as open().
  proto::Result<> start(ConnectionPorts ports);
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Accepts nobody any more and asks everyone to leave.
  void drain(std::uint32_t drain_ms);
  /// For those who come from now on; nobody is sent away.
  void set_max_connections(std::uint32_t count) { options_.max_connections = count; }
  /// No connection waits for anything.
  [[nodiscard]] bool is_quiet() const;
  /// Tells everyone why and closes as soon as that is written.
  void say_goodbye(const proto::Error& why);
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  /// Over the life of the listener.
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void accept();
  void on_accept(const boost::system::error_code& error, boost::asio::ip::tcp::socket socket);
  void add(boost::asio::ip::tcp::socket socket);
  void arm_tick();
  void tick();

  std::shared_ptr<const ConnectionPorts> ports_;
  ListenerOptions options_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer pause_timer_;
  std::map<const Connection*, std::shared_ptr<Connection>> connections_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::uint16_t port_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::optional<StallWatch> stall_watch_;  // from start() on
  MonoMs tick_pause_ms_ = 0;
  const Connection* next_to_tick_ = nullptr;  // in their order; nullptr: the first
  bool pause_logged_ = false;
};

}  // namespace weir::net
