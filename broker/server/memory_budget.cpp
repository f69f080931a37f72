#include "broker/server/memory_budget.hpp"

#include "broker/net/outbox.hpp"
#include "broker/net/send_budget.hpp"
#include "broker/shard/local_log.hpp"
#include "broker/shard/shard.hpp"
#include "proto/frame/frame_reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

namespace weir::server {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
/// A producer that sends to one destination, with what is remembered of its last batches: about.
constexpr std::uint64_t kBytesPerProducer = 1'024;
/// Always given to a connection, whatever the budgets: what it may have sent and not been answered,
/// what waits to be written to it, and its reader while little is read.
constexpr std::uint64_t kBytesPerConnection =
    net::SendBudget::kSmallWindow + net::Outbox::kBulkRoom + 4 * proto::FrameReader::kReadBytesMin;

std::uint64_t add(std::uint64_t a, std::uint64_t b) {
  return a > kMost - b ? kMost : a + b;
}

std::string in_mib(std::uint64_t bytes) {
  constexpr std::uint64_t kMib = std::uint64_t{1} << 20;
  return std::to_string(bytes / kMib + (bytes % kMib != 0 ? 1 : 0)) + " MiB";
}

std::string list_of(const std::vector<MemoryPart>& parts) {
  std::string list;
  for (const MemoryPart& part : parts) {
    list += (list.empty() ? "" : ", ") + part.name + ' ' + in_mib(part.bytes);
  }
  return list;
}

// The smallest number in files of that name, from the group up to the root of the hierarchy.
std::optional<std::uint64_t> limit_along(const ReadFile& read, const std::string& root,
                                         std::string group, std::string_view name) {
  std::optional<std::uint64_t> limit;
  while (true) {
    const std::string text = read(root + group + '/' + std::string(name)).value_or(std::string());
    std::uint64_t bytes = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc()) {
      limit = std::min(bytes, limit.value_or(kMost));
    }
    if (group.empty()) {
      return limit;
    }
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

}  // namespace

std::vector<MemoryPart> memory_parts(const Config& config) {
  return {
      {"write_buffer_bytes", config.write_buffer_bytes},
      {"block_cache_bytes", config.block_cache_bytes},
      {"tail_cache_bytes", config.tail_cache_bytes},
      {"idle_batch_bytes", config.idle_batch_bytes},
      {"producer_budget_bytes", config.producer_budget_bytes},
      {"commit under way", shard::LocalLogOptions().max_commit_bytes},
      {"remembered producers", shard::ShardOptions().max_producers * kBytesPerProducer},
      {"max_connections", config.max_connections * kBytesPerConnection},
  };
}

std::uint64_t sum_of(const std::vector<MemoryPart>& parts) {
  std::uint64_t sum = 0;
  for (const MemoryPart& part : parts) {
    sum = add(sum, part.bytes);
  }
  return sum;
}

proto::Result<> check_memory(const Config& config) {
  const std::vector<MemoryPart> parts = memory_parts(config);
  if (sum_of(parts) <= config.max_memory_bytes) {
    return {};
  }
  return proto::fail(proto::Errc::kInvalidArgument,
                     "max_memory_bytes: " + in_mib(config.max_memory_bytes) +
                         " are allowed, but the broker may come to need " + in_mib(sum_of(parts)) +
                         " (" + list_of(parts) +
                         "); lower one of these, or raise max_memory_bytes");
}

std::optional<std::uint64_t> control_group_limit(const ReadFile& read) {
  std::optional<std::uint64_t> limit;
  // One line a hierarchy: "0::/a/b" in version 2, "7:memory:/a/b" in version 1.
  std::istringstream lines(read("/proc/self/cgroup").value_or(std::string()));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    std::string group = line.substr(second + 1);
    group.erase(group.find_last_not_of('/') + 1);
    std::optional<std::uint64_t> found;
    if (controllers == ",,") {
      found = limit_along(read, "/sys/fs/cgroup", std::move(group), "memory.max");
    } else if (controllers.find(",memory,") != std::string::npos) {
      found = limit_along(read, "/sys/fs/cgroup/memory", std::move(group), "memory.limit_in_bytes");
    }
    if (found) {
      limit = std::min(*found, limit.value_or(kMost));
    }
  }
  return limit;
}

std::optional<std::string> memory_warning(const Config& config,
                                          std::optional<std::uint64_t> limit) {
  const std::vector<MemoryPart> parts = memory_parts(config);
  if (!limit || sum_of(parts) <= *limit) {
    return std::nullopt;
  }
  return "the control group of this process may take " + in_mib(*limit) +
         " of memory, but the broker may come to need " + in_mib(sum_of(parts)) + " (" +
         list_of(parts) + "); lower one of these, or it may be killed under load";
}

}  // namespace weir::server
