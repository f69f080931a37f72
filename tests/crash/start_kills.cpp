#include "tests/crash/start_kills.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>

namespace weir::crash {
namespace {

constexpr std::uint64_t kKilledPercent = 50;
constexpr std::uint64_t kAgainPercent = 60;
constexpr std::uint32_t kMostKills = 5;

/// Files that a database makes when it recovers, and nobody before.
std::set<std::string> database_files(const std::filesystem::path& data_dir) {
  std::set<std::string> names;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(data_dir / "db", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with("LOG") && name != "LOCK") {
      names.insert(name);
    }
  }
  return names;
}

proto::Result<> start_and_kill(BrokerProcess& broker, Random& random, KillCounts& counts) {
  const std::set<std::string> before = database_files(broker.data_dir());
  const auto longest = static_cast<std::uint64_t>(std::max<std::int64_t>(broker.start_ms(), 1));
  if (proto::Result<> begun = broker.begin(); !begun) {
    return begun;
  }
  if (broker.wait_end(static_cast<int>(random.between(0, longest)))) {
    return broker.explain_loss();
  }
  if (proto::Result<> killed = broker.kill(); !killed) {
    return killed;
  }
  const std::set<std::string> after = database_files(broker.data_dir());
  if (std::filesystem::exists(broker.ready_file())) {
    ++counts.started;
  } else if (std::ranges::includes(before, after)) {
    ++counts.startup;
  } else {
    ++counts.recovery;
  }
  return {};
}

}  // namespace

proto::Result<> start_with_kills(BrokerProcess& broker, Random& random, KillCounts& counts) {
  bool again = random.percent(kKilledPercent);
  for (std::uint32_t i = 0; again && i < kMostKills; ++i) {
    if (proto::Result<> killed = start_and_kill(broker, random, counts); !killed) {
      return killed;
    }
    again = random.percent(kAgainPercent);
  }
  return broker.start();
}

}  // namespace weir::crash
