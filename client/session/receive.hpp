#pragma once

#include "client/core/time.hpp"
#include "weir/consumer.hpp"
#include "weir/function.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <string>
#include <vector>

namespace weir::sdk {

class Engine;

using ReceiveCallback = UniqueFunction<void(Result<std::vector<Delivery>>)>;

/// Takes messages of a queue in one request; `done` is called with them on the I/O thread. They are
/// not handed out yet: dropped, they go back as not handled. False once the client is closed: then
/// `done` is destroyed. Any thread.
bool receive(Engine& engine, std::string queue, const ReceiveOptions& options, TimePoint deadline,
             ReceiveCallback done);

/// Takes messages of a queue in one request. Any thread but the I/O thread.
[[nodiscard]] Result<std::vector<Delivery>> receive(Engine& engine, std::string queue,
                                                    const ReceiveOptions& options);

}  // namespace weir::sdk
