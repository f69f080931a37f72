#include "storage/shard_rows.hpp"

#include "storage/import.hpp"
#include "storage/transfer_format.hpp"

namespace weir::storage {

proto::Result<> ShardRows::begin() {
  if (const auto imported = was_imported(reader_); !imported) {
    return imported.error();
  }
  const proto::Result<CommitPoint> point = read_commit_point(reader_);
  if (!point) {
    return point.error();
  }
  passed_.point = *point;
  scan_ = reader_.scan(family_, "", "", {.sequential = true});
  return find();
}

proto::Result<> ShardRows::next() {
  ++passed_.rows;
  passed_.bytes += key().size() + value().size();
  digest_.add(family_, key(), value());
  scan_->next();
  return find();
}

// From where the scan stands on; behind the end of kState in kLog.
proto::Result<> ShardRows::find() {
  while (scan_) {
    if (scan_->valid()) {
      if (!transfer::is_left_out(family_, scan_->key())) {
        return {};
      }
      scan_->next();
      continue;
    }
    if (const proto::Result<> status = scan_->status(); !status) {
      return status;
    }
    scan_.reset();
    if (family_ == Family::kState) {
      family_ = Family::kLog;
      scan_ = reader_.scan(family_, "", "", {.sequential = true});
    }
  }
  return {};
}

TransferSummary ShardRows::summary() const {
  TransferSummary summary = passed_;
  summary.digest = digest_.value();
  return summary;
}

proto::Result<TransferSummary> visit_shard_rows(const Reader& reader, const RowSink& sink) {
  ShardRows rows(reader);
  if (const proto::Result<> begun = rows.begin(); !begun) {
    return begun.error();
  }
  while (rows.valid()) {
    if (const proto::Result<> taken = sink(rows.family(), rows.key(), rows.value()); !taken) {
      return taken.error();
    }
    if (const proto::Result<> gone_on = rows.next(); !gone_on) {
      return gone_on.error();
    }
  }
  return rows.summary();
}

}  // namespace weir::storage
