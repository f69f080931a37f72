#pragma once

#include "proto/bytes.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The store as the rest of the broker sees it: ordered byte keys in two families, atomic batches
// that are durable when commit() returns, and snapshots for readers. RocksDB stands behind it in
// production (storage/rocks), an in-memory store that can lose what was not synced in tests.
namespace weir::storage {

/// Where a row lives. Batches go to `kLog` (large values, kept apart from the key order as blobs);
/// everything small goes to `kState`.
enum class Family : std::uint8_t { kState = 0, kLog = 1 };
inline constexpr std::size_t kFamilyCount = 2;

struct Put {
  Family family;
  std::string key;
  proto::SharedBytes value;
};
struct Delete {
  Family family;
  std::string key;
};
/// Deletes every key in [begin, end); nothing when `end` is not above `begin`.
struct DeleteRange {
  Family family;
  std::string begin;
  std::string end;
};
using Operation = std::variant<Put, Delete, DeleteRange>;

/// An ordered list of changes that take effect together or not at all. Later operations win over
/// earlier ones on the same key. Values are shared, not copied.
class WriteBatch {
 public:
  void put(Family family, std::string key, std::string value) {
    put(family, std::move(key), proto::SharedBytes(std::move(value)));
  }
  void put(Family family, std::string key, proto::SharedBytes value) {
    bytes_ += key.size() + value.size();
    operations_.emplace_back(Put{family, std::move(key), std::move(value)});
  }
  void remove(Family family, std::string key) {
    bytes_ += key.size();
    operations_.emplace_back(Delete{family, std::move(key)});
  }
  void remove_range(Family family, std::string begin, std::string end) {
    bytes_ += begin.size() + end.size();
    operations_.emplace_back(DeleteRange{family, std::move(begin), std::move(end)});
  }

  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }
  /// Sum of the sizes of keys and values.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return operations_.empty(); }

 private:
  std::vector<Operation> operations_;
  std::size_t bytes_ = 0;
};

/// How a scan will be used, so that the store can read well.
struct ScanOptions {
  /// Read ahead in large steps and leave the block cache alone: for long sequential replays.
  bool sequential = false;
};

/// A scan over keys in ascending order within [lower, upper) of one family. key() and value() are
/// valid until the next move. After a failed read valid() is false and status() holds the error:
/// check it after the loop, or a damaged block looks like the end.
class Iterator {
 public:
  virtual ~Iterator() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  virtual void next() = 0;
  /// Moves to the first key >= `key` that lies inside the bounds.
  virtual void seek(std::string_view key) = 0;
  /// Moves to the last key <= `key` that lies inside the bounds.
  virtual void seek_for_prev(std::string_view key) = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
  [[nodiscard]] virtual proto::Result<> status() const = 0;
};

/// Reads of one moment. Thread-safe for concurrent readers, except that an Iterator belongs to one
/// thread. Errors of a read: CORRUPT_BATCH where the checksum of what holds rows of kLog does not
/// match, STORAGE_FAILED for that of any other row and for the disk's own errors.
class Reader {
 public:
  virtual ~Reader() = default;
  /// The value, or nullopt when the key is absent.
  [[nodiscard]] virtual proto::Result<std::optional<std::string>> get(
      Family family, std::string_view key) const = 0;
  /// Stands on the first key of [lower, upper); an empty `upper` is no bound. The scan keeps the
  /// moment of this reader, even when the reader is destroyed first.
  [[nodiscard]] virtual std::unique_ptr<Iterator> scan(Family family, std::string_view lower,
                                                       std::string_view upper,
                                                       ScanOptions options) const = 0;
};

class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;

  /// A consistent view of everything committed so far. Must not outlive the store.
  [[nodiscard]] virtual std::unique_ptr<Reader> snapshot() const = 0;

  /// Writes all batches in order as one atomic change and returns when it is on disk. Blocks;
  /// called from one thread only. After an error the outcome is unknown and the store takes no
  /// further writes: the caller stops and recovers from disk. Never retried.
  [[nodiscard]] virtual proto::Result<> commit(std::span<const WriteBatch* const> batches) = 0;
};

}  // namespace weir::storage
