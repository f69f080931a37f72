#include "storage/import.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/key_codec.hpp"
#include "storage/transfer_format.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;
using transfer::Block;

// Values of the row kImport.
constexpr std::string_view kUnfinished = "\x01";
constexpr std::string_view kFinished = "\x02";

proto::Error damaged(const char* what) {
  return fail(Errc::kCorruptBatch, std::string("the exported shard is damaged: ") + what);
}

void put_import_mark(WriteBatch& rows, std::string_view state) {
  rows.put(Family::kState, meta_key(MetaRow::kImport), std::string(state));
}

proto::Result<> check_empty(const KeyValueStore& store) {
  const auto reader = store.snapshot();
  for (const Family family : {Family::kState, Family::kLog}) {
    const auto rows = reader->scan(family, "", "", {});
    if (rows->valid()) {
      return fail(Errc::kConflict, "a shard is imported into an empty store, and this one is not");
    }
    if (auto read = rows->status(); !read) {
      return read;
    }
  }
  return {};
}

class Importer {
 public:
  Importer(KeyValueStore& store, const ByteSource& source, std::size_t commit_bytes)
      : store_(store), source_(source), commit_bytes_(commit_bytes) {}

  proto::Result<CommitPoint> read_header() {
    const auto header = read(transfer::kHeaderBytes);
    if (!header) {
      return header.error();
    }
    if (!header->starts_with(transfer::kMagic)) {
      return damaged("it does not begin as one");
    }
    const auto version = proto::load_le<std::uint32_t>(header->data() + transfer::kVersionAt);
    if (version > transfer::kVersion) {
      return fail(Errc::kUnsupported, "the exported shard was written by a newer version (format " +
                                          std::to_string(version) + ")");
    }
    if (auto checked = check_crc(); !checked) {
      return checked.error();
    }
    const auto point = decode_commit_point(std::string_view(*header).substr(transfer::kPointAt));
    if (version == 0 || !point ||
        proto::load_le<std::uint32_t>(header->data() + transfer::kZeroAt) != 0) {
      return damaged("its header contradicts itself");
    }
    return *point;
  }

  proto::Result<> begin() {
    put_import_mark(rows_, kUnfinished);
    return commit();
  }

  /// Up to the trailer, which must be right and the end.
  proto::Result<> read_blocks() {
    for (;;) {
      const auto head = read(transfer::kBlockHeadBytes);
      if (!head) {
        return head.error();
      }
      const auto kind = proto::load_le<std::uint8_t>(head->data());
      const auto bytes = proto::load_le<std::uint32_t>(head->data() + 1);
      const bool is_trailer = kind == static_cast<std::uint8_t>(Block::kTrailer);
      if ((!is_trailer && kind != static_cast<std::uint8_t>(Block::kRows)) ||
          bytes > transfer::kMaxBlockBytes) {
        return damaged("a block has a head that none can have");
      }
      const auto payload = read(bytes);
      if (!payload) {
        return payload.error();
      }
      if (auto checked = check_crc(); !checked) {
        return checked;
      }
      if (is_trailer) {
        return check_trailer(*payload);
      }
      if (auto taken = take_rows(*payload); !taken) {
        return taken;
      }
    }
  }

  proto::Result<> finish(const CommitPoint& point) {
    if (auto done = commit(); !done) {
      return done;
    }
    put_commit_point(rows_, point);
    put_import_mark(rows_, kFinished);
    return commit();
  }

  [[nodiscard]] const transfer::Totals& totals() const { return totals_; }

