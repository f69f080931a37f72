#pragma once

#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"

#include <functional>
#include <string_view>

namespace weir::storage {

/// Takes the next row; an error ends the reading. The views last for the call.
using RowSink =
    std::function<proto::Result<>(Family family, std::string_view key, std::string_view value)>;

/// Gives every row of the reader's moment that an export would hold, in its order. Blocks. Errors:
/// the sink's, those of reading, STORAGE_FAILED for a store whose own import was not finished.
[[nodiscard]] proto::Result<TransferSummary> visit_shard_rows(const Reader& reader,
                                                              const RowSink& sink);

}  // namespace weir::storage
