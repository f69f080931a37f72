#include "storage/export.hpp"

#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/import.hpp"
#include "storage/transfer_format.hpp"

#include <string>

namespace weir::storage {
namespace {

using transfer::Block;

template <class T>
void append(std::string& out, T number) {
  char bytes[sizeof(T)];
  proto::store_le<T>(bytes, number);
  out.append(bytes, sizeof(bytes));
}

class Exporter {
 public:
  Exporter(const ByteSink& sink, std::size_t block_bytes)
      : sink_(sink), block_bytes_(block_bytes) {}

  proto::Result<> write_header(const CommitPoint& point) {
    std::string header(transfer::kMagic);
    append<std::uint32_t>(header, transfer::kVersion);
    append<std::uint32_t>(header, 0);
    header += encode_commit_point(point);
    return write(std::move(header));
  }

  proto::Result<> write_rows(const Reader& reader, Family family) {
    const auto rows = reader.scan(family, "", "", {.sequential = true});
    for (; rows->valid(); rows->next()) {
      if (transfer::is_left_out(family, rows->key())) {
        continue;
      }
      if (auto added = add(family, rows->key(), rows->value()); !added) {
        return added;
      }
    }
    return rows->status();
  }

  proto::Result<> write_trailer() {
    if (auto flushed = flush(); !flushed) {
      return flushed;
    }
    std::string trailer;
    append<std::uint64_t>(trailer, totals_.blocks);
    append<std::uint64_t>(trailer, totals_.rows[0]);
    append<std::uint64_t>(trailer, totals_.rows[1]);
    append<std::uint64_t>(trailer, totals_.bytes);
    return write_block(Block::kTrailer, trailer);
  }

  [[nodiscard]] const transfer::Totals& totals() const { return totals_; }

 private:
  proto::Result<> add(Family family, std::string_view key, std::string_view value) {
    if (key.size() > transfer::kMaxKeyBytes || value.size() > transfer::kMaxValueBytes) {
      return proto::fail(proto::Errc::kLimitExceeded,
                         "a row of " + std::to_string(key.size() + value.size()) +
                             " bytes is larger than a reader of the stream takes");
    }
    append<std::uint8_t>(rows_, static_cast<std::uint8_t>(family));
    append<std::uint32_t>(rows_, static_cast<std::uint32_t>(key.size()));
    append<std::uint32_t>(rows_, static_cast<std::uint32_t>(value.size()));
    rows_.append(key).append(value);
    ++totals_.rows[static_cast<std::size_t>(family)];
    totals_.bytes += key.size() + value.size();
    return rows_.size() >= block_bytes_ ? flush() : proto::Result<>();
  }

  proto::Result<> flush() {
    if (rows_.empty()) {
      return {};
    }
    ++totals_.blocks;
    auto written = write_block(Block::kRows, rows_);
    rows_.clear();
    return written;
  }

  proto::Result<> write_block(Block kind, std::string_view payload) {
    std::string block;
    block.reserve(transfer::kBlockHeadBytes + payload.size() + transfer::kCrcBytes);
    append<std::uint8_t>(block, static_cast<std::uint8_t>(kind));
    append<std::uint32_t>(block, static_cast<std::uint32_t>(payload.size()));
    block += payload;
    return write(std::move(block));
  }

  proto::Result<> write(std::string bytes) {
    crc_ = proto::crc32c(crc_, bytes);
    append<std::uint32_t>(bytes, crc_);
    return sink_(bytes);
  }

  const ByteSink& sink_;
  const std::size_t block_bytes_;
  std::string rows_;
  std::uint32_t crc_ = 0;
  transfer::Totals totals_;
};

}  // namespace

proto::Result<TransferSummary> export_shard(const Reader& reader, const ByteSink& sink,
                                            const ExportOptions& options) {
  WEIR_ASSERT(options.block_bytes <= transfer::kMaxBlockBytes - transfer::kMaxKeyBytes -
                                         transfer::kMaxValueBytes - transfer::kRowHeadBytes,
              "a block and one row more fit into what a reader takes");
  if (const auto imported = was_imported(reader); !imported) {
    return imported.error();
  }
  const proto::Result<CommitPoint> point = read_commit_point(reader);
  if (!point) {
    return point.error();
  }
  Exporter exporter(sink, options.block_bytes);
  if (auto done = exporter.write_header(*point); !done) {
    return done.error();
  }
  for (const Family family : {Family::kState, Family::kLog}) {
    if (auto done = exporter.write_rows(reader, family); !done) {
      return done.error();
    }
  }
  if (auto done = exporter.write_trailer(); !done) {
    return done.error();
  }
  const transfer::Totals& totals = exporter.totals();
  return TransferSummary{
      .point = *point, .rows = totals.rows[0] + totals.rows[1], .bytes = totals.bytes};
}

}  // namespace weir::storage
