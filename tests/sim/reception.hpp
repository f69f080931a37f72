#pragma once

#include "broker/net/connection_machine.hpp"
#include "tests/sim/cable.hpp"
#include "tests/sim/machine.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace weir::sim {

class SimConnection;

/// The broker's end of all cables: what its listener and sockets are in the real process, around
/// the real connection machines.
class Reception {
 public:
  explicit Reception(Stage& stage);
  ~Reception();

  /// False when nobody listens there.
  bool accept(const std::shared_ptr<Cable>& cable);
  /// Every client is asked to leave; after that time the process ends.
  void drain(std::uint32_t drain_ms);
  /// The broker's process, or its state, is gone, and with it every session.
  void broker_gone(bool process);
  /// Where no connection is left, none of the send budget is in use.
  void check_budget();

 private:
  friend class SimConnection;

  void tick();
  void later(std::int64_t delay_us, std::function<void()> event);
  void remove(std::uint64_t connection);

  Stage& stage_;
  net::ConnectionSurroundings surroundings_;
  std::uint64_t life_ = 0;  // of the process
  std::uint64_t last_ = 0;
  bool is_draining_ = false;
  std::optional<net::StallWatch> stall_watch_;  // while the process ticks
  std::map<std::uint64_t, std::shared_ptr<SimConnection>> connections_;
};

}  // namespace weir::sim
