#include "storage/export.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/import.hpp"
#include "storage/key_codec.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "storage/transfer_format.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;

const CommitPoint kPoint{.index = proto::CommitIndex{17}, .digest = 0x1234, .time = 99};

/// A few hundred rows in both families, one of them empty, and a commit row.
void fill(KeyValueStore& store) {
  ChangeBuilder rows;
  for (int i = 100; i < 200; ++i) {
    rows.put("k" + std::to_string(i), "value " + std::to_string(i));
  }
  rows.put("l", "").in_log();
  for (int i = 100; i < 150; ++i) {
    rows.put("b" + std::to_string(i), std::string(static_cast<std::size_t>(i), '\xff'));
  }
  WriteBatch point;
  put_commit_point(point, kPoint);
  const std::array<const WriteBatch*, 2> all = {&rows.batch(), &point};
  store.commit(all).value();
}

std::string export_all(const KeyValueStore& store, const ExportOptions& options = {}) {
  std::string stream;
  export_shard(
      store.snapshot(),
      [&](std::string_view bytes) -> proto::Result<> {
        stream += bytes;
        return {};
      },
      options)
      .value();
  return stream;
}

/// The stream in pieces of `piece` bytes, as a socket would give it.
ByteSource source_of(const std::string& stream, std::size_t piece = SIZE_MAX) {
  return [&stream, piece,
          at = std::size_t{0}](std::span<char> into) mutable -> proto::Result<std::size_t> {
    const std::size_t bytes = std::min({into.size(), piece, stream.size() - at});
    std::memcpy(into.data(), stream.data() + at, bytes);
    at += bytes;
    return bytes;
  };
}

/// A memory store that writes down how large its commits are.
class WatchedStore final : public KeyValueStore {
 public:
  [[nodiscard]] std::unique_ptr<Reader> snapshot() const override { return store.snapshot(); }
  [[nodiscard]] proto::Result<> commit(std::span<const WriteBatch* const> batches) override {
    std::size_t bytes = 0;
    for (const WriteBatch* batch : batches) {
      bytes += batch->bytes();
    }
    commits.push_back(bytes);
    return store.commit(batches);
  }
  MemoryStore store;
  std::vector<std::size_t> commits;
};

RowMap without_marks(RowMap rows) {
  rows.erase(meta_key(MetaRow::kImport).to_string());
  return rows;
}

void expect_same_rows(const KeyValueStore& a, const KeyValueStore& b) {
  EXPECT_EQ(without_marks(rows_of(a)), without_marks(rows_of(b)));
  EXPECT_EQ(rows_of(a, Family::kLog), rows_of(b, Family::kLog));
}

/// Nothing, or something that no shard starts on.
void expect_unusable(const MemoryStore& store) {
  const auto reader = store.snapshot();
  if (store.rows(Family::kState) == 0) {
    EXPECT_EQ(store.rows(Family::kLog), 0U);
    return;
  }
  const auto imported = was_imported(*reader);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, Errc::kStorageFailed);
  EXPECT_EQ(read_commit_point(*reader)->index.value, 0U);
}

TEST(Export, ComesBackAsItWas) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store);
  MemoryStore copy;
  const TransferSummary summary = import_shard(copy, source_of(stream)).value();
  expect_same_rows(store, copy);
  EXPECT_EQ(summary.point, kPoint);
  EXPECT_EQ(summary.rows, 151U);
  const auto reader = copy.snapshot();
  EXPECT_EQ(read_commit_point(*reader).value(), kPoint);
  EXPECT_TRUE(was_imported(*reader).value());
  EXPECT_FALSE(was_imported(*store.snapshot()).value());
}

TEST(Export, GoesThroughRocksDbAndComesInAnyPieces) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store, {.block_bytes = 100});
  const TempDir directory;
  const auto rocks = open_rocks_store({.path = directory.file("db")}).value();
  ASSERT_TRUE(import_shard(*rocks, source_of(stream, 7)));
  expect_same_rows(store, *rocks);
  MemoryStore back;
  const std::string again = export_all(*rocks);
  ASSERT_TRUE(import_shard(back, source_of(again)));
  expect_same_rows(store, back);
  EXPECT_EQ(again, export_all(store)) << "equal rows are equal bytes";
}

