#pragma once

#include "broker/net/liveness.hpp"
#include "broker/shard/shard_clock.hpp"
#include "proto/ids.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace weir::net {

/// Broker time on the loop that a shard shares with its connections, and the timer that wakes the
/// shard. Looks at the system's clocks ten times a second by itself, since a long gap counts as a
/// stall (see shard::ShardClock). Used on the loop; destroyed where that no longer runs.
class LoopClock {
 public:
  /// `on_due` is called on the loop when an armed time has come. While `is_stalled` says so broker
  /// time stands; empty: never.
  LoopClock(boost::asio::io_context& io, proto::TimeMs last_committed, std::function<void()> on_due,
            std::function<bool()> is_stalled = {});
  LoopClock(const LoopClock&) = delete;
  LoopClock& operator=(const LoopClock&) = delete;

  [[nodiscard]] proto::TimeMs now();
  /// `on_due` once broker time is `at` or later; a new call replaces the earlier one.
  void arm(proto::TimeMs at);

  /// The monotonic clock of the system, which deadlines of connections are kept in.
  [[nodiscard]] static MonoMs mono_ms();

 private:
  void look();

  shard::ShardClock clock_;
  const std::function<void()> on_due_;
  const std::function<bool()> is_stalled_;
  boost::asio::steady_timer due_timer_;
  boost::asio::steady_timer look_timer_;
};

}  // namespace weir::net
