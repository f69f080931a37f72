#include "client/core/record_assembler.hpp"

#include "proto/limits.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {

proto::Result<std::optional<RecordAssembler::WholeBatch>> RecordAssembler::take(
    std::string_view& piece) {
  if (!header_) {
    if (!fill(proto::kBatchHeaderBytes, piece)) {
      return std::optional<WholeBatch>();
    }
    const proto::Result<proto::BatchHeader> header = proto::parse_batch_header(bytes_);
    if (!header) {
      return header.error();
    }
    if (header->total_bytes() > max_batch_bytes_) {
      return proto::fail(
          proto::Errc::kMalformed,
          "a batch of " + std::to_string(header->total_bytes()) + " bytes is over the limit");
    }
    header_ = *header;
    bytes_.reserve(std::min(header_->total_bytes(), proto::kMaxBatchBytes));
  }
  if (!fill(header_->total_bytes(), piece)) {
    return std::optional<WholeBatch>();
  }
  if (const proto::Result<> checked = proto::check_batch_crc(bytes_, *header_); !checked) {
    return checked.error();
  }
  WholeBatch batch{*header_, std::exchange(bytes_, {})};
  header_.reset();
  return std::optional(std::move(batch));
}

bool RecordAssembler::fill(std::size_t size, std::string_view& piece) {
  const std::string_view front = piece.substr(0, size - bytes_.size());
  bytes_.append(front);
  piece.remove_prefix(front.size());
  return bytes_.size() == size;
}

void RecordAssembler::clear() {
  header_.reset();
  bytes_.clear();
}

}  // namespace weir::sdk
