#include "storage/export.hpp"

#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/shard_rows.hpp"
#include "storage/transfer_format.hpp"

#include <memory>
#include <string>
#include <utility>

namespace weir::storage {
namespace {

using transfer::Block;

template <class T>
void append(std::string& out, T number) {
  char bytes[sizeof(T)];
  proto::store_le<T>(bytes, number);
  out.append(bytes, sizeof(bytes));
}

}  // namespace

class ShardExport::Impl {
 public:
  Impl(std::unique_ptr<Reader> reader, std::size_t block_bytes)
      : reader_(std::move(reader)), rows_(*reader_), block_bytes_(block_bytes) {
    WEIR_ASSERT(block_bytes <= transfer::kMaxBlockBytes - transfer::kMaxKeyBytes -
                                   transfer::kMaxValueBytes - transfer::kRowHeadBytes,
                "a block and one row more fit into what a reader takes");
  }

  proto::Result<std::string> next() {
    WEIR_ASSERT(!is_done_, "nothing follows the end of an export");
    if (std::exchange(is_first_, false)) {
      return header();
    }
    std::string block_rows;
    while (rows_.valid() && block_rows.size() < block_bytes_) {
      if (const proto::Result<> taken = take_row(block_rows); !taken) {
        return taken.error();
      }
    }
    if (!block_rows.empty()) {
      ++totals_.blocks;
      return block(Block::kRows, block_rows);
    }
    is_done_ = true;
    return trailer();
  }

  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] TransferSummary summary() const { return rows_.summary(); }

 private:
  proto::Result<std::string> header() {
    if (const proto::Result<> begun = rows_.begin(); !begun) {
      return begun.error();
    }
    std::string header(transfer::kMagic);
    append<std::uint32_t>(header, transfer::kVersion);
    append<std::uint32_t>(header, 0);
    header += encode_commit_point(rows_.summary().point);
    return checked(std::move(header));
  }

  proto::Result<> take_row(std::string& block_rows) {
    const std::string_view key = rows_.key();
    const std::string_view value = rows_.value();
    if (key.size() > transfer::kMaxKeyBytes || value.size() > transfer::kMaxValueBytes) {
      return proto::fail(proto::Errc::kLimitExceeded,
                         "a row of " + std::to_string(key.size() + value.size()) +
                             " bytes is larger than a reader of the stream takes");
    }
    append<std::uint8_t>(block_rows, static_cast<std::uint8_t>(rows_.family()));
    append<std::uint32_t>(block_rows, static_cast<std::uint32_t>(key.size()));
    append<std::uint32_t>(block_rows, static_cast<std::uint32_t>(value.size()));
    block_rows.append(key).append(value);
    ++totals_.rows[static_cast<std::size_t>(rows_.family())];
    totals_.bytes += key.size() + value.size();
    return rows_.next();
  }

  std::string trailer() {
    std::string trailer;
    append<std::uint64_t>(trailer, totals_.blocks);
    append<std::uint64_t>(trailer, totals_.rows[0]);
    append<std::uint64_t>(trailer, totals_.rows[1]);
    append<std::uint64_t>(trailer, totals_.bytes);
    return block(Block::kTrailer, trailer);
  }

  std::string block(Block kind, std::string_view payload) {
    std::string block;
    block.reserve(transfer::kBlockHeadBytes + payload.size() + transfer::kCrcBytes);
    append<std::uint8_t>(block, static_cast<std::uint8_t>(kind));
    append<std::uint32_t>(block, static_cast<std::uint32_t>(payload.size()));
    block += payload;
    return checked(std::move(block));
  }

  std::string checked(std::string bytes) {
    crc_ = proto::crc32c(crc_, bytes);
    append<std::uint32_t>(bytes, crc_);
    return bytes;
  }

  const std::unique_ptr<Reader> reader_;
  ShardRows rows_;
  const std::size_t block_bytes_;
  bool is_first_ = true;
  bool is_done_ = false;
  std::uint32_t crc_ = 0;
  transfer::Totals totals_;
};

ShardExport::ShardExport(std::unique_ptr<Reader> reader, const ExportOptions& options)
    : impl_(std::make_unique<Impl>(std::move(reader), options.block_bytes)) {}

ShardExport::~ShardExport() = default;
ShardExport::ShardExport(ShardExport&&) noexcept = default;
ShardExport& ShardExport::operator=(ShardExport&&) noexcept = default;

proto::Result<std::string> ShardExport::next() {
  return impl_->next();
}

bool ShardExport::is_done() const {
  return impl_->is_done();
}

TransferSummary ShardExport::summary() const {
  return impl_->summary();
}

proto::Result<TransferSummary> export_shard(std::unique_ptr<Reader> reader, const ByteSink& sink,
                                            const ExportOptions& options) {
  ShardExport shard(std::move(reader), options);
  while (!shard.is_done()) {
    const proto::Result<std::string> piece = shard.next();
    if (!piece) {
      return piece.error();
    }
    if (const proto::Result<> taken = sink(*piece); !taken) {
      return taken.error();
    }
  }
  return shard.summary();
}

}  // namespace weir::storage