 private:
  /// Fills all of `into`, as far as the stream goes; returns how far.
  proto::Result<std::size_t> fill(std::span<char> into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
      const auto got = source_(into.subspan(filled));
      if (!got) {
        return got.error();
      }
      if (*got == 0) {
        break;
      }
      filled += *got;
    }
    return filled;
  }

  proto::Result<std::string> read_raw(std::size_t bytes) {
    std::string read_bytes(bytes, '\0');
    const auto filled = fill(read_bytes);
    if (!filled) {
      return filled.error();
    }
    if (*filled != bytes) {
      return damaged("it is cut off");
    }
    return read_bytes;
  }

  proto::Result<std::string> read(std::size_t bytes) {
    auto read_bytes = read_raw(bytes);
    if (read_bytes) {
      crc_ = proto::crc32c(crc_, *read_bytes);
    }
    return read_bytes;
  }

  proto::Result<> check_crc() {
    const auto written = read_raw(transfer::kCrcBytes);
    if (!written) {
      return written.error();
    }
    if (proto::load_le<std::uint32_t>(written->data()) != crc_) {
      return damaged("a checksum does not match");
    }
    return {};
  }

  proto::Result<> take_rows(std::string_view payload) {
    ++totals_.blocks;
    while (!payload.empty()) {
      if (payload.size() < transfer::kRowHeadBytes) {
        return damaged("a row is cut off");
      }
      const auto family = proto::load_le<std::uint8_t>(payload.data());
      const std::size_t key_bytes = proto::load_le<std::uint32_t>(payload.data() + 1);
      const std::size_t value_bytes = proto::load_le<std::uint32_t>(payload.data() + 5);
      payload.remove_prefix(transfer::kRowHeadBytes);
      if (family >= kFamilyCount || key_bytes > transfer::kMaxKeyBytes ||
          value_bytes > transfer::kMaxValueBytes || key_bytes + value_bytes > payload.size()) {
        return damaged("a row has sizes that none can have");
      }
      if (auto taken = take_row(static_cast<Family>(family), payload.substr(0, key_bytes),
                                payload.substr(key_bytes, value_bytes));
          !taken) {
        return taken;
      }
      payload.remove_prefix(key_bytes + value_bytes);
    }
    return {};
  }

  proto::Result<> take_row(Family family, std::string_view key, std::string_view value) {
    std::pair place{family, std::string(key)};
    if ((last_ && place <= *last_) || transfer::is_left_out(family, key)) {
      return damaged("a row is not in its place");
    }
    last_ = std::move(place);
    rows_.put(family, std::string(key), std::string(value));
    ++totals_.rows[static_cast<std::size_t>(family)];
    totals_.bytes += key.size() + value.size();
    return rows_.bytes() >= commit_bytes_ ? commit() : proto::Result<>();
  }

  proto::Result<> check_trailer(std::string_view payload) {
    if (payload.size() != transfer::kTrailerBytes) {
      return damaged("its end has another size");
    }
    const transfer::Totals written{.blocks = proto::load_le<std::uint64_t>(payload.data()),
                                   .rows = {proto::load_le<std::uint64_t>(payload.data() + 8),
                                            proto::load_le<std::uint64_t>(payload.data() + 16)},
                                   .bytes = proto::load_le<std::uint64_t>(payload.data() + 24)};
    if (written != totals_) {
      return damaged("it does not hold what it says at its end");
    }
    char more = 0;
    const auto behind = fill(std::span(&more, 1));
    if (!behind) {
      return behind.error();
    }
    return *behind == 0 ? proto::Result<>() : damaged("it goes on behind its end");
  }

  proto::Result<> commit() {
    const WriteBatch rows = std::exchange(rows_, {});
    const std::array<const WriteBatch*, 1> batches = {&rows};
    return rows.empty() ? proto::Result<>() : store_.commit(batches);
  }

  KeyValueStore& store_;
  const ByteSource& source_;
  const std::size_t commit_bytes_;
  WriteBatch rows_;
  std::uint32_t crc_ = 0;
  std::optional<std::pair<Family, std::string>> last_;
  transfer::Totals totals_;
};

}  // namespace

proto::Result<TransferSummary> import_shard(KeyValueStore& store, const ByteSource& source,
                                            const ImportOptions& options) {
  if (auto empty = check_empty(store); !empty) {
    return empty.error();
  }
  Importer importer(store, source, options.commit_bytes);
  const auto point = importer.read_header();
  if (!point) {
    return point.error();
  }
  if (auto begun = importer.begin(); !begun) {
    return begun.error();
  }
  if (auto done = importer.read_blocks(); !done) {
    return done.error();
  }
  if (auto finished = importer.finish(*point); !finished) {
    return finished.error();
  }
  const transfer::Totals& totals = importer.totals();
  return TransferSummary{
      .point = *point, .rows = totals.rows[0] + totals.rows[1], .bytes = totals.bytes};
}

proto::Result<bool> was_imported(const Reader& reader) {
  const auto row = reader.get(Family::kState, meta_key(MetaRow::kImport));
  if (!row) {
    return row.error();
  }
  if (*row && **row != kFinished) {
    return fail(Errc::kStorageFailed,
                "the import into this store was not finished; throw it away and import again");
  }
  return row->has_value();
}

void remove_import_mark(WriteBatch& rows) {
  rows.remove(Family::kState, meta_key(MetaRow::kImport));
}

}  // namespace weir::storage