TEST(Export, OfNothingIsAnImportOfNothing) {
  const MemoryStore store;
  const std::string stream = export_all(store);
  MemoryStore copy;
  EXPECT_EQ(import_shard(copy, source_of(stream))->rows, 0U);
  EXPECT_TRUE(was_imported(*copy.snapshot()).value());
}

TEST(Export, ShowsOneMoment) {
  MemoryStore store;
  fill(store);
  const std::string before = export_all(store, {.block_bytes = 500});
  ShardExport shard(store.snapshot(), {.block_bytes = 500});
  std::string stream;
  int pieces = 0;
  while (!shard.is_done()) {
    ++pieces;
    ASSERT_TRUE(commit(store, a_change().put("k100", "later " + std::to_string(pieces))));
    ASSERT_TRUE(commit(store, a_change().put("l" + std::to_string(pieces), "").remove("k150")));
    stream += shard.next().value();
  }
  EXPECT_GT(pieces, 10);
  EXPECT_EQ(stream, before);
  EXPECT_EQ(shard.summary().point, kPoint);
  EXPECT_EQ(shard.summary().rows, 151U);
}

TEST(Export, NothingFollowsWhatCannotBeRead) {
  MemoryStore store;
  fill(store);
  ShardExport shard(store.snapshot(), {.block_bytes = 500});
  ASSERT_TRUE(shard.next());
  ASSERT_TRUE(shard.next());
  store.fail_reads(true);
  EXPECT_EQ(shard.next().error().code, Errc::kStorageFailed);
  EXPECT_FALSE(shard.is_done());
}

TEST(Export, HasADigestThatTellsWhetherTwoHoldTheSame) {
  MemoryStore store;
  fill(store);
  const auto digest_of = [](const KeyValueStore& of, std::size_t block_bytes) {
    return export_shard(of.snapshot(), [](std::string_view) { return proto::Result<>(); },
                        {.block_bytes = block_bytes})
        ->digest;
  };
  const std::uint64_t digest = digest_of(store, 100);
  EXPECT_EQ(digest_of(store, 5000), digest) << "of the rows, not of the stream";
  const std::string stream = export_all(store);
  MemoryStore copy;
  EXPECT_EQ(import_shard(copy, source_of(stream))->digest, digest);
  EXPECT_EQ(digest_of(copy, 100), digest) << "what belongs to the store is not in it";
  std::set<std::uint64_t> seen = {digest};
  ASSERT_TRUE(commit(copy, a_change().put("k100", "other")));
  EXPECT_TRUE(seen.insert(digest_of(copy, 100)).second);
  ASSERT_TRUE(commit(copy, a_change().put("k100", "value 100").remove("l")));
  EXPECT_TRUE(seen.insert(digest_of(copy, 100)).second) << "an empty value counts";
  ASSERT_TRUE(commit(copy, a_change().put("l", "").remove("k199")));
  EXPECT_TRUE(seen.insert(digest_of(copy, 100)).second);
  ASSERT_TRUE(commit(copy, a_change().put("k19", "9value 199")));
  EXPECT_TRUE(seen.insert(digest_of(copy, 100)).second) << "bytes do not move to the value";
}

TEST(Export, GoesInBlocksAndCommitsOfBoundedSize) {
  MemoryStore store;
  fill(store);
  std::size_t largest = 0;
  std::string stream;
  ASSERT_TRUE(export_shard(store.snapshot(),
                           [&](std::string_view bytes) -> proto::Result<> {
                             largest = std::max(largest, bytes.size());
                             stream += bytes;
                             return {};
                           },
                           {.block_bytes = 500}));
  EXPECT_LT(largest, 500U + 170U) << "a block and one row";
  WatchedStore copy;
  ASSERT_TRUE(import_shard(copy, source_of(stream), {.commit_bytes = 1000}));
  EXPECT_GT(copy.commits.size(), 5U);
  EXPECT_LT(*std::max_element(copy.commits.begin(), copy.commits.end()), 1000U + 170U);
  expect_same_rows(store, copy.store);
}

