#pragma once

#include "broker/http/latency_histogram.hpp"
#include "broker/http/object_metrics.hpp"
#include "broker/shard/shard_metrics.hpp"
#include "proto/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::http {

/// Everything that the metrics page shows, read at one moment.
struct MetricsFacts {
  struct Storage {
    std::uint64_t write_stalls = 0;
    std::uint64_t reads = 0;
    std::uint64_t table_bytes = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t wal_bytes = 0;
    std::uint64_t write_buffer_bytes = 0;
    std::uint64_t block_cache_bytes = 0;
    std::uint64_t pending_compaction_bytes = 0;
    std::uint64_t level0_files = 0;
    std::uint64_t running_compactions = 0;
    std::uint64_t running_flushes = 0;
    std::uint64_t delayed_write_bytes_per_second = 0;  // 0: writes are not slowed down
    bool is_write_stopped = false;
  };
  /// Of the process, by the names that Prometheus' own libraries use.
  struct Process {
    double cpu_seconds = 0;
    double start_time_seconds = 0;  // since 1970
    std::uint64_t resident_memory_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t max_fds = 0;
  };

  proto::TimeMs now = 0;  // broker time
  std::string version;
  std::string compiler;
  std::string crc32c;
  bool ready = false;
  std::uint64_t connections = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_total_bytes = 0;
  std::uint64_t commit_waits_seconds = 0;  // for the disk; 0 while nothing waits
  shard::ShardMetrics shard;
  Storage storage;
  Process process;
  LatencyHistogram::Snapshot commits;
  LatencyHistogram::Snapshot syncs;
  LatencyHistogram::Snapshot times_in_queue;
  LatencyHistogram::Snapshot times_to_done;
  /// Queues, and partitions, that have series of their own.
  std::size_t max_objects = 1'000;
  std::vector<QueueFacts> queues;  // in an order that stays
  std::vector<TopicFacts> topics;
  /// What the page before this one took.
  double last_scrape_seconds = 0;
};

/// The page in the Prometheus text format, version 0.0.4.
std::string metrics_page(const MetricsFacts& facts);

}  // namespace weir::http
