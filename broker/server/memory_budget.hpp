#pragma once

#include "broker/server/config.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// What a broker may come to hold in memory, added up before it starts. Pure.
namespace weir::server {

/// One part that is bounded by a setting, or by a limit of its own.
struct MemoryPart {
  std::string name;
  std::uint64_t bytes = 0;
};

/// The parts at their largest. Not among them: what a client may leave unread or unanswered before
/// its connection is ended (broker/net), and what topics, queues and leased messages take.
std::vector<MemoryPart> memory_parts(const Config& config);
/// Their sum; the largest number there is when it does not fit.
std::uint64_t sum_of(const std::vector<MemoryPart>& parts);

/// INVALID_ARGUMENT, with every part, when they need more than max_memory_bytes.
proto::Result<> check_memory(const Config& config);

/// The content of a file, or nullopt where it cannot be read.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;
/// What the control groups of this process, of either version, allow it; nullopt: no limit.
std::optional<std::uint64_t> control_group_limit(const ReadFile& read);
/// A line for the log when the parts need more than `limit` allows.
std::optional<std::string> memory_warning(const Config& config, std::optional<std::uint64_t> limit);

}  // namespace weir::server
