#pragma once

#include "proto/batch/record_batch.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::sdk {

/// Puts the pieces of one partition's sequence of batches together again. Memory grows with what
/// arrives, never by what a length field claims.
class RecordAssembler {
 public:
  /// A batch that claims to be larger is MALFORMED.
  explicit RecordAssembler(std::size_t max_batch_bytes) : max_batch_bytes_(max_batch_bytes) {}

  void append(std::string_view piece) { buffer_.append(piece); }

  struct WholeBatch {
    proto::BatchHeader header;
    std::string bytes;
  };
  /// The next complete batch, its CRC checked; nullopt when more is needed. MALFORMED,
  /// CORRUPT_BATCH: nothing behind it can be read.
  [[nodiscard]] proto::Result<std::optional<WholeBatch>> next();

  /// Bytes of a batch that is not complete.
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - begin_; }
  void clear();

 private:
  std::size_t max_batch_bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace weir::sdk
