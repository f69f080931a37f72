#include "client/core/record_assembler.hpp"

#include <utility>

namespace weir::sdk {

proto::Result<std::optional<RecordAssembler::WholeBatch>> RecordAssembler::next() {
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  if (rest.size() < proto::kBatchHeaderBytes) {
    return std::optional<WholeBatch>();
  }
  const proto::Result<proto::BatchHeader> header = proto::parse_batch_header(rest);
  if (!header) {
    return header.error();
  }
  const std::size_t total = header->total_bytes();
  if (total > max_batch_bytes_) {
    return proto::fail(proto::Errc::kMalformed,
                       "a batch of " + std::to_string(total) + " bytes is over the limit");
  }
  if (rest.size() < total) {
    return std::optional<WholeBatch>();
  }
  if (const proto::Result<> checked = proto::check_batch_crc(rest.substr(0, total), *header);
      !checked) {
    return checked.error();
  }
  WholeBatch batch;
  batch.header = *header;
  if (begin_ == 0 && rest.size() == total) {
    batch.bytes = std::exchange(buffer_, {});
  } else {
    batch.bytes = rest.substr(0, total);
    begin_ += total;
    if (begin_ == buffer_.size()) {
      buffer_.clear();
      begin_ = 0;
    } else if (begin_ > buffer_.size() / 2) {
      buffer_.erase(0, begin_);
      begin_ = 0;
    }
  }
  return std::optional(std::move(batch));
}

void RecordAssembler::clear() {
  buffer_.clear();
  begin_ = 0;
}

}  // namespace weir::sdk
