#pragma once

#include "broker/core/reply.hpp"
#include "broker/http/latency_histogram.hpp"
#include "broker/shard/shard.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::http {

/// Everything that the metrics page shows, read at one moment.
struct MetricsFacts {
  struct Queue {
    std::string name_space;
    core::QueueInfo info;
  };
  struct Topic {
    std::string name_space;
    core::TopicInfo info;
  };
  struct Storage {
    std::uint64_t write_stalls = 0;
    std::uint64_t reads = 0;
    std::uint64_t table_bytes = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t wal_bytes = 0;
    std::uint64_t write_buffer_bytes = 0;
    std::uint64_t block_cache_bytes = 0;
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
  LatencyHistogram::Snapshot commits;
  LatencyHistogram::Snapshot syncs;
  LatencyHistogram::Snapshot times_in_queue;
  std::vector<Queue> queues;
  std::vector<Topic> topics;
};

/// The page in the Prometheus text format, version 0.0.4.
std::string metrics_page(const MetricsFacts& facts);

}  // namespace weir::http
