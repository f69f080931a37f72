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
#include <utility>
#include <vector>

// The store as the rest of the broker sees it: ordered byte keys in two families, atomic batches
// that are durable when commit() returns, and snapshots for readers. RocksDB stands behind it in
// production (storage/rocks), an in-memory store that can lose what was not synced in tests.
namespace weir::storage {

/// Where a row lives. Batches go to `kLog` (large values, kept apart from the key order as blobs);
/// everything small goes to `kState`.
enum class Family : std::uint8_t { kState = 0, kLog = 1 };
inline constexpr std::size_t kFamilyCount = 2;

/// One change, in views into the WriteBatch that it is part of.
struct Operation {
  enum class Kind : std::uint8_t {
    kPut,
    kDelete,
    kDeleteRange,  // every key in [key, value); nothing when `value` is not above `key`
  };
  Kind kind = Kind::kPut;
  Family family = Family::kState;
  std::string_view key;
  std::string_view value;  // empty for kDelete
};

/// An ordered list of changes that take effect together or not at all. Later operations win over
/// earlier ones on the same key. Keys and small values lie one behind the other in one stretch of
/// memory, since a commit has many of them; large values are shared, not copied.
class WriteBatch {
 public:
  /// Copies the value.
  void put(Family family, std::string_view key, std::string_view value) {
    append({Operation::Kind::kPut, family, key, value}, {});
  }
  void put(Family family, std::string_view key, proto::SharedBytes value) {
    append({Operation::Kind::kPut, family, key, {}}, std::move(value));
  }
  void remove(Family family, std::string_view key) {
    append({Operation::Kind::kDelete, family, key, {}}, {});
  }
  void remove_range(Family family, std::string_view begin, std::string_view end) {
    append({Operation::Kind::kDeleteRange, family, begin, end}, {});
  }

  /// Calls `visit` with each Operation, in order, until it returns false. False when it did.
  template <class Visit>
  bool visit(Visit visit) const {
    std::string_view rest = bytes_;
    const auto take = [&rest](std::size_t count) {
      const std::string_view taken = rest.substr(0, count);
      rest.remove_prefix(count);
      return taken;
    };
    auto shared = shared_.begin();
    for (const Entry& entry : entries_) {
      Operation operation{entry.kind, entry.family, take(entry.key_bytes), {}};
      operation.value = entry.is_shared ? (shared++)->view() : take(entry.value_bytes);
      if (!visit(operation)) {
        return false;
      }
    }
    return true;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  /// Sum of the sizes of keys and values.
  [[nodiscard]] std::size_t bytes() const { return bytes_.size() + shared_bytes_; }

 private:
  struct Entry {
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;  // of one that is not shared
    Operation::Kind kind;
    Family family;
    bool is_shared;
  };

  void append(const Operation& operation, proto::SharedBytes shared) {
    const bool is_shared = !shared.empty();
    bytes_ += operation.key;
    if (is_shared) {
      shared_bytes_ += shared.size();
      shared_.push_back(std::move(shared));
    } else {
      bytes_ += operation.value;
    }
    entries_.push_back({static_cast<std::uint32_t>(operation.key.size()),
                        static_cast<std::uint32_t>(operation.value.size()), operation.kind,
                        operation.family, is_shared});
  }

  std::vector<Entry> entries_;
  std::string bytes_;  // keys, and values that are not shared, as the entries follow each other
  std::vector<proto::SharedBytes> shared_;
  std::size_t shared_bytes_ = 0;
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
