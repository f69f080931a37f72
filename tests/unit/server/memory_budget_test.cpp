#include "broker/server/memory_budget.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir::server {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMib = std::uint64_t{1} << 20;

std::uint64_t part(const Config& config, const std::string& name) {
  for (const MemoryPart& part : memory_parts(config)) {
    if (part.name == name) {
      return part.bytes;
    }
  }
  ADD_FAILURE() << "there is no part " << name;
  return 0;
}

TEST(MemoryBudget, FollowsEachSettingThatTakesMemory) {
  const Config usual;
  const std::uint64_t usually = sum_of(memory_parts(usual));
  const auto grows = [&](auto Config::* setting, const std::string& name) {
    Config larger = usual;
    larger.*setting *= 2;
    EXPECT_EQ(part(larger, name), 2 * part(usual, name)) << name;
    EXPECT_EQ(sum_of(memory_parts(larger)), usually + part(usual, name)) << name;
    EXPECT_GT(part(usual, name), 0U) << name;
  };
  grows(&Config::write_buffer_bytes, "write_buffer_bytes");
  grows(&Config::block_cache_bytes, "block_cache_bytes");
  grows(&Config::tail_cache_bytes, "tail_cache_bytes");
  grows(&Config::idle_batch_bytes, "idle_batch_bytes");
  grows(&Config::producer_budget_bytes, "producer_budget_bytes");
  grows(&Config::max_connections, "max_connections");
}

TEST(MemoryBudget, HoldsTheDefaults) {
  EXPECT_TRUE(check_memory(Config()));
}

TEST(MemoryBudget, AllowsAllOfItAndNotAByteMore) {
  Config config;
  config.max_memory_bytes = sum_of(memory_parts(config));
  EXPECT_TRUE(check_memory(config));
  ++config.block_cache_bytes;
  EXPECT_EQ(check_memory(config).error().code, proto::Errc::kInvalidArgument);
}

TEST(MemoryBudget, SaysWhatThePartsAre) {
  Config config;
  config.max_memory_bytes = 100 * kMib;
  const std::string message = check_memory(config).error().message;
  EXPECT_THAT(message, HasSubstr("max_memory_bytes: 100 MiB"));
  for (const MemoryPart& part : memory_parts(config)) {
    EXPECT_THAT(message, HasSubstr(part.name));
  }
  EXPECT_THAT(message, HasSubstr("write_buffer_bytes 64 MiB"));
}

TEST(MemoryBudget, DoesNotWrapAround) {
  Config config;
  config.write_buffer_bytes = std::uint64_t{1} << 63;
  config.block_cache_bytes = std::uint64_t{1} << 63;
  EXPECT_FALSE(check_memory(config));
}

/// What is found where these files are, by path.
std::optional<std::uint64_t> limit_in(const std::map<std::string, std::string>& files) {
  return control_group_limit([&files](const std::string& path) -> std::optional<std::string> {
    const auto it = files.find(path);
    return it != files.end() ? std::optional(it->second) : std::nullopt;
  });
}

TEST(ControlGroupLimit, IsTheSmallestOnTheWayUp) {
  EXPECT_EQ(limit_in({{"/proc/self/cgroup", "0::/system.slice/weir.service\n"},
                      {"/sys/fs/cgroup/system.slice/weir.service/memory.max", "2147483648\n"},
                      {"/sys/fs/cgroup/system.slice/memory.max", "1073741824\n"}}),
            1024 * kMib);
  EXPECT_EQ(limit_in({{"/proc/self/cgroup", "0::/system.slice/weir.service\n"},
                      {"/sys/fs/cgroup/system.slice/weir.service/memory.max", "max\n"},
                      {"/sys/fs/cgroup/system.slice/memory.max", "max\n"}}),
            std::nullopt);
}

TEST(ControlGroupLimit, IsThatOfTheContainerAtItsRoot) {
  EXPECT_EQ(
      limit_in({{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/memory.max", "536870912\n"}}),
      512 * kMib);
}

TEST(ControlGroupLimit, KnowsTheFirstVersion) {
  EXPECT_EQ(limit_in({{"/proc/self/cgroup",
                       "12:cpu,cpuacct:/docker/x\n7:memory:/docker/x\n1:name=systemd:/docker/x\n"},
                      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"}}),
            256 * kMib);
}

TEST(ControlGroupLimit, IsNoneWhereNothingCanBeRead) {
  EXPECT_EQ(limit_in({}), std::nullopt);
  EXPECT_EQ(limit_in({{"/proc/self/cgroup", "nonsense\n\n1:x"}}), std::nullopt);
}

TEST(MemoryWarning, ComesWhenTheControlGroupAllowsLess) {
  const Config config;
  const std::uint64_t sum = sum_of(memory_parts(config));
  EXPECT_EQ(memory_warning(config, std::nullopt), std::nullopt);
  EXPECT_EQ(memory_warning(config, sum), std::nullopt);
  const auto warning = memory_warning(config, 512 * kMib);
  ASSERT_TRUE(warning.has_value());
  EXPECT_THAT(*warning, HasSubstr("512 MiB"));
  EXPECT_THAT(*warning, HasSubstr("max_connections"));
}

}  // namespace
}  // namespace weir::server
