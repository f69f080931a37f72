#pragma once

#include "proto/batch/record_batch.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::sdk {

/// Puts the pieces of one partition's sequence of batches together again: each byte is copied once,
/// into the batch that leaves. What a length field claims makes room for at most one batch of the
/// usual limit; beyond that, memory grows with what arrives.
class RecordAssembler {
 public:
  /// A batch that claims to be larger is MALFORMED.
  explicit RecordAssembler(std::size_t max_batch_bytes) : max_batch_bytes_(max_batch_bytes) {}

  struct WholeBatch {
    proto::BatchHeader header;
    std::string bytes;
  };
  /// Takes from the front of `piece` what belongs to the batch at hand. The batch once it is
  /// complete, its CRC checked; nullopt when the piece is used up. MALFORMED, CORRUPT_BATCH:
  /// nothing behind it can be read, and the same is answered from now on.
  [[nodiscard]] proto::Result<std::optional<WholeBatch>> take(std::string_view& piece);

  /// Bytes of a batch that is not complete.
  [[nodiscard]] std::size_t buffered() const { return bytes_.size(); }
  void clear();

 private:
  /// Moves the front of `piece` behind what is held, up to `size` bytes in all; true when there.
  [[nodiscard]] bool fill(std::size_t size, std::string_view& piece);

  std::size_t max_batch_bytes_;
  std::optional<proto::BatchHeader> header_;  // of the batch at hand, once it is there
  std::string bytes_;
};

}  // namespace weir::sdk
