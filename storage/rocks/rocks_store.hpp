#pragma once

#include "proto/ids.hpp"
#include "storage/kv.hpp"
#include "storage/rocks/wal_scan.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::storage {

struct OpenOptions {
  /// Directory of the database; made when it is not there (its parent must be).
  std::string path = {};
  /// Memory for rows that are not flushed yet, all families together.
  std::size_t write_buffer_bytes = std::size_t{64} << 20;
  std::size_t block_cache_bytes = std::size_t{32} << 20;
  /// About what a restart has to replay at most: 2 to 4 s a GiB.
  std::uint64_t max_wal_bytes = std::uint64_t{128} << 20;
  /// Write the WAL into zeros while commits are small, which makes their sync cheaper
  /// (storage/rocks/prefilled_wal.hpp). Off: RocksDB's own file handling.
  bool prefill_wal = true;
  /// Open although the WAL is damaged, with what lies before the damage. A person's decision, to be
  /// taken together with MissingCommits::kAccept for the mark (storage/mark_file.hpp).
  bool accept_damage = false;
  /// A commit that is known to have been durable. A log that ends before it is refused before
  /// anything is written; none: the caller compares afterwards.
  std::optional<proto::CommitIndex> must_hold = {};
  /// Told once when the store fails for good, on whichever thread met it. Must not block.
  std::function<void(const proto::Error&)> on_failed = {};
  /// Hears how long each fsync of the WAL took, on the committing thread.
  std::function<void(std::chrono::nanoseconds)> on_wal_sync = {};
};

/// Figures for metrics; cheap enough to ask for at each scrape.
struct RocksStatistics {
  std::uint64_t write_stalls = 0;  // times that writes were slowed down or stopped
  std::uint64_t reads = 0;         // gets and moves of scans
  std::uint64_t table_bytes = 0;
  std::uint64_t blob_bytes = 0;
  std::uint64_t wal_bytes = 0;  // on disk, zeros ahead of the records included
  std::uint64_t write_buffer_bytes = 0;
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t pending_compaction_bytes = 0;
  std::uint64_t level0_files = 0;
  std::uint64_t running_compactions = 0;
  std::uint64_t running_flushes = 0;
  std::uint64_t delayed_write_bytes_per_second = 0;  // 0: writes are not slowed down
  bool is_write_stopped = false;
};

/// RocksDB behind the store's interface. One thread commits; any thread reads.
///
/// The first failed write or background error is final: every later commit answers STORAGE_FAILED
/// while reads go on. Only a new process that recovers from disk writes again.
class RocksStore final : public KeyValueStore {
 public:
  ~RocksStore() override;
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  [[nodiscard]] std::unique_ptr<Reader> snapshot() const override;
  [[nodiscard]] proto::Result<> commit(std::span<const WriteBatch* const> batches) override;

  /// Frees the disk space of what was deleted in [begin, end): space comes back by itself while
  /// writes go on, but not on a broker that is idle after a purge. Blocks for as long as it takes
  /// to rewrite what is left in that range; any thread but the committing one.
  [[nodiscard]] proto::Result<> reclaim(Family family, std::string_view begin,
                                        std::string_view end);

  /// Gives the disk back what was deleted, for a disk that is full while nobody may write: by
  /// itself a store that hardly writes keeps it for ever. Writes no more than `spare_bytes` on the
  /// way, and does nothing where that is too little. Blocks, seconds at times, until it is done or
  /// `cancelled` is true; any thread but the committing one.
  [[nodiscard]] proto::Result<> free_space(std::uint64_t spare_bytes, std::atomic<bool>& cancelled);

  /// Moves what the write-ahead log holds into tables, so that the next start has nothing to
  /// replay. Blocks for as long as it takes to write the buffers. Everything committed is safe
  /// without it, and when it fails.
  [[nodiscard]] proto::Result<> empty_log();

  [[nodiscard]] RocksStatistics statistics() const;
  /// About how many bytes of rows there are, without what was deleted as far as that is known.
  [[nodiscard]] std::uint64_t stored_bytes() const;
  /// What went wrong for good, if anything did.
  [[nodiscard]] std::optional<proto::Error> failure() const;
  /// What the scan before opening saw; worth a line in the log when there is a torn end or damage.
  [[nodiscard]] const WalReport& recovered_wal() const;
  /// Which CRC-32C the database runs on, for the log at start: "sse4.2, ours", "software, ours" or
  /// "rocksdb's software".
  [[nodiscard]] std::string_view crc32c_in_use() const;

 private:
  friend proto::Result<std::unique_ptr<RocksStore>> open_rocks_store(OpenOptions options);
  class Impl;
  explicit RocksStore(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

/// Looks for damage in the WAL, then opens or makes the database. STORAGE_FAILED with a message
/// that says what is wrong and what to do; a damaged WAL is left as it is.
[[nodiscard]] proto::Result<std::unique_ptr<RocksStore>> open_rocks_store(OpenOptions options);

}  // namespace weir::storage
