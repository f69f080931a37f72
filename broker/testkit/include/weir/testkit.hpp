#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

// A broker for the tests of programs that use the client library: see broker/testkit/README.md.
namespace weir::testkit {

/// How a broker is started. A plain value.
class BrokerOptions {
 public:
  /// The port on 127.0.0.1. Default 0: a free one, which url() names.
  BrokerOptions& set_port(std::uint16_t port) {
    port_ = port;
    return *this;
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
};

/// A real broker inside this process, on a thread of its own, that keeps its data in memory. It
/// takes clients on 127.0.0.1 as soon as it is constructed.
///
/// This is a fixture: where it cannot go on - its port is taken, it is used wrongly - it says why
/// on standard error and aborts the process.
///
/// Thread-safety: clients may do what they like beside it; its own functions are called by one
/// thread at a time.
class Broker {
 public:
  explicit Broker(BrokerOptions options = {});
  /// stop(), and the data is gone.
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// What weir::ClientOptions takes; the same over the whole life of this object.
  [[nodiscard]] const std::string& url() const { return url_; }

  /// Cuts all connections, as a crash does, and returns when no thread runs any more. What the
  /// broker had answered is kept, what it had not may be. Clients are refused until restart().
  /// Idempotent.
  void stop();

  /// stop(), then starts on the data that is there. Clients reconnect by themselves. A message
  /// that was received and not settled stays leased, longer by the time that the broker was away
  /// (at most 30 s); it comes again when that has run out.
  void restart();

  /// Moves the broker's time ahead, and returns when everything that fell due by that is carried
  /// out: leases run out, delays pass, messages move to their dead-letter queues, receives that
  /// wait are answered. While stopped it moves the time at which the next start begins.
  ///
  /// The time of clients does not move: a lease that the library would have extended meanwhile is
  /// not extended. `by` is zero to a hundred years.
  void advance(std::chrono::milliseconds by);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  std::string url_;
};

}  // namespace weir::testkit
