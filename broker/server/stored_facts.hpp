#pragma once

#include "broker/core/row_check.hpp"
#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"
#include "storage/shard_rows.hpp"
#include "storage/transfer_reader.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir::server {

/// What was found where every row was looked at.
struct StoredFacts {
  std::string_view kind;  // "backup" or "data directory"
  std::uint32_t incarnation = 0;
  storage::TransferSummary rows;
  core::RowCheck::Counts counts;
};

/// Who looks after long work.
struct WorkWatch {
  /// Asked before each row; its error ends the work.
  std::function<proto::Result<>()> may_go_on = [] { return proto::Result<>(); };
  /// Hears that a part of it begins, and about how many bytes that has; 0: it is not known.
  std::function<void(std::string_view what, std::uint64_t bytes)> begin = [](std::string_view,
                                                                             std::uint64_t) {};
  /// Hears that so many more bytes of the part are done.
  std::function<void(std::uint64_t bytes)> advance = [](std::uint64_t) {};
};

/// Gives what `source` gives, which `watch` hears of.
[[nodiscard]] storage::ByteSource watched(storage::ByteSource source, const WorkWatch& watch);

/// Gives every row to the sink, in the order of a scan.
using VisitRows = std::function<proto::Result<storage::TransferSummary>(const storage::RowSink&)>;
/// Looks at every row that is given (broker/core/row_check.hpp). CORRUPT_BATCH, or what `visit` and
/// `watch` answer.
[[nodiscard]] proto::Result<StoredFacts> check_rows(std::string_view kind, const VisitRows& visit,
                                                    const WorkWatch& watch);
/// The rows of a data directory, at the reader's moment; `watch` hears of their bytes.
[[nodiscard]] proto::Result<StoredFacts> check_rows(const storage::Reader& reader,
                                                    const WorkWatch& watch);

/// Text for people, and one JSON object in one line with the same names, for scripts. Both end with
/// a newline.
[[nodiscard]] std::string facts_table(const StoredFacts& facts);
[[nodiscard]] std::string facts_json(const StoredFacts& facts);

}  // namespace weir::server
