#pragma once

#include "storage/memory_store.hpp"
#include "storage/rocks/rocks_store.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::power {

/// A digest of every row, in order. STORAGE_FAILED or CORRUPT_BATCH when one cannot be read.
[[nodiscard]] proto::Result<std::uint64_t> rows_digest(const storage::Reader& reader);

/// Between a log and its store: keeps the same rows in memory and notes each commit with the digest
/// of what must be there when it counts. Outlives the broker's lives.
class Witness {
 public:
  Witness();
  ~Witness();

  /// The store of a new life. Notes what it recovered, which must be rows that were committed.
  /// `store` outlives the result, this too.
  using Attached = proto::Result<std::unique_ptr<storage::KeyValueStore>>;
  [[nodiscard]] Attached attach(storage::KeyValueStore& store);
  /// The same where somebody else has judged the rows already: they are what they are.
  [[nodiscard]] Attached adopt(storage::KeyValueStore& store);

 private:
  class Store;
  struct Commit {
    std::uint64_t index = 0;
    std::vector<storage::WriteBatch> batches;
  };

  void begin(std::span<const storage::WriteBatch* const> batches);
  [[nodiscard]] Attached watched(storage::KeyValueStore& store);

  std::unique_ptr<storage::MemoryStore> model_;
  std::vector<Commit> commits_;
  std::uint64_t newest_ = 0;  // index of the last commit
};

}  // namespace weir::power
