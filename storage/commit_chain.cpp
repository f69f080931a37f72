#include "storage/commit_chain.hpp"

#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/key_codec.hpp"
#include "storage/row_digest.hpp"

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

constexpr char kFormat = 1;
constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kIndexAt = 8;
constexpr std::size_t kDigestAt = 16;
constexpr std::size_t kTimeAt = 24;

// Part of what is stored.
char letter_of(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::kPut:
      return 'P';
    case Operation::Kind::kDelete:
      return 'D';
    case Operation::Kind::kDeleteRange:
      break;
  }
  return 'R';
}

std::uint32_t crc_of_point(std::string_view bytes) {
  return proto::crc32c(proto::crc32c(0, bytes.substr(0, kCrcAt)), bytes.substr(kIndexAt));
}

}  // namespace

std::uint32_t operations_crc(const WriteBatch& rows) {
  std::uint32_t crc = 0;
  rows.visit([&crc](const Operation& operation) {
    crc = crc_of_row(crc, letter_of(operation.kind), operation.family, operation.key,
                     operation.value);
    return true;
  });
  return crc;
}

CommitPoint next_point(const CommitPoint& before, proto::CommitIndex index, proto::TimeMs time,
                       const WriteBatch& rows) {
  WEIR_ASSERT(index.value == before.index.value + 1, "units are committed in order, without gaps");
  std::uint64_t digest = avalanche(before.digest + 0x9e3779b97f4a7c15U);
  digest = avalanche(digest ^ index.value);
  digest = avalanche(digest ^ operations_crc(rows));
  return {.index = index, .digest = digest, .time = time};
}

std::string encode_commit_point(const CommitPoint& point) {
  std::string bytes(kCommitPointBytes, '\0');
  bytes[0] = kFormat;
  proto::store_le<std::uint64_t>(&bytes[kIndexAt], point.index.value);
  proto::store_le<std::uint64_t>(&bytes[kDigestAt], point.digest);
  proto::store_le<std::int64_t>(&bytes[kTimeAt], point.time);
  proto::store_le<std::uint32_t>(&bytes[kCrcAt], crc_of_point(bytes));
  return bytes;
}

proto::Result<CommitPoint> decode_commit_point(std::string_view bytes) {
  if (bytes.size() != kCommitPointBytes ||
      proto::load_le<std::uint32_t>(&bytes[kCrcAt]) != crc_of_point(bytes)) {
    return fail(Errc::kStorageFailed, "a commit point does not match its checksum");
  }
  if (bytes[0] != kFormat) {
    return fail(Errc::kStorageFailed, "a commit point was written by a newer version");
  }
  return CommitPoint{.index = proto::CommitIndex(proto::load_le<std::uint64_t>(&bytes[kIndexAt])),
                     .digest = proto::load_le<std::uint64_t>(&bytes[kDigestAt]),
                     .time = proto::load_le<std::int64_t>(&bytes[kTimeAt])};
}

void put_commit_point(WriteBatch& rows, const CommitPoint& point) {
  rows.put(Family::kState, meta_key(MetaRow::kCommit), encode_commit_point(point));
}

proto::Result<CommitPoint> read_commit_point(const Reader& reader) {
  const auto row = reader.get(Family::kState, meta_key(MetaRow::kCommit));
  if (!row) {
    return row.error();
  }
  if (!*row) {
    return CommitPoint{};
  }
  return decode_commit_point(**row);
}

}  // namespace weir::storage
