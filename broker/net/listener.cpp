#include "broker/net/listener.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace weir::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};
// Beyond max_connections so many may hear why they are refused at one time; others just end.
constexpr std::size_t kMaxRefusals = 64;

// With what all connections share.
std::shared_ptr<const ConnectionPorts> complete(ConnectionPorts ports, std::size_t budget_bytes) {
  ports.budget = std::make_shared<SendBudget>(budget_bytes);
  ports.lines = std::make_shared<LineAllowance>(ports.now());
  return std::make_shared<const ConnectionPorts>(std::move(ports));
}

std::string name_of(const asio::ip::tcp::endpoint& endpoint) {
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

proto::Result<> check(const error_code& error, const asio::ip::tcp::endpoint& endpoint) {
  if (error == asio::error::address_in_use) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "cannot listen on " + name_of(endpoint) +
                           ": the address is in use; is another broker running?");
  }
  if (error) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "cannot listen on " + name_of(endpoint) + ": " + error.message());
  }
  return {};
}

}  // namespace

Listener::Listener(asio::io_context& io, ListenerOptions options)
    : options_(options), acceptor_(io), tick_timer_(io), pause_timer_(io) {}

Listener::~Listener() {
  *alive_ = false;
  for (const auto& [key, connection] : connections_) {
    connection->close();
  }
}

proto::Result<> Listener::open(const asio::ip::tcp::endpoint& endpoint) {
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  if (!error) {
    port_ = acceptor_.local_endpoint(error).port();
  }
  return check(error, endpoint);
}

proto::Result<> Listener::start(ConnectionPorts ports) {
  ports_ = complete(std::move(ports), options_.producer_budget_bytes);
  error_code error;
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    return check(error, acceptor_.local_endpoint(ignored));
  }
  stall_watch_.emplace(ports_->now());
  arm_tick();
  accept();
  return {};
}

void Listener::accept() {
  acceptor_.async_accept(
      [this, alive = alive_](const error_code& error, asio::ip::tcp::socket socket) {
        if (*alive) {
          on_accept(error, std::move(socket));
        }
      });
}

void Listener::on_accept(const error_code& error, asio::ip::tcp::socket socket) {
  if (!acceptor_.is_open()) {
    return;
  }
  if (!error) {
    pause_logged_ = false;
    add(std::move(socket));
    accept();
    return;
  }
  // Out of descriptors, most likely: the client that waits would be reported again at once.
  if (!pause_logged_) {
    pause_logged_ = true;
    spdlog::error("cannot take a connection: {}", error.message());
  }
  pause_timer_.expires_after(kAcceptPause);
  pause_timer_.async_wait([this, alive = alive_](const error_code& cancelled) {
    if (!cancelled && *alive && acceptor_.is_open()) {
      accept();
    }
  });
}

void Listener::add(asio::ip::tcp::socket socket) {
  const bool is_full = connections_.size() >= options_.max_connections;
  if (is_full) {
    ++refused_;
    if (connections_.size() >= options_.max_connections + kMaxRefusals) {
      return;
    }
  } else {
    ++accepted_;
  }
  auto connection = std::make_shared<Connection>(std::move(socket), ports_,
                                                 [this, alive = alive_](const Connection& which) {
                                                   if (*alive) {
                                                     connections_.erase(&which);
                                                   }
                                                 });
  connections_.emplace(connection.get(), connection);
  connection->start();
  if (is_full) {
    connection->say_goodbye(proto::fail(
        proto::Errc::kLimitExceeded,
        "the broker has its " + std::to_string(options_.max_connections) + " connections"));
  }
}

void Listener::arm_tick() {
  tick_pause_ms_ = TickRound::pause_ms(connections_.size());
  tick_timer_.expires_after(std::chrono::milliseconds(tick_pause_ms_));
  tick_timer_.async_wait([this, alive = alive_](const error_code& cancelled) {
    if (!cancelled && *alive) {
      tick();
      arm_tick();
    }
  });
}

void Listener::tick() {
  const MonoMs now = ports_->now();
  if (const MonoMs lost = stall_watch_->on_tick(now, tick_pause_ms_); lost > 0) {
    for (const auto& [key, connection] : connections_) {
      connection->on_stall(lost);
    }
  }
  auto next = connections_.lower_bound(next_to_tick_);
  std::size_t left = TickRound::slice(connections_.size());
  for (; left > 0 && next != connections_.end(); --left, ++next) {
    next->second->tick(now);
  }
  next_to_tick_ = next == connections_.end() ? nullptr : next->first;
}

void Listener::drain(std::uint32_t drain_ms) {
  error_code ignored;
  acceptor_.close(ignored);
  for (const auto& [key, connection] : connections_) {
    connection->drain(drain_ms);
  }
}

bool Listener::is_quiet() const {
  for (const auto& [key, connection] : connections_) {
    if (!connection->is_quiet()) {
      return false;
    }
  }
  return true;
}

void Listener::say_goodbye(const proto::Error& why) {
  for (const auto& [key, connection] : connections_) {
    connection->say_goodbye(why);
  }
}

}  // namespace weir::net
