#pragma once

#include "weir/consumer.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <string>
#include <vector>

namespace weir::sdk {

class Engine;

/// Takes messages of a queue in one request. Any thread but the I/O thread.
[[nodiscard]] Result<std::vector<Delivery>> receive(Engine& engine, std::string queue,
                                                    const ReceiveOptions& options);

}  // namespace weir::sdk
