#include "broker/net/listener.hpp"
#include "broker/testkit/broker_life.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/memory_store.hpp"
#include "weir/testkit.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace weir::testkit {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kMostAtOnce = std::chrono::hours(24) * 365 * 100;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "weir::testkit::Broker: %s\n", why.c_str());
  std::abort();
}

asio::ip::tcp::endpoint loopback(std::uint16_t port) {
  return {asio::ip::address_v4::loopback(), port};
}

}  // namespace

class Broker::Impl {
 public:
  explicit Impl(BrokerOptions options) {
    if (const proto::Result<> opened = reserved_.open(loopback(options.port())); !opened) {
      die(opened.error().to_string());
    }
    start();
  }

  [[nodiscard]] std::uint16_t port() const { return reserved_.port(); }

  void start() {
    life_.emplace(store_, skipped_ms_, [](const proto::Error& error) { die(error.to_string()); });
    if (const proto::Result<> started = life_->start(loopback(port())); !started) {
      die(started.error().to_string());
    }
  }

  void stop() { life_.reset(); }

  void advance(proto::TimeMs by_ms) {
    skipped_ms_ += by_ms;
    if (life_) {
      life_->skip(by_ms);
    }
  }

 private:
  // Never started: it keeps the port ours while no broker listens there.
  asio::io_context idle_io_;
  net::Listener reserved_{idle_io_, net::ListenerOptions()};
  storage::MemoryStore store_;
  proto::TimeMs skipped_ms_ = 0;
  std::optional<BrokerLife> life_;
};

Broker::Broker(BrokerOptions options)
    : impl_(std::make_unique<Impl>(options)),
      url_("weir://127.0.0.1:" + std::to_string(impl_->port())) {}

Broker::~Broker() = default;

void Broker::stop() {
  impl_->stop();
}

void Broker::restart() {
  impl_->stop();
  impl_->start();
}

void Broker::advance(std::chrono::milliseconds by) {
  if (by < by.zero() || by > kMostAtOnce) {
    die("advance(" + std::to_string(by.count()) + " ms) is not zero to a hundred years");
  }
  impl_->advance(by.count());
}

}  // namespace weir::testkit
