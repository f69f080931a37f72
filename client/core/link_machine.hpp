#pragma once

#include "client/core/address.hpp"
#include "client/core/backoff.hpp"
#include "client/core/heartbeat.hpp"
#include "client/core/random.hpp"
#include "client/core/time.hpp"
#include "proto/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace weir::sdk {

/// Decides when to connect, to which host, and when to give a connection up. Hosts are tried in
/// turn without a pause until each was tried once, then there is a growing pause.
class LinkMachine {
 public:
  struct Options {
    std::vector<HostPort> hosts;  // at least one
    Duration connect_timeout{};
    Duration welcome_timeout{};  // from the connection to the broker's greeting
    Duration first_backoff{};
    Duration longest_backoff{};
  };
  enum class State : std::uint8_t { kWaiting, kConnecting, kGreeting, kUp, kDraining, kStopped };

  LinkMachine(Options options, std::uint64_t seed, TimePoint now);

  /// What is to be done now. To be called once a turn.
  struct Action {
    enum class Kind : std::uint8_t { kNone, kConnect, kPing, kDrop } kind = Kind::kNone;
    proto::Error why;  // of kDrop: then on_lost() is to be called with it
  };
  [[nodiscard]] Action tick(TimePoint now);

  /// The connection stands, and our greeting left.
  void on_connected(TimePoint now);
  void on_welcome(Duration heartbeat, Duration dead_after, TimePoint now);
  void on_bytes(TimePoint now);
  /// The broker asks to leave within that time.
  void on_draining(Duration within, TimePoint now);
  /// Nothing is left to wait for on a connection that drains.
  [[nodiscard]] bool may_leave() const { return state_ == State::kDraining; }
  /// Connecting failed, or the connection ended.
  void on_lost(proto::Error why, TimePoint now);
  void stop() { state_ = State::kStopped; }

  [[nodiscard]] State state() const { return state_; }
  /// The host of the current or next connection.
  [[nodiscard]] const HostPort& host() const { return options_.hosts[host_]; }
  /// True when every host was tried since a session last stood.
  [[nodiscard]] bool tried_all() const { return tried_ >= options_.hosts.size(); }
  /// Why there is no session; nullopt while there is one.
  [[nodiscard]] const std::optional<proto::Error>& failure() const { return failure_; }
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

 private:
  [[nodiscard]] Action check_alive(TimePoint now);

  Options options_;
  Random random_;
  Backoff backoff_;
  State state_ = State::kWaiting;
  std::size_t host_ = 0;
  std::size_t tried_ = 0;
  TimePoint deadline_;  // of what the state waits for
  TimePoint up_since_{};
  std::optional<Heartbeat> heartbeat_;
  std::optional<proto::Error> failure_;
};

}  // namespace weir::sdk
