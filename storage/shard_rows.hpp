#pragma once

#include "proto/result.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"
#include "storage/row_digest.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace weir::storage {

/// Takes the next row; an error ends the reading. The views last for the call.
using RowSink =
    std::function<proto::Result<>(Family family, std::string_view key, std::string_view value)>;

/// The rows of a reader's moment that an export holds, one after the other: kState, then kLog, each
/// in the order of its keys. For one thread at a time.
class ShardRows {
 public:
  /// The reader outlives this.
  explicit ShardRows(const Reader& reader) : reader_(reader) {}

  /// Goes to the first row. Once, first. Errors: those of reading, STORAGE_FAILED for a store whose
  /// own import was not finished. Nothing follows an error.
  [[nodiscard]] proto::Result<> begin();
  /// False behind the last row.
  [[nodiscard]] bool valid() const { return scan_ != nullptr; }
  [[nodiscard]] Family family() const { return family_; }
  /// Both last until next().
  [[nodiscard]] std::string_view key() const { return scan_->key(); }
  [[nodiscard]] std::string_view value() const { return scan_->value(); }
  /// Goes on to the next row. Errors: those of reading.
  [[nodiscard]] proto::Result<> next();
  /// Of the rows that were passed by; the commit point from begin() on.
  [[nodiscard]] TransferSummary summary() const;

 private:
  proto::Result<> find();

  const Reader& reader_;
  Family family_ = Family::kState;
  std::unique_ptr<Iterator> scan_;  // of the family, at a row
  RowsDigest digest_;
  TransferSummary passed_;
};

/// Gives every row of the reader's moment that an export would hold, in its order. Blocks. Errors:
/// the sink's, those of reading, STORAGE_FAILED for a store whose own import was not finished.
[[nodiscard]] proto::Result<TransferSummary> visit_shard_rows(const Reader& reader,
                                                              const RowSink& sink);

}  // namespace weir::storage
