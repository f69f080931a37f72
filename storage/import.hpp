#pragma once

#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"
#include "storage/transfer_reader.hpp"

#include <cstddef>

// An exported shard (storage/export.hpp) into an empty store. What is imported is a copy: the
// original may have gone on, so its handles and ids must never fit here. A row says so until the
// shard has raised its incarnation, in the same change that removes the row.
namespace weir::storage {

struct ImportOptions {
  /// Rows are committed when there are this many bytes of them. Memory is that and two blocks.
  std::size_t commit_bytes = std::size_t{4} << 20;
};

/// Reads the stream into `store`, which must be empty, in several commits. The commit row comes
/// with the last one, after everything has been checked; until then, and for ever after an error,
/// the store says that its import is not finished, and no shard starts on it: throw it away. (Where
/// that last commit itself failed, its outcome is unknown, as with any.) Who keeps a mark file
/// begins it with the point of the summary. Blocks.
///
/// CONFLICT: the store is not empty. UNSUPPORTED: a newer version wrote the stream. CORRUPT_BATCH:
/// it is damaged, cut off or goes on behind its end. Otherwise the source's errors and the store's.
[[nodiscard]] proto::Result<TransferSummary> import_shard(KeyValueStore& store,
                                                          const ByteSource& source,
                                                          const ImportOptions& options = {});

/// Whether the store holds an import whose incarnation has not been raised yet. STORAGE_FAILED when
/// the import was not finished.
[[nodiscard]] proto::Result<bool> was_imported(const Reader& reader);
/// The import is an ordinary shard from here on.
void remove_import_mark(WriteBatch& rows);

}  // namespace weir::storage
