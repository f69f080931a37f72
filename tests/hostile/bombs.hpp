#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"

#include <cstdint>

namespace weir::hostile {

/// Throws frames at the broker that are as expensive to judge as the limits allow, `count` of each
/// kind, and prints of each how long a good client beside them waited at the longest. Times are
/// figures, not judged; INTERNAL when the good client is disturbed or a bomb gets no answer.
proto::Result<> throw_bombs(crash::BrokerProcess& broker, std::uint64_t count);

}  // namespace weir::hostile
