#include "storage/transfer_reader.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"

#include <algorithm>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;
using transfer::Block;

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

proto::Error damaged(const char* what) {
  return fail(Errc::kCorruptBatch, std::string("the exported shard is damaged: ") + what);
}

}  // namespace

proto::Result<CommitPoint> TransferReader::read_header() {
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
  point_ = *point;
  return point_;
}

proto::Result<TransferSummary> TransferReader::read_rows(const RowSink& sink) {
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
      return checked.error();
    }
    if (is_trailer) {
      if (auto whole = check_trailer(*payload); !whole) {
        return whole.error();
      }
      return TransferSummary{.point = point_,
                             .rows = totals_.rows[0] + totals_.rows[1],
                             .bytes = totals_.bytes,
                             .digest = digest_.value()};
    }
    if (auto taken = take_rows(*payload, sink); !taken) {
      return taken.error();
    }
  }
}

// Fills all of `into`, as far as the stream goes; returns how far.
proto::Result<std::size_t> TransferReader::fill(std::span<char> into) {
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

proto::Result<std::string> TransferReader::read_raw(std::size_t bytes) {
  std::string read_bytes;
  while (read_bytes.size() < bytes) {
    // No checksum vouches for a block's length yet: room is made as its bytes come.
    const std::size_t before = read_bytes.size();
    read_bytes.resize(std::min(bytes, before + kPieceBytes));
    const auto filled = fill(std::span(read_bytes).subspan(before));
    if (!filled) {
      return filled.error();
    }
    if (before + *filled != read_bytes.size()) {
      return damaged("it is cut off");
    }
  }
  return read_bytes;
}

proto::Result<std::string> TransferReader::read(std::size_t bytes) {
  auto read_bytes = read_raw(bytes);
  if (read_bytes) {
    crc_ = proto::crc32c(crc_, *read_bytes);
  }
  return read_bytes;
}

proto::Result<> TransferReader::check_crc() {
  const auto written = read_raw(transfer::kCrcBytes);
  if (!written) {
    return written.error();
  }
  if (proto::load_le<std::uint32_t>(written->data()) != crc_) {
    return damaged("a checksum does not match");
  }
  return {};
}

proto::Result<> TransferReader::take_rows(std::string_view payload, const RowSink& sink) {
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
                              payload.substr(key_bytes, value_bytes), sink);
        !taken) {
      return taken;
    }
    payload.remove_prefix(key_bytes + value_bytes);
  }
  return {};
}

proto::Result<> TransferReader::take_row(Family family, std::string_view key,
                                         std::string_view value, const RowSink& sink) {
  std::pair place{family, std::string(key)};
  if ((last_ && place <= *last_) || transfer::is_left_out(family, key)) {
    return damaged("a row is not in its place");
  }
  last_ = std::move(place);
  digest_.add(family, key, value);
  ++totals_.rows[static_cast<std::size_t>(family)];
  totals_.bytes += key.size() + value.size();
  return sink(family, key, value);
}

proto::Result<> TransferReader::check_trailer(std::string_view payload) {
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

}  // namespace weir::storage
