#pragma once

#include "bench/load/traits.hpp"
#include "bench/load/workload.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <string>

namespace weir::bench {

/// What was drained, and how long that took.
struct Drained {
  std::uint64_t messages = 0;
  double seconds = 0;
  [[nodiscard]] double rate() const { return static_cast<double>(messages) / seconds; }
};

/// Takes and acks all messages of a queue that has so many: the seconds from the first one handled
/// until the last ack is durable.
[[nodiscard]] proto::Result<double> drain(const Subject& subject, const std::string& queue,
                                          std::uint64_t messages);

/// Fills new queues that deep and drains them, until so much was drained that it takes as long as
/// with a deep one. Adds to `drained`.
[[nodiscard]] proto::Result<> fill_and_drain(const Subject& subject, std::uint64_t depth,
                                             std::size_t payload_bytes, const Traits& traits,
                                             Drained& drained);

}  // namespace weir::bench
