#pragma once

#include "broker/core/row_check.hpp"
#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"
#include "storage/shard_rows.hpp"

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

/// Asked before each row; its error ends the work.
using MayGoOn = std::function<proto::Result<>()>;

/// Gives every row to the sink, in the order of a scan.
using VisitRows = std::function<proto::Result<storage::TransferSummary>(const storage::RowSink&)>;
/// Looks at every row that is given (broker/core/row_check.hpp). CORRUPT_BATCH, or what `visit` and
/// `may_go_on` answer.
[[nodiscard]] proto::Result<StoredFacts> check_rows(std::string_view kind, const VisitRows& visit,
                                                    const MayGoOn& may_go_on);
/// The rows of a data directory, at the reader's moment.
[[nodiscard]] proto::Result<StoredFacts> check_rows(const storage::Reader& reader,
                                                    const MayGoOn& may_go_on);

/// Text for people, and one JSON object in one line with the same names, for scripts. Both end with
/// a newline.
[[nodiscard]] std::string facts_table(const StoredFacts& facts);
[[nodiscard]] std::string facts_json(const StoredFacts& facts);

}  // namespace weir::server
