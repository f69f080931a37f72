#pragma once

#include "broker/net/listener.hpp"
#include "broker/net/loop_clock.hpp"
#include "broker/shard/local_log.hpp"
#include "broker/shard/random_bits.hpp"
#include "broker/shard/shard.hpp"
#include "broker/shard/thread_loader.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/memory_store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <optional>
#include <thread>

namespace weir::testkit {

/// One life of a broker, from its start to its end: all of it but the data.
class BrokerLife {
 public:
  using OnFailed = std::function<void(const proto::Error&)>;

  /// `store` outlives this. `skipped_ms` is how far broker time is ahead of the system's clocks;
  /// what is in the store was written under it or less. `on_failed` is called on the loop.
  BrokerLife(storage::MemoryStore& store, proto::TimeMs skipped_ms, OnFailed on_failed);
  /// Cuts all connections, and ends the threads.
  ~BrokerLife();
  BrokerLife(const BrokerLife&) = delete;
  BrokerLife& operator=(const BrokerLife&) = delete;

  /// Recovers what is stored and takes clients. Called once, and nothing else after an error.
  proto::Result<> start(const boost::asio::ip::tcp::endpoint& endpoint);

  /// Moves broker time ahead and waits until the shard has nothing left to do by that.
  void skip(proto::TimeMs by_ms);

 private:
  proto::Result<> start_shard(shard::RecoveredLog recovered);
  [[nodiscard]] shard::Ports shard_ports();

  storage::MemoryStore& store_;
  const OnFailed on_failed_;
  boost::asio::io_context io_{1};
  shard::RandomBits random_;
  // The loop's, once that runs. Added behind the clock, which would take a jump for a stall.
  proto::TimeMs skipped_ms_;
  std::optional<net::LoopClock> clock_;
  std::optional<shard::ThreadLoader> loader_;
  std::optional<shard::Shard> shard_;
  std::optional<shard::LocalLog> log_;
  std::optional<net::Listener> listener_;
  std::thread thread_;
};

}  // namespace weir::testkit
