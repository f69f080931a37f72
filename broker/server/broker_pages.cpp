#include "broker/server/broker.hpp"
#include "broker/server/process_facts.hpp"

#include <string>
#include <vector>

// What the HTTP port says of a broker.
namespace weir::server {
namespace {

std::uint64_t seconds_of(std::chrono::steady_clock::duration time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

http::Pages Broker::pages() {
  http::Pages pages;
  pages.ill = [this] {
    const std::optional<proto::Error> failure = store_->failure();
    return failure ? failure->to_string() : std::string();
  };
  pages.not_ready = [this] { return not_ready(); };
  pages.metrics = [this] { return metrics(); };
  return pages;
}

std::vector<std::string> Broker::not_ready() const {
  std::vector<std::string> reasons;
  if (state_ == State::kStarting) {
    reasons.emplace_back("starting");
  }
  if (state_ > State::kServing) {
    reasons.emplace_back("shutting down");
  }
  if (disk_full_) {
    reasons.emplace_back("the disk is nearly full");
  }
  if (store_->failure()) {
    reasons.emplace_back("storage failed");
  }
  if (shard_->metrics().backlog_bytes >= shard::ShardOptions().max_backlog_bytes) {
    reasons.emplace_back("the disk is behind");
  }
  if (log_ && log_->waits_for() >= kDiskHangs) {
    reasons.push_back("the disk has not finished a commit for " +
                      std::to_string(seconds_of(log_->waits_for())) + " s");
  }
  return reasons;
}

std::string Broker::metrics() {
  const auto began = std::chrono::steady_clock::now();
  http::MetricsFacts facts;
  facts.now = clock_->now();
  facts.version = WEIR_VERSION;
  facts.compiler = __VERSION__;
  facts.crc32c = store_->crc32c_in_use();
  facts.ready = not_ready().empty();
  facts.connections = listener_->connections();
  facts.connections_accepted = listener_->accepted();
  facts.connections_refused = listener_->refused();
  facts.disk_free_bytes = disk_->space().free_bytes;
  facts.disk_total_bytes = disk_->space().total_bytes;
  facts.shard = shard_->metrics();
  facts.commit_waits_seconds = seconds_of(log_->waits_for());
  const storage::RocksStatistics storage = store_->statistics();
  facts.storage = {.write_stalls = storage.write_stalls,
                   .reads = storage.reads,
                   .table_bytes = storage.table_bytes,
                   .blob_bytes = storage.blob_bytes,
                   .wal_bytes = storage.wal_bytes,
                   .write_buffer_bytes = storage.write_buffer_bytes,
                   .block_cache_bytes = storage.block_cache_bytes,
                   .pending_compaction_bytes = storage.pending_compaction_bytes,
                   .level0_files = storage.level0_files,
                   .running_compactions = storage.running_compactions,
                   .running_flushes = storage.running_flushes,
                   .delayed_write_bytes_per_second = storage.delayed_write_bytes_per_second,
                   .is_write_stopped = storage.is_write_stopped};
  facts.process = read_process_facts();
  facts.commits = commits_.read();
  facts.syncs = syncs_.read();
  facts.times_in_queue = times_in_queue_.read();
  facts.times_to_done = times_to_done_.read();
  facts.max_objects = config_.metrics_max_objects;
  facts.last_scrape_seconds = last_scrape_seconds_;
  shard_->visit_queues([&](const std::string& name_space, const core::QueueInfo& info) {
    facts.queues.push_back(
        {.name_space = name_space, .info = info, .counters = shard_->queue_counters(info.id)});
  });
  shard_->visit_topics([&](const std::string& name_space, const core::TopicInfo& info) {
    facts.topics.push_back({.name_space = name_space, .info = info});
  });
  std::string page = http::metrics_page(facts);
  last_scrape_seconds_ =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return page;
}

}  // namespace weir::server