TEST(Export, EndsWithTheErrorOfItsSinkOrItsStore) {
  MemoryStore store;
  fill(store);
  int calls = 0;
  const auto full = export_shard(store.snapshot(), [&](std::string_view) -> proto::Result<> {
    return ++calls < 2 ? proto::Result<>() : proto::make_error(Errc::kDiskFull);
  });
  EXPECT_EQ(full.error().code, Errc::kDiskFull);
  EXPECT_EQ(calls, 2);
  store.fail_reads(true);
  const auto unread =
      export_shard(store.snapshot(), [](std::string_view) { return proto::Result<>(); });
  EXPECT_EQ(unread.error().code, Errc::kStorageFailed);
}

TEST(Export, RefusesARowThatNoReaderTakes) {
  MemoryStore store;
  const std::string large(transfer::kMaxValueBytes + 1, 'x');
  ASSERT_TRUE(commit(store, a_change().put("k", large)));
  const auto refused =
      export_shard(store.snapshot(), [](std::string_view) { return proto::Result<>(); });
  EXPECT_EQ(refused.error().code, Errc::kLimitExceeded);
}

TEST(Import, RefusesAStoreThatIsNotEmpty) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store);
  for (const Family family : {Family::kState, Family::kLog}) {
    MemoryStore used;
    ChangeBuilder row;
    if (family == Family::kLog) {
      row.in_log();
    }
    row.put("x", "mine");
    ASSERT_TRUE(commit(used, row));
    EXPECT_EQ(import_shard(used, source_of(stream)).error().code, Errc::kConflict);
    EXPECT_EQ(used.rows(Family::kState) + used.rows(Family::kLog), 1U);
  }
}

TEST(Import, RefusesEveryCut) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store, {.block_bytes = 1000});
  for (std::size_t bytes = 0; bytes < stream.size(); bytes += bytes < 200 ? 1 : 13) {
    MemoryStore copy;
    const std::string cut = stream.substr(0, bytes);
    const auto refused = import_shard(copy, source_of(cut), {.commit_bytes = 1000});
    ASSERT_FALSE(refused) << bytes;
    EXPECT_EQ(refused.error().code, Errc::kCorruptBatch) << bytes;
    expect_unusable(copy);
  }
}

TEST(Import, RefusesEveryFlippedByte) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store, {.block_bytes = 1000});
  for (std::size_t at = 0; at < stream.size(); ++at) {
    MemoryStore copy;
    std::string flipped = stream;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    const auto refused = import_shard(copy, source_of(flipped), {.commit_bytes = 1000});
    ASSERT_FALSE(refused) << at;
    expect_unusable(copy);
  }
}

/// Begins of the blocks behind the header, and the end.
std::vector<std::size_t> blocks_of(const std::string& stream) {
  std::vector<std::size_t> begins;
  std::size_t at = transfer::kHeaderBytes + transfer::kCrcBytes;
  while (at < stream.size()) {
    begins.push_back(at);
    at += transfer::kBlockHeadBytes + proto::load_le<std::uint32_t>(stream.data() + at + 1) +
          transfer::kCrcBytes;
  }
  begins.push_back(at);
  return begins;
}

/// Computes every checksum anew: what a foreign writer might send.
void seal(std::string& stream) {
  std::uint32_t crc = 0;
  std::size_t from = 0;
  for (const std::size_t end : blocks_of(stream)) {
    const std::size_t sealed = end - transfer::kCrcBytes;
    crc = proto::crc32c(crc, std::string_view(stream).substr(from, sealed - from));
    proto::store_le<std::uint32_t>(stream.data() + sealed, crc);
    from = end;
  }
}

Errc refusal_of(const std::string& stream) {
  MemoryStore copy;
  const auto refused = import_shard(copy, source_of(stream));
  EXPECT_FALSE(refused);
  expect_unusable(copy);
  return refused ? Errc{} : refused.error().code;
}

