#include "broker/core/row_check.hpp"
#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/export.hpp"
#include "storage/import.hpp"
#include "storage/memory_store.hpp"
#include "storage/shard_rows.hpp"
#include "storage/transfer_format.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::fuzz {
namespace {

namespace transfer_format = storage::transfer;

// Writes the right checksum behind every block of `stream`, as far as its heads make sense, so that
// what lies behind a changed byte is reached. The commit point in the header has one of its own.
void complete(std::string& stream) {
  std::uint32_t crc = 0;
  std::size_t at = 0;
  std::size_t block = transfer_format::kHeaderBytes;
  while (stream.size() - at >= block + transfer_format::kCrcBytes) {
    crc = proto::crc32c(crc, std::string_view(stream).substr(at, block));
    proto::store_le<std::uint32_t>(stream.data() + at + block, crc);
    at += block + transfer_format::kCrcBytes;
    if (stream.size() - at < transfer_format::kBlockHeadBytes) {
      return;
    }
    block = transfer_format::kBlockHeadBytes +
            std::size_t{proto::load_le<std::uint32_t>(stream.data() + at + 1)};
  }
}

proto::Result<storage::TransferSummary> import(storage::MemoryStore& store, std::string_view stream,
                                               std::size_t commit_bytes) {
  return storage::import_shard(store,
                               [&stream](std::span<char> into) -> proto::Result<std::size_t> {
                                 const std::size_t bytes = stream.copy(
                                     into.data(), std::min(into.size(), std::size_t{77}));
                                 stream.remove_prefix(bytes);
                                 return bytes;
                               },
                               {.commit_bytes = commit_bytes});
}

std::string export_all(const storage::MemoryStore& store, std::size_t block_bytes) {
  std::string stream;
  const auto sink = [&stream](std::string_view bytes) -> proto::Result<> {
    stream += bytes;
    return {};
  };
  const auto done = storage::export_shard(store.snapshot(), sink, {.block_bytes = block_bytes});
  WEIR_ASSERT(done.has_value(), "what was imported can be exported");
  return stream;
}

// Rows that nobody checked before may say anything of each other.
void check_rows(const storage::MemoryStore& store, const storage::TransferSummary& imported) {
  core::RowCheck check;
  bool is_whole = true;
  const auto visited = storage::visit_shard_rows(
      *store.snapshot(),
      [&](storage::Family family, std::string_view key, std::string_view value) -> proto::Result<> {
        is_whole = is_whole && check.add(family, key, value);
        return {};
      });
  WEIR_ASSERT(visited && visited->rows == imported.rows && visited->digest == imported.digest,
              "a copy has the rows of its stream");
  if (is_whole) {
    static_cast<void>(check.finish());
  }
}

}  // namespace

void transfer(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  const std::size_t step = std::size_t{16} << (how >> 5U);
  std::string stream(input.rest());
  if ((how & 1U) != 0) {
    complete(stream);
  }
  storage::MemoryStore store;
  const auto imported = import(store, stream, step);
  if (!imported) {
    const auto mark = storage::was_imported(*store.snapshot());
    WEIR_ASSERT(!mark || !*mark, "an import that broke off is no shard");
    return;
  }
  WEIR_ASSERT(storage::was_imported(*store.snapshot()).value(), "a copy is known as one");
  check_rows(store, *imported);
  storage::MemoryStore copy;
  const auto again = import(copy, export_all(store, step), 3 * step);
  WEIR_ASSERT(again && again->rows == imported->rows && again->bytes == imported->bytes &&
                  again->point == imported->point && copy.digest() == store.digest(),
              "a copy of a copy is the same");
}

}  // namespace weir::fuzz
