#include "storage/shard_rows.hpp"

#include "storage/import.hpp"
#include "storage/row_digest.hpp"
#include "storage/transfer_format.hpp"

namespace weir::storage {

proto::Result<TransferSummary> visit_shard_rows(const Reader& reader, const RowSink& sink) {
  if (const auto imported = was_imported(reader); !imported) {
    return imported.error();
  }
  const proto::Result<CommitPoint> point = read_commit_point(reader);
  if (!point) {
    return point.error();
  }
  TransferSummary summary{.point = *point};
  RowsDigest digest;
  for (const Family family : {Family::kState, Family::kLog}) {
    const auto rows = reader.scan(family, "", "", {.sequential = true});
    for (; rows->valid(); rows->next()) {
      if (transfer::is_left_out(family, rows->key())) {
        continue;
      }
      ++summary.rows;
      summary.bytes += rows->key().size() + rows->value().size();
      digest.add(family, rows->key(), rows->value());
      if (const proto::Result<> taken = sink(family, rows->key(), rows->value()); !taken) {
        return taken.error();
      }
    }
    if (const proto::Result<> status = rows->status(); !status) {
      return status.error();
    }
  }
  summary.digest = digest.value();
  return summary;
}

}  // namespace weir::storage
