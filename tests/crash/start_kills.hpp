#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/random.hpp"

#include <cstdint>

namespace weir::crash {

/// How often a broker was killed, by what it was about.
struct KillCounts {
  std::uint32_t serving = 0;   // under load
  std::uint32_t startup = 0;   // before its database wrote anything
  std::uint32_t recovery = 0;  // its database had begun to write, and it took no requests yet
  std::uint32_t started = 0;   // just ready, nobody connected
  std::uint32_t shutdown = 0;  // after SIGTERM

  [[nodiscard]] std::uint32_t all() const {
    return serving + startup + recovery + started + shutdown;
  }
};

/// Starts the broker, which was killed before, and waits until it is ready. On the way it is killed
/// again, every second time, up to five times one after the other: a recovery recovers from one
/// that was cut short. Not longer than the last start took. INTERNAL when it ends by itself.
proto::Result<> start_with_kills(BrokerProcess& broker, Random& random, KillCounts& counts);

}  // namespace weir::crash
