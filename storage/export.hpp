#pragma once

#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

// A shard as a stream of bytes: a backup, or the way to another machine. storage/import.hpp reads
// it back; storage/transfer_format.hpp has the layout.
namespace weir::storage {

/// Takes the next bytes of the stream, all of them; an error ends the export.
using ByteSink = std::function<proto::Result<>(std::string_view bytes)>;

/// What a stream holds.
struct TransferSummary {
  CommitPoint point;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;   // of keys and values
  std::uint64_t digest = 0;  // RowsDigest over all rows (storage/row_digest.hpp)
};

struct ExportOptions {
  /// Rows are gathered until a block has this many bytes: at most 1 MiB. Memory is one block and
  /// one row.
  std::size_t block_bytes = std::size_t{256} << 10;
};

/// The stream piece by piece, for whoever has to wait between two of them. Keeps the reader's
/// moment, and so must not outlive the store. For one thread at a time.
class ShardExport {
 public:
  explicit ShardExport(std::unique_ptr<Reader> reader, const ExportOptions& options = {});
  ~ShardExport();
  ShardExport(ShardExport&&) noexcept;
  ShardExport& operator=(ShardExport&&) noexcept;

  /// The next piece of the stream; only while it is not done. Blocks. Errors: those of reading,
  /// STORAGE_FAILED for a store whose own import was not finished. Nothing follows an error.
  [[nodiscard]] proto::Result<std::string> next();
  /// The last piece was given.
  [[nodiscard]] bool is_done() const;
  /// What was given so far; the commit point from the first piece on.
  [[nodiscard]] TransferSummary summary() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes every row of the reader's moment. The stream is whole only when this has succeeded.
/// Blocks. Errors: the sink's, those of reading, STORAGE_FAILED for a store whose own import was
/// not finished.
[[nodiscard]] proto::Result<TransferSummary> export_shard(std::unique_ptr<Reader> reader,
                                                          const ByteSink& sink,
                                                          const ExportOptions& options = {});

}  // namespace weir::storage
