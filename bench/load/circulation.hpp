#pragma once

#include "bench/load/report.hpp"
#include "bench/load/workload.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::bench {

/// A load of messages that go round: who handles one sends a new one in its place, and acks when
/// that is confirmed, so that as many are in the broker at the end of a run as at its begin,
/// however fast it is.
struct CirculationShape {
  /// Each sends and receives.
  std::size_t connections = 1;
  std::size_t queues = 1;
  std::size_t payload_bytes = 100;
  /// How many go round; at least one for each connection and queue.
  std::size_t messages = 4'000;
  double seconds = 10;
};

/// Runs it on queues of its own, then lets all be handled and acked. An error unless each message
/// was handled once, with the bytes that were sent.
[[nodiscard]] proto::Result<Report> run_circulation(const Subject& subject,
                                                    const CirculationShape& shape,
                                                    const std::string& title);

/// The same on a queue that is there and holds so many messages that these go round: one
/// connection, `messages` unacked at a time. Leaves as many in the queue as it found.
[[nodiscard]] proto::Result<Report> run_circulation_on(const Subject& subject,
                                                       const std::string& queue,
                                                       const CirculationShape& shape,
                                                       const std::string& title);

}  // namespace weir::bench
