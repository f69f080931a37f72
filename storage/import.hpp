#pragma once

#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"
#include "storage/transfer_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

// An exported shard (storage/export.hpp) into an empty store. What is imported is a copy: the
// original may have gone on, so its handles and ids must never fit here. A row says so until the
// shard has raised its incarnation, in the same change that removes the row.
namespace weir::storage {

struct ImportOptions {
  /// Rows are committed when there are this many bytes of them. Memory is that and two blocks.
  std::size_t commit_bytes = std::size_t{4} << 20;
  /// The copy's incarnation is to be at least this, beside being a later one than the original's.
  /// Whoever may import the same stream twice gives another number each time: else both copies
  /// would number their producers alike, and one would take a batch of the other for a repetition.
  std::uint32_t least_incarnation = 0;
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

/// What an import leaves until its incarnation has been raised.
struct ImportMark {
  std::uint32_t least_incarnation = 0;
};
/// nullopt for what was not imported, or is an ordinary shard by now. STORAGE_FAILED when the
/// import was not finished.
[[nodiscard]] proto::Result<std::optional<ImportMark>> read_import_mark(const Reader& reader);
/// Whether there is one. Errors as above.
[[nodiscard]] proto::Result<bool> was_imported(const Reader& reader);
/// The import is an ordinary shard from here on.
void remove_import_mark(WriteBatch& rows);

}  // namespace weir::storage
