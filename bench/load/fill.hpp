#pragma once

#include "bench/load/traits.hpp"
#include "bench/load/workload.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::bench {

/// Creates the queue and sends so many messages to it, as fast as it goes; returns when all are
/// confirmed.
[[nodiscard]] proto::Result<> fill_queue(Client& client, const std::string& queue,
                                         std::uint64_t messages, std::size_t payload_bytes,
                                         const Traits& traits = {});

}  // namespace weir::bench
