#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

// A batch as it lies on disk: a small fixed header of ours, then the RecordBatch untouched. Ours
// covers what Kafka's CRC does not (offset, epoch, length) and chains each batch to the one before
// it, so that a hole in a log can be told from a legal gap. Little-endian.
namespace weir::proto {

inline constexpr std::size_t kStoredHeaderBytes = 32;
inline constexpr std::uint8_t kStoredFormat = 1;

enum class StoredKind : std::uint8_t {
  kData = 1,     // as its producer sent it
  kRebuilt = 2,  // made by the broker: dead-lettered, repacked, compacted
};

struct StoredHeader {
  StoredKind kind = StoredKind::kData;
  /// Broker time of the append.
  TimeMs append_time = 0;
  /// Last offset of the batch before this one in the same log; -1 for the first.
  Offset prev_last_offset = -1;
};

/// Writes the header into the first kStoredHeaderBytes of `stored`, which must already hold the
/// finished batch (offset and epoch poked) behind them: the checksum covers the batch's header too.
void write_stored_header(std::string& stored, const StoredHeader& header);

struct StoredBatchView {
  StoredHeader header;
  std::string_view batch;
};

/// Splits and checks a stored value. CORRUPT_BATCH when format, size or checksum do not fit;
/// `verify_records` also checks the RecordBatch's own CRC.
Result<StoredBatchView> parse_stored_batch(std::string_view stored, bool verify_records);

}  // namespace weir::proto