TEST(Import, RefusesBlocksThatWereMovedOrLeftOut) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store, {.block_bytes = 2000});
  const std::vector<std::size_t> at = blocks_of(stream);
  ASSERT_GT(at.size(), 4U);
  const std::string first = stream.substr(at[0], at[1] - at[0]);
  const std::string second = stream.substr(at[1], at[2] - at[1]);
  const std::string head = stream.substr(0, at[0]);
  const std::string tail = stream.substr(at[2]);
  ASSERT_EQ(head + first + second + tail, stream);
  EXPECT_EQ(refusal_of(head + second + first + tail), Errc::kCorruptBatch);
  EXPECT_EQ(refusal_of(head + first + tail), Errc::kCorruptBatch);
  EXPECT_EQ(refusal_of(head + first + first + second + tail), Errc::kCorruptBatch);
  EXPECT_EQ(refusal_of(stream + "x"), Errc::kCorruptBatch) << "bytes behind the end";
  std::string sealed = head + second + first + tail;
  seal(sealed);
  EXPECT_EQ(refusal_of(sealed), Errc::kCorruptBatch) << "rows out of order";
  sealed = head + first + tail;
  seal(sealed);
  EXPECT_EQ(refusal_of(sealed), Errc::kCorruptBatch) << "fewer rows than the trailer says";
  sealed = stream;
  seal(sealed);
  EXPECT_EQ(sealed, stream);
}

TEST(Import, RefusesANewerVersion) {
  const MemoryStore store;
  std::string stream = export_all(store);
  proto::store_le<std::uint32_t>(stream.data() + transfer::kVersionAt, transfer::kVersion + 1);
  EXPECT_EQ(refusal_of(stream), Errc::kUnsupported);
  proto::store_le<std::uint32_t>(stream.data() + transfer::kVersionAt, 0);
  seal(stream);
  EXPECT_EQ(refusal_of(stream), Errc::kCorruptBatch);
}

TEST(Import, RefusesRowsThatCannotBe) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put(meta_key(MetaRow::kAllocator), "v")));
  const std::string stream = export_all(store);
  const std::size_t row = blocks_of(stream)[0] + transfer::kBlockHeadBytes;
  const auto altered = [&](std::size_t at, char byte) {
    std::string other = stream;
    other[row + at] = byte;
    seal(other);
    return refusal_of(other);
  };
  EXPECT_EQ(altered(0, 2), Errc::kCorruptBatch) << "a family that there is not";
  EXPECT_EQ(altered(1, 4), Errc::kCorruptBatch) << "a key behind the block";
  EXPECT_EQ(altered(8, 127), Errc::kCorruptBatch) << "a value of 2 GB";
  EXPECT_EQ(altered(transfer::kRowHeadBytes + 1, static_cast<char>(MetaRow::kCommit)),
            Errc::kCorruptBatch)
      << "the commit row is the import's to write";
  EXPECT_EQ(altered(transfer::kRowHeadBytes + 1, static_cast<char>(MetaRow::kImport)),
            Errc::kCorruptBatch);
}

TEST(Import, ThatWasNotFinishedCanBeNeitherExportedNorResumed) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store);
  MemoryStore copy;
  const std::string cut = stream.substr(0, stream.size() - 1);
  ASSERT_FALSE(import_shard(copy, source_of(cut), {.commit_bytes = 1000}));
  EXPECT_GT(copy.rows(Family::kState), 1U);
  EXPECT_EQ(export_shard(copy.snapshot(), [](std::string_view) { return proto::Result<>(); })
                .error()
                .code,
            Errc::kStorageFailed);
  EXPECT_EQ(import_shard(copy, source_of(stream)).error().code, Errc::kConflict);
}

TEST(Import, LeavesAStoreThatFailsOrCrashesUnusable) {
  MemoryStore store;
  fill(store);
  const std::string stream = export_all(store);
  std::size_t failures = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    MemoryStore copy;
    copy.set_fault_rates({.seed = seed, .commits_per_million = 100'000});
    if (import_shard(copy, source_of(stream), {.commit_bytes = 1000})) {
      continue;
    }
    ++failures;
    copy.set_fault_rates({});
    copy.crash_losing_unsynced();
    expect_unusable(copy);
  }
  EXPECT_GT(failures, 5U);
}

TEST(Import, EndsWithTheErrorOfItsSource) {
  MemoryStore copy;
  const auto failed = import_shard(copy, [](std::span<char>) -> proto::Result<std::size_t> {
    return proto::make_error(Errc::kStorageFailed);
  });
  EXPECT_EQ(failed.error().code, Errc::kStorageFailed);
}

}  // namespace
}  // namespace weir::storage
