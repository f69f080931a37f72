#pragma once

#include "client/core/request_table.hpp"
#include "weir/consumer.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace weir::sdk {

class Engine;

using ReceiveCallback = UniqueFunction<void(Result<std::vector<Delivery>>)>;

/// Takes messages of a queue in one request; `done` is called with them on the I/O thread. They are
/// not handed out yet: dropped, they go back as not handled. False once the client is closed: then
/// `done` is destroyed. Any thread.
bool receive(Engine& engine, std::string queue, const ReceiveOptions& options,
             const RequestPolicy& policy, ReceiveCallback done);

/// The same for the application. An answer that comes after the call was stopped is taken in all
/// the same: its deliveries are destroyed unseen, which gives the messages back.
[[nodiscard]] Future<std::vector<Delivery>> receive(const std::shared_ptr<Engine>& engine,
                                                    std::string queue,
                                                    const ReceiveOptions& options,
                                                    const CallOptions& call);

}  // namespace weir::sdk
