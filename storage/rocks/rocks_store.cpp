#include "storage/rocks/rocks_store.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/planted_bugs.hpp"
#include "storage/data_dir.hpp"
#include "storage/file.hpp"
#include "storage/rocks/crc32c_override.hpp"
#include "storage/rocks/durable_names.hpp"
#include "storage/rocks/forgiving_log.hpp"
#include "storage/rocks/manifest_cut.hpp"
#include "storage/rocks/prefilled_wal.hpp"
#include "storage/rocks/rocks_image.hpp"
#include "storage/rocks/rocks_options.hpp"
#include "storage/rocks/rocks_reader.hpp"
#include "storage/rocks/store_events.hpp"
#include "storage/rocks/table_check.hpp"
#include "storage/rocks/wal_cut.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// A buffer larger than this is given back after the commit that needed it: memory at rest is small.
constexpr std::size_t kKeptBufferBytes = std::size_t{4} << 20;
// Beside the log's contents an opening database writes a manifest, options and its own log.
constexpr std::uint64_t kRoomBytes = std::uint64_t{1} << 20;
constexpr std::size_t kCheckCacheBytes = std::size_t{1} << 20;
// What RocksDB puts around a row in a batch: tag, family, two lengths.
constexpr std::size_t kRowOverheadBytes = 16;

std::size_t encoded_bytes(std::span<const WriteBatch* const> batches) {
  std::size_t bytes = kRowOverheadBytes;
  for (const WriteBatch* batch : batches) {
    bytes += batch->bytes() + batch->size() * kRowOverheadBytes;
  }
  return bytes;
}

// Where a table is missing, RocksDB complains of the name that such a file had long ago.
std::string with_names_of_today(std::string message) {
  constexpr std::string_view kOld = ".ldb";
  for (std::size_t at = message.find(kOld); at != std::string::npos; at = message.find(kOld, at)) {
    message.replace(at, kOld.size(), ".sst");
  }
  return message;
}

std::uint64_t wal_bytes_in(const std::string& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(path, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".log") {
      std::error_code gone;  // a WAL may be deleted while we look
      const std::uintmax_t size = entry->file_size(gone);
      bytes += gone ? 0 : size;
    }
  }
  return bytes;
}

}  // namespace

class RocksStore::Impl {
 public:
  explicit Impl(OpenOptions options)
      : options_(std::move(options)),
        failures_(options_.on_failed),
        events_(std::make_shared<StoreEvents>(failures_, options_.on_wal_sync)) {}

