#pragma once

#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/export.hpp"
#include "storage/kv.hpp"
#include "storage/row_digest.hpp"
#include "storage/shard_rows.hpp"
#include "storage/transfer_format.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weir::storage {

/// Fills the front of `into` with the next bytes and tells how many; 0 at the end of the stream.
using ByteSource = std::function<proto::Result<std::size_t>(std::span<char> into)>;

/// Reads an exported shard and checks all that its layout can tell. Memory is two blocks. Errors:
/// UNSUPPORTED: a newer version wrote the stream; CORRUPT_BATCH: it is damaged, cut off or goes on
/// behind its end; else the source's and the sink's. Nothing follows an error.
class TransferReader {
 public:
  /// The source outlives this.
  explicit TransferReader(const ByteSource& source) : source_(source) {}

  /// The commit point that the rows are of. Once, first.
  [[nodiscard]] proto::Result<CommitPoint> read_header();
  /// Gives all rows in order, up to the trailer, which must be right and the end. What came before
  /// an error is not to be trusted.
  [[nodiscard]] proto::Result<TransferSummary> read_rows(const RowSink& sink);

 private:
  proto::Result<std::size_t> fill(std::span<char> into);
  proto::Result<std::string> read_raw(std::size_t bytes);
  proto::Result<std::string> read(std::size_t bytes);
  proto::Result<> check_crc();
  proto::Result<> take_rows(std::string_view payload, const RowSink& sink);
  proto::Result<> take_row(Family family, std::string_view key, std::string_view value,
                           const RowSink& sink);
  proto::Result<> check_trailer(std::string_view payload);

  const ByteSource& source_;
  CommitPoint point_;
  std::uint32_t crc_ = 0;
  std::optional<std::pair<Family, std::string>> last_;
  transfer::Totals totals_;
  RowsDigest digest_;
};

}  // namespace weir::storage
