#include "storage/export.hpp"

#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/import.hpp"
#include "storage/row_digest.hpp"
#include "storage/transfer_format.hpp"

#include <array>
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

constexpr std::array kFamilies = {Family::kState, Family::kLog};

}  // namespace

class ShardExport::Impl {
 public:
  Impl(std::unique_ptr<Reader> reader, std::size_t block_bytes)
      : reader_(std::move(reader)), block_bytes_(block_bytes) {
    WEIR_ASSERT(block_bytes <= transfer::kMaxBlockBytes - transfer::kMaxKeyBytes -
                                   transfer::kMaxValueBytes - transfer::kRowHeadBytes,
                "a block and one row more fit into what a reader takes");
  }

  proto::Result<std::string> next() {
    WEIR_ASSERT(!is_done_, "nothing follows the end of an export");
    if (std::exchange(is_first_, false)) {
      return header();
    }
    std::string rows;
    while (family_ < kFamilies.size() && rows.size() < block_bytes_) {
      if (const proto::Result<> taken = take_rows(rows); !taken) {
        return taken.error();
      }
    }
    if (!rows.empty()) {
      ++totals_.blocks;
      return block(Block::kRows, rows);
    }
    is_done_ = true;
    summary_.digest = digest_.value();
    return trailer();
  }

  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] const TransferSummary& summary() const { return summary_; }

 private:
  proto::Result<std::string> header() {
    if (const auto imported = was_imported(*reader_); !imported) {
      return imported.error();
    }
    const proto::Result<CommitPoint> point = read_commit_point(*reader_);
    if (!point) {
      return point.error();
    }
    summary_.point = *point;
    std::string header(transfer::kMagic);
    append<std::uint32_t>(header, transfer::kVersion);
    append<std::uint32_t>(header, 0);
    header += encode_commit_point(*point);
    return checked(std::move(header));
  }

  // Fills the block from where the scan stands; at the end of a family goes on to the next one.
  proto::Result<> take_rows(std::string& rows) {
    if (!scan_) {
      scan_ = reader_->scan(kFamilies.at(family_), "", "", {.sequential = true});
    }
    for (; scan_->valid() && rows.size() < block_bytes_; scan_->next()) {
      if (transfer::is_left_out(kFamilies.at(family_), scan_->key())) {
        continue;
      }
      if (const proto::Result<> added = add(rows, scan_->key(), scan_->value()); !added) {
        return added;
      }
    }
    if (scan_->valid()) {
      return {};
    }
    const proto::Result<> status = scan_->status();
    scan_.reset();
    ++family_;
    return status;
  }

  proto::Result<> add(std::string& rows, std::string_view key, std::string_view value) {
    if (key.size() > transfer::kMaxKeyBytes || value.size() > transfer::kMaxValueBytes) {
      return proto::fail(proto::Errc::kLimitExceeded,
                         "a row of " + std::to_string(key.size() + value.size()) +
                             " bytes is larger than a reader of the stream takes");
    }
    append<std::uint8_t>(rows, static_cast<std::uint8_t>(kFamilies.at(family_)));
    append<std::uint32_t>(rows, static_cast<std::uint32_t>(key.size()));
    append<std::uint32_t>(rows, static_cast<std::uint32_t>(value.size()));
    rows.append(key).append(value);
    ++totals_.rows[static_cast<std::size_t>(kFamilies.at(family_))];
    totals_.bytes += key.size() + value.size();
    ++summary_.rows;
    summary_.bytes = totals_.bytes;
    digest_.add(kFamilies.at(family_), key, value);
    return {};
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
  const std::size_t block_bytes_;
  std::unique_ptr<Iterator> scan_;
  std::size_t family_ = 0;  // of kFamilies: where the scan is
  bool is_first_ = true;
  bool is_done_ = false;
  std::uint32_t crc_ = 0;
  transfer::Totals totals_;
  RowsDigest digest_;
  TransferSummary summary_;
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

const TransferSummary& ShardExport::summary() const {
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
