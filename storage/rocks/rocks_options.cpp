#include "storage/rocks/rocks_options.hpp"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <utility>

// Figures here come from measurements with 7.8.3 on ext4 and virtio (2 cores), see README.md.
namespace weir::storage {
namespace {

constexpr std::size_t kKiB = std::size_t{1} << 10;
constexpr std::size_t kMiB = std::size_t{1} << 20;

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  // Rows are read in runs; larger blocks mean a quarter of the index.
  table.block_size = 16 * kKiB;
  // Indexes and filters grow with the data; outside of the cache they would have no bound.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // An index larger than the cache would push itself out at every read; in parts it does not.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4 * kKiB;
  table.format_version = 5;
  return table;
}

rocksdb::ColumnFamilyOptions common_family_options() {
  rocksdb::ColumnFamilyOptions family;
  // FIFO would drop the oldest file of all logs together; universal was no faster.
  family.compaction_style = rocksdb::kCompactionStyleLevel;
  // Batches are compressed by their producers, and state rows are small and short-lived.
  family.compression = rocksdb::kNoCompression;
  family.bottommost_compression = rocksdb::kDisableCompressionOption;
  family.target_file_size_base = 32 * kMiB;
  return family;
}

rocksdb::ColumnFamilyOptions state_options(const RocksBudget& budget,
                                           const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::ColumnFamilyOptions family = common_family_options();
  // One quarter of the budget, in two halves: one fills while the other is flushed.
  family.write_buffer_size = budget.write_buffer_bytes / 8;
  family.max_write_buffer_number = 2;
  rocksdb::BlockBasedTableOptions table = table_options(block_cache);
  // Many single reads ask for rows that are not there: an unknown producer, an untouched batch.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

rocksdb::ColumnFamilyOptions log_options(const RocksBudget& budget,
                                         const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::ColumnFamilyOptions family = common_family_options();
  // Three quarters of the budget, in three parts, so that a slow flush does not stop the writer.
  family.write_buffer_size = budget.write_buffer_bytes / 4;
  family.max_write_buffer_number = 3;
  // Large batches are written once to the WAL and once to a blob file and never moved again:
  // measured write amplification 2.0 against 3 to 5 in the tree.
  family.enable_blob_files = true;
  family.min_blob_size = 4096;
  // A blob file goes when its last batch is deleted; small files keep a slow log from pinning much.
  family.blob_file_size = 32 * kMiB;
  family.blob_compression_type = rocksdb::kNoCompression;
  // With it on, live blobs were rewritten even where there was no garbage at all.
  family.enable_blob_garbage_collection = false;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(block_cache)));
  return family;
}

}  // namespace

rocksdb::DBOptions database_options(const RocksBudget& budget,
                                    std::shared_ptr<rocksdb::EventListener> events) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.listeners = {std::move(events)};

  // -- durability
  options.paranoid_checks = true;
  // The only mode that loses nothing synced at a torn tail and still opens. It also opens when the
  // middle is damaged, without a word; the WAL scan and the mark file look for that.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Reused WAL files would hold valid old records behind a torn tail; every safe mode ignores it.
  options.recycle_log_file_num = 0;
  // Had no effect on any damage that was tried, and 7.8 can report closed WALs missing that are
  // there (RocksDB pull request 10892).
  options.track_and_verify_wals_in_manifest = false;
  options.manual_wal_flush = false;
  options.allow_2pc = false;
  options.two_write_queues = false;
  options.atomic_flush = false;  // the WAL is always written, so families need no common flush
  // A failed write or fsync is final: the process stops and recovers from disk.
  options.max_bgerror_resume_count = 0;

  // -- one committing thread: nothing to run side by side, so the plain path
  options.unordered_write = false;
  options.enable_pipelined_write = false;
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;

  // -- bounds
  options.db_write_buffer_size = budget.write_buffer_bytes;
  options.max_total_wal_size = budget.max_wal_bytes;
  options.max_background_jobs = 2;  // one flush, one compaction
  // All files open would cost a descriptor and a table reader per 32 MiB of data.
  options.max_open_files = 512;
  options.max_file_opening_threads = 2;
  options.table_cache_numshardbits = 2;
  options.max_manifest_file_size = 16 * kMiB;
  options.max_log_file_size = 4 * kMiB;
  options.keep_log_file_num = 2;
  // The default depends on how the caller is compiled: a header looks at NDEBUG.
  options.info_log_level = rocksdb::InfoLogLevel::INFO_LEVEL;

  // -- smoothness
  options.bytes_per_sync =
      kMiB;  // flushes reach the disk bit by bit, not in one burst beside a commit
  // A reader that ends must not delete files on the thread of its owner.
  options.avoid_unnecessary_blocking_io = true;

  // -- start and idle
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> column_families(
    const RocksBudget& budget, const std::shared_ptr<rocksdb::Cache>& block_cache) {
  // RocksDB always has a family "default"; it is the one for state.
  return {{rocksdb::kDefaultColumnFamilyName, state_options(budget, block_cache)},
          {"log", log_options(budget, block_cache)}};
}

}  // namespace weir::storage
