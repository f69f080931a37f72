#pragma once

#include "broker/net/config_reload.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::server {

/// Settings of a broker, with their defaults. One word names a setting everywhere: `data_dir` in
/// the file, --data-dir as a flag, WEIR_DATA_DIR in the environment.
struct Config {
  std::string data_dir = "weir-data";
  std::string listen = "127.0.0.1:7340";
  /// Empty: no HTTP.
  std::string http = "127.0.0.1:7341";
  std::string log_level = "info";
  std::string log_format = "text";
  /// Gets the addresses in use once the broker takes requests; empty: none.
  std::string ready_file;
  std::uint32_t max_connections = 10'000;
  /// Queues, and partitions, with series of their own on the metrics page.
  std::uint32_t metrics_max_objects = 1'000;
  /// What all that takes memory and is bounded may come to together (memory_budget.hpp).
  std::uint64_t max_memory_bytes = std::uint64_t{8} << 30;
  std::uint64_t producer_budget_bytes = std::uint64_t{64} << 20;
  std::uint64_t tail_cache_bytes = std::uint64_t{32} << 20;
  std::uint64_t idle_batch_bytes = std::uint64_t{16} << 20;
  std::uint64_t write_buffer_bytes = std::uint64_t{64} << 20;
  std::uint64_t block_cache_bytes = std::uint64_t{32} << 20;
  std::uint64_t max_wal_bytes = std::uint64_t{128} << 20;
  /// Threads wait awake for what is likely to come within this; 0: they sleep.
  std::uint32_t spin_us = 1'000;
  /// Sends are refused while less is free; nullopt: the larger of 1 GiB and 5 %.
  std::optional<std::uint64_t> min_free_disk_bytes;
  /// Kept aside so that a full disk can still be drained; 0: none.
  std::uint64_t ballast_bytes = std::uint64_t{256} << 20;
  /// How long clients have to leave when the broker stops.
  std::uint32_t drain_ms = 10'000;
  /// Listen beyond loopback although there is no authentication yet.
  bool insecure = false;
  /// Start although what was acknowledged is missing or damaged. For this one start, on a person's
  /// word.
  bool accept_damage = false;
};

/// Values by setting, as text, from one source.
using Values = std::map<std::string, std::string, std::less<>>;

/// What `lookup("WEIR_DATA_DIR")` and so on give.
Values read_environment(const std::function<const char*(const char*)>& lookup);

/// Defaults overridden by each source in turn, the last one wins; then the settings are checked
/// against each other. INVALID_ARGUMENT with the setting's name and what it may be.
proto::Result<Config> make_config(const std::vector<Values>& sources);

/// A running broker's settings after a look at fresh ones.
struct Reloaded {
  Config config;             // as before, but for what is taken
  net::ConfigReload report;  // but for the file
};
/// INVALID_ARGUMENT when the settings that can be taken do not fit those that stay: the file fits
/// only as a whole, and nothing of it is taken.
proto::Result<Reloaded> reload(const Config& running, const Config& fresh);

}  // namespace weir::server
