#pragma once

#include "broker/core/command.hpp"
#include "broker/core/reply.hpp"
#include "broker/net/config_reload.hpp"
#include "proto/result.hpp"
#include "weir/v1/protocol.pb.h"

#include <cstdint>
#include <string>

// Between the wire's messages and the core's plain values.
namespace weir::net {

/// A request for the core, in `name_space`. `uuid` is for what it may create; `alias` for what it
/// may subscribe. UNSUPPORTED: a method that this version does not know; INVALID_ARGUMENT: a field
/// that makes no sense at all (the core checks the rest). ReloadConfig is nothing for the core.
proto::Result<core::Request> to_core(const weir::v1::Request& request,
                                     const std::string& name_space, const core::Uuid& uuid,
                                     std::uint32_t alias);

/// Whether the request begins a subscription, and so takes an alias.
[[nodiscard]] bool is_subscribe(const weir::v1::Request& request);

/// A successful response. `alias` stands in Attached, Subscribed and SubscribedTopic.
weir::v1::Response to_wire(std::uint64_t request_id, const core::Reply& reply, std::uint32_t alias);
weir::v1::Response to_wire(std::uint64_t request_id, const ConfigReload& reload);
/// A failed one.
weir::v1::Response to_wire(std::uint64_t request_id, const proto::Error& error);

/// In the usual form: 8-4-4-4-12 hexadecimal digits.
[[nodiscard]] std::string to_text(const core::Uuid& uuid);

}  // namespace weir::net
