#pragma once

#include "proto/batch/stored_batch.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

// A log of batches over the store: one row a batch, keyed by its last offset, and a sparse index by
// time. Writers only add rows to a change; readers see one moment and prove that nothing is missing
// by the chain of prev_last_offset: damage is an error, never a skip.
namespace weir::storage {

/// One life of a log; a purge begins the next generation.
struct LogRef {
  proto::LogId id;
  std::uint32_t generation = 0;
};

/// The offsets that a log holds: [start, upper).
struct LogBounds {
  proto::Offset start = 0;
  /// For readers the high watermark: nothing at or above it is shown. It must have been published
  /// before the snapshot was taken, so that the snapshot holds everything below it.
  proto::Offset upper = 0;
};

/// A batch that a log gives back; shares its bytes.
struct LogBatch {
  proto::Offset base_offset = 0;
  proto::Offset last_offset = 0;
  proto::StoredHeader header;
  proto::SharedBytes stored;  // header of ours and RecordBatch

  [[nodiscard]] std::string_view batch() const {
    return stored.view().substr(proto::kStoredHeaderBytes);
  }
};

// ---- writing

/// What append() has to know of the past to place index rows. Kept by the owner of the log, so that
/// equal histories write equal rows; a fresh one costs an extra row.
struct TimeIndexState {
  std::optional<proto::TimeMs> last_row_time = std::nullopt;
  std::size_t bytes_since_row = 0;
};
/// An index row is written for a batch once so many bytes or so much time lie behind the last one.
inline constexpr std::size_t kTimeIndexBytes = std::size_t{64} << 10;
inline constexpr proto::TimeMs kTimeIndexMs = 1000;

/// A finished stored batch (proto/batch/stored_batch.hpp) and where it goes.
struct Append {
  proto::Offset last_offset = 0;
  proto::TimeMs append_time = 0;
  proto::SharedBytes stored;
};
/// Adds the batch's row, and an index row when one is due. Times never go back within a log.
void append_to_log(WriteBatch& rows, LogRef log, Append append, TimeIndexState& index);

struct Truncation {
  proto::Offset old_start = 0;
  proto::Offset new_start = 0;
  /// Append time of the first batch that stays, or an earlier one when it is not known (then a few
  /// index rows stay behind, which harms nobody). Broker time now when nothing stays.
  proto::TimeMs kept_time = 0;
};
/// Deletes the batches whose last offset is below the new start. The start itself is a row of the
/// owner's, to be written in the same change.
void truncate_log(WriteBatch& rows, LogRef log, const Truncation& truncation);

/// Deletes every row of this generation.
void delete_log(WriteBatch& rows, LogRef log);

// ---- reading

/// Reads a log forward in one moment. Everything below `bounds.upper` comes, in order, or an error:
/// CORRUPT_BATCH where a batch is damaged or missing, STORAGE_FAILED where the disk fails. Holds
/// its moment of the store, and with it deleted data and memory: use it for seconds, then open
/// another.
class LogCursor {
 public:
  /// Stands at `from`. OFFSET_OUT_OF_RANGE outside of [start, upper]; at `upper` there is nothing
  /// to read. `options.sequential` suits long replays.
  [[nodiscard]] static proto::Result<LogCursor> open(const Reader& reader, LogRef log,
                                                     LogBounds bounds, proto::Offset from,
                                                     ScanOptions options = {});

  struct Piece {
    /// Stop before the batch that would go beyond it, but give at least one.
    std::size_t max_bytes = proto::kMaxPieceBytes;
    /// Check each RecordBatch's own CRC as well, not only the headers.
    bool verify_records = false;
  };
  /// The next batches; none when `upper` is reached. The first one may begin before `from`. After
  /// an error the cursor stays where the error is.
  [[nodiscard]] proto::Result<std::vector<LogBatch>> next(const Piece& piece);

  /// First offset that was not given yet.
  [[nodiscard]] proto::Offset position() const { return position_; }

 private:
  LogCursor(LogRef log, LogBounds bounds, proto::Offset from)
      : log_(log), bounds_(bounds), position_(from) {}
  [[nodiscard]] proto::Result<std::optional<LogBatch>> read_one(bool verify_records);
  [[nodiscard]] proto::Error damage(std::string_view what) const;

  LogRef log_;
  LogBounds bounds_;
  proto::Offset position_;
  std::optional<proto::Offset> previous_last_;  // of the batch given before
  std::unique_ptr<Iterator> scan_;
  bool is_behind_ = false;        // the scan still stands on the batch given before
  std::optional<LogBatch> held_;  // read, but too large for the piece it was read for
};

/// Takes a snapshot, then reads the log's start through it by `start_of`, then opens a cursor: in
/// this order a truncation can only show as OFFSET_OUT_OF_RANGE, never as a silent skip.
[[nodiscard]] proto::Result<LogCursor> open_log(
    const KeyValueStore& store, LogRef log, proto::Offset upper, proto::Offset from,
    const std::function<proto::Result<proto::Offset>(const Reader&)>& start_of);

/// The batch that holds `offset`, or nullopt when there is none. For logs whose rows are deleted
/// one by one (queues), where a missing row is no damage.
[[nodiscard]] proto::Result<std::optional<LogBatch>> read_batch(const Reader& reader, LogRef log,
                                                                proto::Offset offset);

/// Base offset of the first batch appended at or after `time`; nullopt when there is none.
[[nodiscard]] proto::Result<std::optional<proto::Offset>> find_by_time(const Reader& reader,
                                                                       LogRef log, LogBounds bounds,
                                                                       proto::TimeMs time);

}  // namespace weir::storage
