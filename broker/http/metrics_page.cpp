#include "broker/http/metrics_page.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace weir::http {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

// The families of one page, in the order in which they were begun.
class Page {
 public:
  void begin(std::string_view name, std::string_view help, prometheus::MetricType type) {
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  void begin_gauge(std::string_view name, std::string_view help) {
    begin(name, help, prometheus::MetricType::Gauge);
  }
  void begin_counter(std::string_view name, std::string_view help) {
    begin(name, help, prometheus::MetricType::Counter);
  }

  /// One value of the family that was begun last.
  void add(double value, const Labels& labels = {}) {
    prometheus::ClientMetric& metric = add_metric(labels);
    if (families_.back().type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  void add(std::uint64_t value, const Labels& labels = {}) {
    add(static_cast<double>(value), labels);
  }

  void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    begin_gauge(name, help);
    add(value);
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    begin_counter(name, help);
    add(value);
  }
  void histogram(std::string_view name, std::string_view help,
                 const LatencyHistogram::Snapshot& from) {
    begin(name, help, prometheus::MetricType::Histogram);
    prometheus::ClientMetric::Histogram& to = add_metric({}).histogram;
    to.sample_count = from.count;
    to.sample_sum = from.sum_seconds;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < from.buckets.size(); ++i) {
      cumulative += from.buckets[i];
      const double bound = i < LatencyHistogram::kBounds.size()
                               ? LatencyHistogram::kBounds[i]
                               : std::numeric_limits<double>::infinity();
      to.bucket.push_back({cumulative, bound});
    }
  }

  [[nodiscard]] std::string text() const {
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  prometheus::ClientMetric& add_metric(const Labels& labels) {
    prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
    for (const auto& [name, value] : labels) {
      metric.label.push_back({std::string(name), std::string(value)});
    }
    return metric;
  }

  std::vector<prometheus::MetricFamily> families_;
};

void add_queues(const MetricsFacts& facts, Page& page) {
  page.begin_gauge("weir_queue_messages", "Messages of a queue by state");
  for (const auto& [name_space, info] : facts.queues) {
    const std::pair<std::string_view, std::uint64_t> states[] = {{"ready", info.ready},
                                                                 {"in_flight", info.in_flight},
                                                                 {"delayed", info.delayed},
                                                                 {"dying", info.dying},
                                                                 {"parked", info.parked}};
    for (const auto& [state, count] : states) {
      page.add(count, {{"namespace", name_space}, {"queue", info.name}, {"state", state}});
    }
  }
  page.begin_gauge("weir_queue_bytes", "Bytes of all messages of a queue");
  for (const auto& [name_space, info] : facts.queues) {
    page.add(info.bytes, {{"namespace", name_space}, {"queue", info.name}});
  }
  page.begin_gauge("weir_queue_oldest_age_seconds",
                   "Age of the oldest message of a queue that is not done");
  for (const auto& [name_space, info] : facts.queues) {
    const proto::TimeMs age_ms =
        info.oldest_append_time == 0
            ? 0
            : std::max<proto::TimeMs>(facts.now - info.oldest_append_time, 0);
    page.add(static_cast<double>(age_ms) / 1e3, {{"namespace", name_space}, {"queue", info.name}});
  }
  page.begin_gauge("weir_queue_subscribers", "Subscriptions to a queue");
  for (const auto& [name_space, info] : facts.queues) {
    page.add(std::uint64_t{info.subscribers}, {{"namespace", name_space}, {"queue", info.name}});
  }
}

void add_topics(const MetricsFacts& facts, Page& page) {
  using Field = double (*)(const core::PartitionInfo&);
  const auto add = [&](std::string_view name, std::string_view help, Field field) {
    page.begin_gauge(name, help);
    for (const auto& [name_space, info] : facts.topics) {
      for (const core::PartitionInfo& partition : info.partitions) {
        page.add(field(partition), {{"namespace", name_space},
                                    {"topic", info.name},
                                    {"partition", std::to_string(partition.partition)}});
      }
    }
  };
  add("weir_topic_log_start_offset", "First offset that can be read",
      [](const core::PartitionInfo& p) { return static_cast<double>(p.log_start); });
  add("weir_topic_high_watermark_offset", "First offset that can not be read yet",
      [](const core::PartitionInfo& p) { return static_cast<double>(p.high_watermark); });
  add("weir_topic_bytes", "Bytes kept",
      [](const core::PartitionInfo& p) { return static_cast<double>(p.bytes); });
}

void add_totals(const shard::ShardMetrics& shard, Page& page) {
  page.counter("weir_sent_total", "Messages stored in queues and topics", shard.sent_messages);
  page.counter("weir_duplicate_batches_total", "Batches that had been stored before",
               shard.duplicate_batches);
  page.counter("weir_delivered_total", "Messages handed out", shard.delivered_messages);
  page.counter("weir_redelivered_total", "Messages handed out again", shard.redelivered_messages);
  page.counter("weir_acked_total", "Messages acknowledged", shard.acked_messages);
  page.counter("weir_nacked_total", "Messages given back as failed", shard.nacked_messages);
  page.counter("weir_dead_lettered_total", "Messages moved to a dead-letter queue",
               shard.dead_lettered_messages);
  page.counter("weir_expired_total", "Leases that ended by their deadline", shard.expired_leases);
  page.counter("weir_topic_appended_records_total", "Records appended to topics",
               shard.appended_records);
  page.counter("weir_topic_appended_bytes_total", "Bytes appended to topics", shard.appended_bytes);
  page.counter("weir_topic_fetched_records_total", "Records pushed to readers of topics",
               shard.fetched_records);
  page.counter("weir_topic_fetched_bytes_total", "Bytes pushed to readers of topics",
               shard.fetched_bytes);
  page.counter("weir_turns_total", "Turns of the shard", shard.turns);
  page.counter("weir_commits_total", "Commits that are on disk", shard.commits);
  page.gauge("weir_queues", "Queues", shard.queues);
  page.gauge("weir_topics", "Topics", shard.topics);
  page.gauge("weir_producers", "Producers remembered", shard.producers);
  page.gauge("weir_idle_batch_bytes", "Memory for what is known of messages that nobody holds",
             shard.idle_bytes);
  page.counter("weir_batches_paged_out_total",
               "Batches whose delivery state went to the store alone", shard.paged_out_batches);
  page.counter("weir_batches_paged_in_total", "Batches whose delivery state came back to memory",
               shard.paged_in_batches);
  page.gauge("weir_tail_cache_bytes", "Newest messages kept in memory", shard.tail_cache_bytes);
  page.gauge("weir_commit_backlog_bytes", "Decided and not on disk yet", shard.backlog_bytes);
  page.counter("weir_storage_reads_total", "Reads of messages that were not in the tail cache",
               shard.storage_reads);
  page.counter("weir_corrupt_batches_total", "Places of stored messages that could not be read",
               shard.corrupt_batches);
}

void add_times(const MetricsFacts& facts, Page& page) {
  page.histogram("weir_commit_seconds", "Write and sync of one commit", facts.commits);
  page.histogram("weir_fsync_seconds", "Sync of the write-ahead log alone", facts.syncs);
  page.histogram("weir_time_in_queue_seconds", "From the append of a message to its first hand-out",
                 facts.times_in_queue);
}

void add_storage(const MetricsFacts& facts, Page& page) {
  page.counter("weir_rocksdb_write_stalls_total", "Times that the database slowed writes down",
               facts.storage.write_stalls);
  page.counter("weir_rocksdb_reads_total", "Gets and moves of scans", facts.storage.reads);
  page.gauge("weir_rocksdb_table_bytes", "Table files", facts.storage.table_bytes);
  page.gauge("weir_rocksdb_blob_bytes", "Blob files", facts.storage.blob_bytes);
  page.gauge("weir_rocksdb_wal_bytes", "Write-ahead logs", facts.storage.wal_bytes);
  page.gauge("weir_rocksdb_write_buffer_bytes", "Rows in memory that are not flushed",
             facts.storage.write_buffer_bytes);
  page.gauge("weir_rocksdb_block_cache_bytes", "Block cache in use",
             facts.storage.block_cache_bytes);
  page.gauge("weir_commit_waiting_seconds",
             "How long the disk has not finished a commit that is under way",
             facts.commit_waits_seconds);
  page.gauge("weir_disk_free_bytes", "Free on the data directory's file system",
             facts.disk_free_bytes);
  page.gauge("weir_disk_total_bytes", "Size of the data directory's file system",
             facts.disk_total_bytes);
}

}  // namespace

std::string metrics_page(const MetricsFacts& facts) {
  Page page;
  page.begin_gauge("weir_build_info", "What runs here");
  page.add(std::uint64_t{1},
           {{"version", facts.version}, {"compiler", facts.compiler}, {"crc32c", facts.crc32c}});
  page.gauge("weir_ready", "1 when sends are taken", facts.ready ? 1 : 0);
  page.gauge("weir_connections", "Open connections of clients", facts.connections);
  page.counter("weir_connections_accepted_total", "Connections taken", facts.connections_accepted);
  page.counter("weir_connections_refused_total", "Connections refused at the limit",
               facts.connections_refused);
  add_totals(facts.shard, page);
  add_queues(facts, page);
  add_topics(facts, page);
  add_times(facts, page);
  add_storage(facts, page);
  return page.text();
}

}  // namespace weir::http
