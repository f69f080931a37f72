#pragma once

#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
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
  std::uint64_t bytes = 0;  // of keys and values
};

struct ExportOptions {
  /// Rows are gathered until a block has this many bytes: at most 1 MiB. Memory is one block and
  /// one row.
  std::size_t block_bytes = std::size_t{256} << 10;
};

/// Writes every row of the reader's moment. The stream is whole only when this has succeeded.
/// Blocks. Errors: the sink's, those of reading, STORAGE_FAILED for a store whose own import was
/// not finished.
[[nodiscard]] proto::Result<TransferSummary> export_shard(const Reader& reader,
                                                          const ByteSink& sink,
                                                          const ExportOptions& options = {});

}  // namespace weir::storage
