#include "broker/http/metrics_page.hpp"

#include "broker/http/exposition.hpp"
#include "proto/error.hpp"

#include <string_view>

namespace weir::http {
namespace {

void add_totals(const shard::ShardMetrics& shard, Exposition& page) {
  page.counter("weir_sent_total", "Messages stored in queues and topics", shard.sent_messages);
  page.counter("weir_duplicate_batches_total", "Batches that had been stored before",
               shard.duplicate_batches);
  page.counter("weir_delivered_total", "Messages handed out", shard.delivered_messages);
  page.counter("weir_redelivered_total", "Messages handed out again", shard.redelivered_messages);
  page.counter("weir_acked_total", "Messages acknowledged", shard.acked_messages);
  page.counter("weir_nacked_total", "Messages given back: failed, poison, transient, not now",
               shard.nacked_messages);
  page.counter("weir_dead_lettered_total", "Messages moved to a dead-letter queue",
               shard.dead_lettered_messages);
  page.counter("weir_expired_messages_total", "Messages dropped since they were of no use any more",
               shard.expired_messages);
  page.counter("weir_redriven_total", "Messages that a redrive moved to another queue",
               shard.redriven_messages);
  page.counter("weir_purged_total", "Messages that an operator deleted", shard.purged_messages);
  page.counter("weir_expired_total", "Leases that ended by their deadline", shard.expired_leases);
  page.counter("weir_topic_appended_records_total", "Records appended to topics",
               shard.appended_records);
  page.counter("weir_topic_appended_bytes_total", "Bytes appended to topics", shard.appended_bytes);
  page.counter("weir_topic_fetched_records_total", "Records pushed to readers of topics",
               shard.fetched_records);
  page.counter("weir_topic_fetched_bytes_total", "Bytes pushed to readers of topics",
               shard.fetched_bytes);
  page.begin_counter("weir_refused_total",
                     "What was asked for and refused: messages sent, messages settled, requests");
  const auto add_refused = [&page](std::string_view what, const shard::RefusalCounts& counts) {
    counts.visit([&](proto::Errc code, std::uint64_t count) {
      page.add(count, {{"what", what}, {"code", proto::name(code)}});
    });
  };
  add_refused("send", shard.refused_messages);
  add_refused("settlement", shard.refused_settlements);
  add_refused("request", shard.refused_requests);
  page.gauge("weir_sessions", "Sessions of clients", shard.sessions);
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

void add_backups(const shard::BackupCounts& backups, Exposition& page) {
  page.begin_counter("weir_backups_total", "Backups that clients have read, by how they ended");
  page.add(backups.done, {{"outcome", "done"}});
  page.add(backups.failed, {{"outcome", "failed"}});
  page.add(backups.abandoned, {{"outcome", "abandoned"}});
  page.gauge("weir_last_backup_time_seconds",
             "End of the last backup that was done, in seconds since 1970; 0: none since the start",
             static_cast<double>(backups.last_time) / 1'000);
  page.gauge("weir_last_backup_seconds", "What it took",
             static_cast<double>(backups.last_took_ms) / 1'000);
  page.gauge("weir_last_backup_bytes", "Its size", backups.last_bytes);
}

void add_times(const MetricsFacts& facts, Exposition& page) {
  page.histogram("weir_commit_seconds", "Write and sync of one commit", facts.commits);
  page.histogram("weir_fsync_seconds", "Sync of the write-ahead log alone", facts.syncs);
  page.histogram("weir_time_in_queue_seconds", "From the append of a message to its first hand-out",
                 facts.times_in_queue);
  page.histogram("weir_end_to_end_seconds",
                 "From the append of a message to its acknowledgement by who handled it",
                 facts.times_to_done);
}

void add_storage(const MetricsFacts& facts, Exposition& page) {
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
  page.gauge("weir_rocksdb_pending_compaction_bytes", "Bytes that compactions have to rewrite",
             facts.storage.pending_compaction_bytes);
  page.gauge("weir_rocksdb_level0_files", "Flushed tables that are not compacted yet",
             facts.storage.level0_files);
  page.gauge("weir_rocksdb_running_compactions", "Compactions at work",
             facts.storage.running_compactions);
  page.gauge("weir_rocksdb_running_flushes", "Flushes at work", facts.storage.running_flushes);
  page.gauge("weir_rocksdb_delayed_write_bytes_per_second",
             "What the database slows writes down to; 0: it does not",
             facts.storage.delayed_write_bytes_per_second);
  page.gauge("weir_rocksdb_write_stopped", "1 while the database takes no writes",
             std::uint64_t{facts.storage.is_write_stopped ? 1U : 0U});
  page.gauge("weir_commit_waiting_seconds",
             "How long the disk has not finished a commit that is under way",
             facts.commit_waits_seconds);
  page.gauge("weir_disk_free_bytes", "Free on the data directory's file system",
             facts.disk_free_bytes);
  page.gauge("weir_disk_total_bytes", "Size of the data directory's file system",
             facts.disk_total_bytes);
}

void add_process(const MetricsFacts::Process& process, Exposition& page) {
  page.counter("process_cpu_seconds_total", "Processor time, user and system", process.cpu_seconds);
  page.gauge("process_start_time_seconds", "Start, in seconds since 1970",
             process.start_time_seconds);
  page.gauge("process_resident_memory_bytes", "Resident memory", process.resident_memory_bytes);
  page.gauge("process_open_fds", "Open files and sockets", process.open_fds);
  page.gauge("process_max_fds", "How many there may be", process.max_fds);
}

}  // namespace

std::string metrics_page(const MetricsFacts& facts) {
  Exposition page;
  page.begin_gauge("weir_build_info", "What runs here");
  page.add(std::uint64_t{1},
           {{"version", facts.version}, {"compiler", facts.compiler}, {"crc32c", facts.crc32c}});
  page.gauge("weir_ready", "1 when sends are taken", std::uint64_t{facts.ready ? 1U : 0U});
  page.gauge("weir_connections", "Open connections of clients", facts.connections);
  page.counter("weir_connections_accepted_total", "Connections taken", facts.connections_accepted);
  page.counter("weir_connections_refused_total", "Connections refused at the limit",
               facts.connections_refused);
  add_totals(facts.shard, page);
  add_backups(facts.shard.backups, page);
  add_queue_metrics(facts.queues, facts.max_objects, facts.now, page);
  add_topic_metrics(facts.topics, facts.max_objects, page);
  add_times(facts, page);
  add_storage(facts, page);
  add_process(facts.process, page);
  page.gauge("weir_scrape_seconds", "What it took to make the page before this one",
             facts.last_scrape_seconds);
  return page.text();
}

}  // namespace weir::http