  ~Impl() {
    if (!database_.db) {
      return;
    }
    for (rocksdb::ColumnFamilyHandle* family : database_.families) {
      database_.db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    }
    // Everything acknowledged is in the synced WAL already, so there is nothing left to fail.
    database_.db->Close().PermitUncheckedError();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  proto::Result<> open() {
    if (!crc32c_override_is_exact()) {
      return fail(Errc::kStorageFailed,
                  "this build computes a wrong CRC-32C; it must not touch a database");
    }
    if (const proto::Result<> whole = examine_wal(); !whole) {
      return whole.error();
    }
    const proto::Result<bool> cut = cut_torn_manifest(wal_);
    if (!cut) {
      return cut.error();
    }
    if (const proto::Result<> held = check_last_commit(*cut); !held) {
      return held.error();
    }
    const std::uint64_t calls_before = crc32c_override_calls();
    const RocksBudget budget = this->budget();
    // Few shards: each has its own bound, and an index part must fit into one.
    block_cache_ = rocksdb::NewLRUCache(budget.block_cache_bytes, /*num_shard_bits=*/2);
    rocksdb::DBOptions database = database_options(budget, events_);
    std::shared_ptr<rocksdb::FileSystem> files =
        make_names_durable(forgive_info_log(rocksdb::FileSystem::Default()));
    if (options_.prefill_wal) {
      files = prefill_wals(files);
    }
    env_ = rocksdb::NewCompositeEnv(files);
    database.env = env_.get();
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(
        database, options_.path, column_families(budget, block_cache_), &families, &db);
    database_.db.reset(db);
    if (!status.ok()) {
      return fail(Errc::kStorageFailed,
                  "the database in '" + options_.path +
                      "' cannot be opened: " + with_names_of_today(status.ToString()) + ". " +
                      describe_tables(options_.path));
    }
    std::copy_n(families.begin(), kFamilyCount, database_.families.begin());
    // Opening writes a manifest, so the library has computed checksums by now.
    is_crc_ours_ = crc32c_override_calls() > calls_before;
    return {};
  }

  [[nodiscard]] const OpenDatabase& database() const { return database_; }
  [[nodiscard]] const FailureLatch& failures() const { return failures_; }

  proto::Result<> commit(std::span<const WriteBatch* const> batches) {
    if (const std::optional<proto::Error> failure = failures_.failure()) {
      return *failure;
    }
    try {
      const proto::Result<> written = write(batches);
      if (!written) {
        return failures_.fail(written.error());
      }
      return {};
    } catch (const std::exception& error) {
      return failures_.fail(
          fail(Errc::kStorageFailed, std::string("a commit was broken off: ") + error.what()));
    }
  }

  proto::Result<> reclaim(Family family, std::string_view begin, std::string_view end) {
    rocksdb::ColumnFamilyHandle* handle = database_.family(family);
    rocksdb::FlushOptions flush;
    flush.allow_write_stall = true;
    rocksdb::Status status = database_.db->Flush(flush, handle);
    if (status.ok()) {
      const rocksdb::Slice first(begin);
      const rocksdb::Slice last(end);
      rocksdb::CompactRangeOptions compact;
      compact.exclusive_manual_compaction = false;
      compact.max_subcompactions = 1;
      status = database_.db->CompactRange(compact, handle, &first, end.empty() ? nullptr : &last);
    }
    if (!status.ok()) {
      return fail(Errc::kStorageFailed, "space could not be reclaimed: " + status.ToString());
    }
    return {};
  }

  proto::Result<> free_space(std::uint64_t spare_bytes, std::atomic<bool>& cancelled) {
    const std::uint64_t buffered = sum_of("rocksdb.cur-size-all-mem-tables");
    if (buffered > spare_bytes) {
      return {};
    }
    if (proto::Result<> emptied = empty_log(); !emptied) {
      return emptied;
    }
    // A compaction writes at most what the tables hold. Where they hold much, deletions go by the
    // compactions that flushes bring about.
    rocksdb::ColumnFamilyHandle* log = database_.family(Family::kLog);
    std::uint64_t tables = 0;
    if (!database_.db->GetIntProperty(log, rocksdb::DB::Properties::kTotalSstFilesSize, &tables) ||
        buffered + tables > spare_bytes) {
      return {};
    }
    rocksdb::CompactRangeOptions compact;
    compact.exclusive_manual_compaction = false;
    compact.max_subcompactions = 1;
    compact.canceled = &cancelled;
    const rocksdb::Status status = database_.db->CompactRange(compact, log, nullptr, nullptr);
    if (!status.ok() && !cancelled.load()) {
      return fail(Errc::kStorageFailed, "space could not be given back: " + status.ToString());
    }
    return {};
  }

  proto::Result<> empty_log() {
    const std::vector<rocksdb::ColumnFamilyHandle*> handles(database_.families.begin(),
                                                            database_.families.end());
    const rocksdb::Status status = database_.db->Flush(rocksdb::FlushOptions(), handles);
    if (!status.ok()) {
      return fail(Errc::kStorageFailed, "the log could not be emptied: " + status.ToString());
    }
    return {};
  }

  [[nodiscard]] RocksStatistics statistics() const {
    return {.write_stalls = events_->stalls(),
            .reads = database_.reads.load(std::memory_order_relaxed),
            .table_bytes = sum_of("rocksdb.total-sst-files-size"),
            .blob_bytes = sum_of("rocksdb.total-blob-file-size"),
            .wal_bytes = wal_bytes_in(options_.path),
            .write_buffer_bytes = sum_of("rocksdb.cur-size-all-mem-tables"),
            .block_cache_bytes = block_cache_->GetUsage(),
            .pending_compaction_bytes = sum_of("rocksdb.estimate-pending-compaction-bytes"),
            .level0_files = sum_of(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0"),
            .running_compactions = of_all("rocksdb.num-running-compactions"),
            .running_flushes = of_all("rocksdb.num-running-flushes"),
            .delayed_write_bytes_per_second = of_all("rocksdb.actual-delayed-write-rate"),
            .is_write_stopped = of_all("rocksdb.is-write-stopped") != 0};
  }

  [[nodiscard]] std::uint64_t stored_bytes() const {
    // The estimate knows what is alive in blob files as well.
    return sum_of("rocksdb.estimate-live-data-size") + sum_of("rocksdb.cur-size-all-mem-tables");
  }

  [[nodiscard]] bool is_crc_ours() const { return is_crc_ours_; }

  [[nodiscard]] const WalReport& wal() const { return wal_; }

 private:
  proto::Result<> examine_wal() {
    proto::Result<WalReport> report = scan_wal(options_.path);
    if (!report) {
      return report.error();
    }
    wal_ = std::move(*report);
    if (const proto::Result<> room = check_room(); !room) {
      return room;
    }
    if (!wal_.damage || WEIR_PLANTED(start_on_what_is_there)) {
      return {};
    }
    if (!options_.accept_damage) {
      return fail(Errc::kStorageFailed, describe_damage(wal_));
    }
    return cut_wal(options_.path, wal_);
  }

  [[nodiscard]] RocksBudget budget() const {
    return {.write_buffer_bytes = options_.write_buffer_bytes,
            .block_cache_bytes = options_.block_cache_bytes,
            .max_wal_bytes = options_.max_wal_bytes};
  }

  // A start would move what is left of a log that was cut short into tables, and the log's other
  // half, put back by a person, would no longer be read.
  proto::Result<> check_last_commit(bool is_manifest_cut) const {
    if (!options_.must_hold || options_.accept_damage || WEIR_PLANTED(ignore_the_mark) ||
        WEIR_PLANTED(start_on_what_is_there)) {
      return {};
    }
    const std::optional<CommitPoint> last =
        wal_.last_readable ? wal_.last_readable : last_commit_in_tables();
    if (!last || last->index >= *options_.must_hold) {
      return {};
    }
    const std::string end = std::to_string(last->index.value);
    return fail(Errc::kStorageFailed,
                "data loss: what is stored ends at commit " + end + ", but commit " +
                    std::to_string(options_.must_hold->value) +
                    " was already durable. A write-ahead log (*.log) in '" + options_.path +
                    "' is missing or was cut short; everything up to commit " + end +
                    " is readable. " +
                    (is_manifest_cut ? "Bytes at the end of '" + wal_.manifest.file +
                                           "' matched no checksum and were cut off; the whole file "
                                           "stays beside it as *.torn. "
                                     : "Nothing was changed. ") +
                    std::string(kDamageAdvice));
  }

  // Of a database whose log holds nothing. nullopt where it does not open: that is told by the
  // attempt that counts.
  [[nodiscard]] std::optional<CommitPoint> last_commit_in_tables() const {
    RocksBudget small = budget();
    small.block_cache_bytes = kCheckCacheBytes;
    const auto tables = open_rocks_image(options_.path, small);
    if (!tables) {
      return std::nullopt;
    }
    const proto::Result<CommitPoint> last = read_commit_point(*(*tables)->snapshot());
    return last ? std::optional(*last) : std::nullopt;
  }

  // The replay writes the log's contents to tables. Where the disk is full on the way, RocksDB ends
  // the process by an assertion, which explains nothing.
  proto::Result<> check_room() const {
    const std::string directory = std::filesystem::path(options_.path).parent_path().string();
    const proto::Result<DiskSpace> space = disk_space(directory);
    if (!space) {
      return space.error();
    }
    const std::uint64_t wanted = wal_.bytes + kRoomBytes;
    if (space->free_bytes >= wanted) {
      return {};
    }
    return fail(Errc::kStorageFailed,
                "No space left on device: the disk of '" + directory + "' has " +
                    std::to_string(space->free_bytes) + " bytes free, and a start needs " +
                    std::to_string(wanted) +
                    " to move the write-ahead log into tables. Nothing is damaged and nothing was "
                    "changed. Make room on that disk, then start again.");
  }

  proto::Result<> write(std::span<const WriteBatch* const> batches) {
    prepare_buffer(encoded_bytes(batches));
    rocksdb::Status encoded;
    for (const WriteBatch* batch : batches) {
      const auto add_next = [&](const Operation& operation) {
        encoded = add(operation);
        return encoded.ok();
      };
      if (!batch->visit(add_next)) {
        return fail(Errc::kStorageFailed, "a change could not be encoded: " + encoded.ToString());
      }
    }
    rocksdb::WriteOptions options;
    options.sync = !WEIR_PLANTED(commit_without_sync);
    const rocksdb::Status status = database_.db->Write(options, &buffer_);
    buffer_.Clear();
    if (buffer_.Data().capacity() > kKeptBufferBytes) {
      buffer_ = rocksdb::WriteBatch();
    }
    if (!status.ok()) {
      return fail(Errc::kStorageFailed, "the database could not be written: " + status.ToString());
    }
    return {};
  }

  // Growing by doubling would copy a large commit several times.
  void prepare_buffer(std::size_t bytes) {
    buffer_.Clear();
    if (buffer_.Data().capacity() < bytes) {
      buffer_ = rocksdb::WriteBatch(bytes);
    }
  }

  rocksdb::Status add(const Operation& operation) {
    rocksdb::ColumnFamilyHandle* const family = database_.family(operation.family);
    const rocksdb::Slice key(operation.key);
    const rocksdb::Slice value(operation.value);
    switch (operation.kind) {
      case Operation::Kind::kPut:
        return buffer_.Put(family, key, value);
      case Operation::Kind::kDelete:
        return buffer_.Delete(family, key);
      case Operation::Kind::kDeleteRange:
        break;
    }
    if (operation.key >= operation.value) {
      return rocksdb::Status::OK();  // RocksDB takes an inverted range for an error
    }
    return buffer_.DeleteRange(family, key, value);
  }

  // Of the database as a whole.
  [[nodiscard]] std::uint64_t of_all(const std::string& property) const {
    std::uint64_t value = 0;
    return database_.db->GetIntProperty(property, &value) ? value : 0;
  }
  // What each family has a number of its own for.
  [[nodiscard]] std::uint64_t sum_of(const std::string& property) const {
    std::uint64_t sum = 0;
    for (rocksdb::ColumnFamilyHandle* family : database_.families) {
      std::uint64_t value = 0;
      if (database_.db->GetIntProperty(family, property, &value)) {
        sum += value;
      }
    }
    return sum;
  }

  OpenOptions options_;
  FailureLatch failures_;
  std::shared_ptr<StoreEvents> events_;
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::unique_ptr<rocksdb::Env> env_;  // outlives the database
  OpenDatabase database_;
  rocksdb::WriteBatch buffer_;
  bool is_crc_ours_ = false;
  WalReport wal_;
};

RocksStore::RocksStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksStore::~RocksStore() = default;

std::unique_ptr<Reader> RocksStore::snapshot() const {
  return take_snapshot(impl_->database());
}

proto::Result<> RocksStore::commit(std::span<const WriteBatch* const> batches) {
  return impl_->commit(batches);
}

proto::Result<> RocksStore::reclaim(Family family, std::string_view begin, std::string_view end) {
  return impl_->reclaim(family, begin, end);
}

proto::Result<> RocksStore::free_space(std::uint64_t spare_bytes, std::atomic<bool>& cancelled) {
  return impl_->free_space(spare_bytes, cancelled);
}

proto::Result<> RocksStore::empty_log() {
  return impl_->empty_log();
}

std::uint64_t RocksStore::stored_bytes() const {
  return impl_->stored_bytes();
}

RocksStatistics RocksStore::statistics() const {
  return impl_->statistics();
}

std::optional<proto::Error> RocksStore::failure() const {
  return impl_->failures().failure();
}

const WalReport& RocksStore::recovered_wal() const {
  return impl_->wal();
}

std::string_view RocksStore::crc32c_in_use() const {
  if (!impl_->is_crc_ours()) {
    return "rocksdb's software";
  }
  return proto::crc32c_implementation() == "software" ? "software, ours" : "sse4.2, ours";
}

proto::Result<std::unique_ptr<RocksStore>> open_rocks_store(OpenOptions options) {
  try {
    auto impl = std::make_unique<RocksStore::Impl>(std::move(options));
    if (const proto::Result<> opened = impl->open(); !opened) {
      return opened.error();
    }
    return std::unique_ptr<RocksStore>(new RocksStore(std::move(impl)));
  } catch (const std::exception& error) {
    return fail(Errc::kStorageFailed,
                std::string("the database cannot be opened: ") + error.what());
  }
}

}  // namespace weir::storage
