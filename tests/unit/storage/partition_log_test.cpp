#include "storage/log/partition_log.hpp"

#include "proto/batch/record_batch.hpp"
#include "storage/key_codec.hpp"
#include "storage/memory_store.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::Offset;

constexpr LogRef kLog = {.id = proto::LogId(7), .generation = 2};

struct BatchPlan {
  Offset base = 0;
  std::uint32_t records = 1;
  Offset previous_last = -1;
  proto::TimeMs time = 1000;
  std::size_t value_bytes = 10;

  [[nodiscard]] Offset last() const { return base + records - 1; }
};

std::string stored_bytes(const BatchPlan& plan) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  const std::string value(plan.value_bytes, static_cast<char>('a' + plan.base % 26));
  for (std::uint32_t i = 0; i < plan.records; ++i) {
    builder.add({.key = std::nullopt, .value = value, .headers = {}, .timestamp = plan.time});
  }
  std::string stored = builder.finish({}, proto::Compression::kNone);
  proto::poke_offset_and_epoch(std::span(stored).subspan(proto::kStoredHeaderBytes), plan.base, 0);
  proto::write_stored_header(stored,
                             {.append_time = plan.time, .prev_last_offset = plan.previous_last});
  return stored;
}

// A log under test and what it should hold.
class LogUnderTest {
 public:
  explicit LogUnderTest(KeyValueStore& store, LogRef log = kLog) : store_(store), log_(log) {}

  void append(std::uint32_t records, proto::TimeMs time, std::size_t value_bytes = 10) {
    append_at(upper_, records, time, value_bytes);
  }
  // Leaves the offsets up to `base` out, legally.
  void append_at(Offset base, std::uint32_t records, proto::TimeMs time,
                 std::size_t value_bytes = 10) {
    const BatchPlan plan = {.base = base,
                            .records = records,
                            .previous_last = last_,
                            .time = time,
                            .value_bytes = value_bytes};
    WriteBatch rows;
    append_to_log(rows, log_,
                  {.last_offset = plan.last(),
                   .append_time = time,
                   .stored = proto::SharedBytes(stored_bytes(plan))},
                  index_);
    commit_rows(rows);
    plans_.push_back(plan);
    last_ = plan.last();
    upper_ = last_ + 1;
  }

  void truncate(Offset new_start, proto::TimeMs kept_time) {
    WriteBatch rows;
    truncate_log(rows, log_, {.old_start = start_, .new_start = new_start, .kept_time = kept_time});
    commit_rows(rows);
    start_ = new_start;
  }

  void commit_rows(const WriteBatch& rows) {
    const std::array<const WriteBatch*, 1> batches = {&rows};
    store_.commit(batches).value();
  }
  void remove_batch(Offset last_offset) {
    WriteBatch rows;
    rows.remove(Family::kLog,
                batch_key(KeyKind::kBatch, log_.id.value, log_.generation, last_offset));
    commit_rows(rows);
  }
  void overwrite_batch(Offset last_offset, std::string stored) {
    WriteBatch rows;
    rows.put(Family::kLog, batch_key(KeyKind::kBatch, log_.id.value, log_.generation, last_offset),
             std::move(stored));
    commit_rows(rows);
  }

  [[nodiscard]] LogBounds bounds() const { return {.start = start_, .upper = upper_}; }
  [[nodiscard]] const std::vector<BatchPlan>& plans() const { return plans_; }
  [[nodiscard]] KeyValueStore& store() { return store_; }
  [[nodiscard]] LogRef log() const { return log_; }

  // Base offsets of everything from `from` on, read in pieces.
  proto::Result<std::vector<Offset>> read(Offset from, LogCursor::Piece piece = {}) {
    const auto reader = store_.snapshot();
    auto cursor = LogCursor::open(*reader, log_, bounds(), from);
    if (!cursor) {
      return cursor.error();
    }
    std::vector<Offset> bases;
    while (true) {
      const auto batches = cursor->next(piece);
      if (!batches) {
        return batches.error();
      }
      if (batches->empty()) {
        EXPECT_EQ(cursor->position(), upper_);
        return bases;
      }
      for (const LogBatch& batch : *batches) {
        bases.push_back(batch.base_offset);
      }
    }
  }

 private:
  KeyValueStore& store_;
  LogRef log_;
  TimeIndexState index_;
  std::vector<BatchPlan> plans_;
  Offset start_ = 0;
  Offset last_ = -1;
  Offset upper_ = 0;
};

std::size_t index_rows(LogUnderTest& log) {
  return rows_of(log.store(), Family::kState).size();
}

TEST(PartitionLog, ReadsBackWhatWasAppended) {
  MemoryStore store;
  LogUnderTest log(store);
  LogUnderTest neighbour(store, {.id = proto::LogId(7), .generation = 3});
  log.append(3, 1000);
  neighbour.append(5, 1000);
  log.append(1, 1001);
  log.append(4, 1001);
  const auto reader = store.snapshot();
  LogCursor cursor = LogCursor::open(*reader, kLog, log.bounds(), 0).value();
  const std::vector<LogBatch> batches = cursor.next({.verify_records = true}).value();
  ASSERT_EQ(batches.size(), 3U);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const BatchPlan& plan = log.plans()[i];
    EXPECT_EQ(batches[i].base_offset, plan.base);
    EXPECT_EQ(batches[i].last_offset, plan.last());
    EXPECT_EQ(batches[i].header.append_time, plan.time);
    EXPECT_EQ(batches[i].stored.view(), stored_bytes(plan));
    EXPECT_EQ(batches[i].batch(), stored_bytes(plan).substr(proto::kStoredHeaderBytes));
  }
  EXPECT_TRUE(cursor.next({}).value().empty());
}

TEST(PartitionLog, BeginsWithTheBatchThatHoldsTheOffset) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append(3, 1000);
  log.append(3, 1000);
  EXPECT_EQ(log.read(3).value(), (std::vector<Offset>{3, 6}));
  EXPECT_EQ(log.read(5).value(), (std::vector<Offset>{3, 6}));
  EXPECT_EQ(log.read(8).value(), (std::vector<Offset>{6}));
  EXPECT_TRUE(log.read(9).value().empty()) << "the high watermark: nothing yet, and no error";
}

TEST(PartitionLog, ShowsNothingAtOrAboveTheUpperBound) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append(3, 1000);
  const auto reader = store.snapshot();
  LogCursor cursor = LogCursor::open(*reader, kLog, {.start = 0, .upper = 3}, 0).value();
  EXPECT_EQ(cursor.next({}).value().size(), 1U);
  EXPECT_TRUE(cursor.next({}).value().empty());
  LogCursor across = LogCursor::open(*reader, kLog, {.start = 0, .upper = 5}, 0).value();
  EXPECT_EQ(across.next({}).value().size(), 1U);
  EXPECT_EQ(across.next({}).error().code, Errc::kCorruptBatch);
}

TEST(PartitionLog, GivesPiecesThatFitAndAtLeastOneBatch) {
  MemoryStore store;
  LogUnderTest log(store);
  for (int i = 0; i < 4; ++i) {
    log.append(1, 1000, 1000);
  }
  const std::size_t size = stored_bytes({.value_bytes = 1000}).size();
  const auto reader = store.snapshot();
  LogCursor cursor = LogCursor::open(*reader, kLog, log.bounds(), 0).value();
  EXPECT_EQ(cursor.next({.max_bytes = 1}).value().size(), 1U);
  EXPECT_EQ(cursor.next({.max_bytes = 2 * size + 1}).value().size(), 2U);
  EXPECT_EQ(cursor.position(), 3);
  EXPECT_EQ(cursor.next({.max_bytes = 2 * size}).value().size(), 1U);
}

TEST(PartitionLog, RefusesOffsetsOutsideOfTheLog) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append(3, 1005);
  log.truncate(3, 1005);
  EXPECT_EQ(log.read(2).error().code, Errc::kOffsetOutOfRange);
  EXPECT_EQ(log.read(-1).error().code, Errc::kOffsetOutOfRange);
  EXPECT_EQ(log.read(7).error().code, Errc::kOffsetOutOfRange);
  EXPECT_EQ(log.read(3).value(), (std::vector<Offset>{3}));
}

TEST(PartitionLog, ALegalGapIsCrossed) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append_at(10, 2, 1000);
  log.append_at(20, 1, 1000);
  EXPECT_EQ(log.read(0).value(), (std::vector<Offset>{0, 10, 20}));
  EXPECT_EQ(log.read(5).value(), (std::vector<Offset>{10, 20}));
  const auto reader = store.snapshot();
  LogCursor cursor = LogCursor::open(*reader, kLog, {.start = 0, .upper = 15}, 12).value();
  EXPECT_TRUE(cursor.next({}).value().empty()) << "the gap before 20 is explained by its batch";
}

TEST(PartitionLog, AMissingBatchIsDamageWhereverTheReadBegins) {
  for (const Offset missing : {2, 5, 8}) {  // first, middle, last
    MemoryStore store;
    LogUnderTest log(store);
    log.append(3, 1000);
    log.append(3, 1000);
    log.append(3, 1000);
    log.remove_batch(missing);
    EXPECT_EQ(log.read(0).error().code, Errc::kCorruptBatch);
    EXPECT_EQ(log.read(missing).error().code, Errc::kCorruptBatch);
    EXPECT_EQ(log.read(missing - 2).error().code, Errc::kCorruptBatch);
  }
}

TEST(PartitionLog, GivesWhatLiesBeforeTheDamageAndStaysThere) {
  MemoryStore store;
  LogUnderTest log(store);
  for (int i = 0; i < 4; ++i) {
    log.append(1, 1000);
  }
  log.remove_batch(2);
  const auto reader = store.snapshot();
  LogCursor cursor = LogCursor::open(*reader, kLog, log.bounds(), 0).value();
  EXPECT_EQ(cursor.next({}).value().size(), 2U);
  for (int i = 0; i < 3; ++i) {
    const auto error = cursor.next({}).error();
    EXPECT_EQ(error.code, Errc::kCorruptBatch);
    EXPECT_NE(error.message.find("damaged at offset 2"), std::string::npos) << error.message;
  }
}

TEST(PartitionLog, ABatchInTheWrongPlaceIsDamage) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append(3, 1000);
  log.overwrite_batch(5, stored_bytes(log.plans()[0]));
  EXPECT_EQ(log.read(0).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(log.read(3).error().code, Errc::kCorruptBatch);
  EXPECT_EQ(read_batch(*store.snapshot(), kLog, 4).error().code, Errc::kCorruptBatch);
}

TEST(PartitionLog, EveryFlippedByteOfAHeaderIsSeenAndRecordsWhenAsked) {
  const BatchPlan plan = {.base = 0, .records = 2};
  const std::string whole = stored_bytes(plan);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    MemoryStore store;
    LogUnderTest log(store);
    log.append(2, 1000);
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    log.overwrite_batch(1, flipped);
    const bool is_header = i < proto::kStoredHeaderBytes + proto::kBatchHeaderBytes;
    EXPECT_EQ(log.read(0).has_error(), is_header) << "byte " << i;
    EXPECT_TRUE(log.read(0, {.verify_records = true}).has_error()) << "byte " << i;
  }
}

TEST(PartitionLog, ReadErrorsAreNotTakenForTheEnd) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append(3, 1000);
  const auto reader = store.snapshot();
  LogCursor cursor = LogCursor::open(*reader, kLog, log.bounds(), 0).value();
  EXPECT_EQ(cursor.next({.max_bytes = 1}).value().size(), 1U);
  store.fail_reads(true);
  EXPECT_EQ(cursor.next({}).error().code, Errc::kStorageFailed);
  EXPECT_EQ(read_batch(*reader, kLog, 0).error().code, Errc::kStorageFailed);
  EXPECT_EQ(find_by_time(*reader, kLog, log.bounds(), 5).error().code, Errc::kStorageFailed);
}

TEST(PartitionLog, ATruncationBehindTheReaderIsNoSkip) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append(3, 1000);
  log.append(3, 1000);
  const LogBounds before = log.bounds();
  const auto start_row = [&log](const Reader&) -> proto::Result<Offset> {
    return log.bounds().start;
  };
  LogCursor cursor = open_log(store, kLog, before.upper, 0, start_row).value();
  log.truncate(6, 1000);
  EXPECT_EQ(cursor.next({}).value().size(), 3U) << "its moment is before the truncation";
  EXPECT_EQ(open_log(store, kLog, before.upper, 0, start_row).error().code,
            Errc::kOffsetOutOfRange);
  EXPECT_EQ(open_log(store, kLog, before.upper, 6, start_row).value().next({}).value().size(), 1U);
}

TEST(PartitionLog, TruncationAndDeletionLeaveNothingOfTheirOwnAndAllOfOthers) {
  MemoryStore store;
  LogUnderTest log(store);
  LogUnderTest neighbour(store, {.id = proto::LogId(7), .generation = 1});
  LogUnderTest other(store, {.id = proto::LogId(8), .generation = 2});
  for (proto::TimeMs time = 1000; time < 20'000; time += 1000) {
    log.append(1, time);
    neighbour.append(1, time);
    other.append(1, time);
  }
  EXPECT_EQ(index_rows(log), 3 * 19U);
  log.truncate(10, 11'000);
  EXPECT_EQ(index_rows(log), 2 * 19U + 9);
  EXPECT_EQ(rows_of(store, Family::kLog).size(), 2 * 19U + 9);
  log.truncate(19, 30'000);
  EXPECT_EQ(rows_of(store, Family::kLog).size(), 2 * 19U);
  EXPECT_EQ(index_rows(log), 2 * 19U);
  EXPECT_TRUE(log.read(19).value().empty());
  WriteBatch rows;
  delete_log(rows, neighbour.log());
  log.commit_rows(rows);
  EXPECT_EQ(rows_of(store, Family::kLog).size(), 19U);
  EXPECT_EQ(index_rows(log), 19U);
  EXPECT_EQ(other.read(0).value().size(), 19U);
}

TEST(PartitionLog, FindsTheBatchThatHoldsAnOffset) {
  MemoryStore store;
  LogUnderTest log(store);
  log.append(3, 1000);
  log.append_at(10, 3, 1000);
  const auto reader = store.snapshot();
  EXPECT_EQ(read_batch(*reader, kLog, 2).value()->base_offset, 0);
  EXPECT_EQ(read_batch(*reader, kLog, 11).value()->base_offset, 10);
  EXPECT_FALSE(read_batch(*reader, kLog, 5).value());
  EXPECT_FALSE(read_batch(*reader, kLog, 13).value());
}

TEST(PartitionLog, TheTimeIndexIsSparse) {
  MemoryStore store;
  LogUnderTest log(store);
  for (int i = 0; i < 1000; ++i) {
    log.append(1, 5000 + i / 2);  // 500 ms, about 110 KiB
  }
  EXPECT_EQ(index_rows(log), 2U);
}

TEST(PartitionLog, FindsByTimeWhatAScanOfEverythingFinds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    MemoryStore store;
    LogUnderTest log(store);
    proto::TimeMs time = 10'000;
    for (int i = 0; i < 150; ++i) {
      time += static_cast<proto::TimeMs>(random() % 4 == 0 ? random() % 1500 : random() % 3);
      log.append(1 + static_cast<std::uint32_t>(random() % 5), time, random() % 3000);
    }
    const BatchPlan& kept = log.plans()[random() % 60];
    log.truncate(kept.base, kept.time);
    const auto reader = store.snapshot();
    for (int probe = 0; probe < 100; ++probe) {
      const BatchPlan& near = log.plans()[random() % log.plans().size()];
      const proto::TimeMs wanted = near.time + static_cast<proto::TimeMs>(random() % 5) - 2;
      std::optional<Offset> expected;
      for (const BatchPlan& plan : log.plans()) {
        if (plan.base >= kept.base && plan.time >= wanted) {
          expected = plan.base;
          break;
        }
      }
      ASSERT_EQ(find_by_time(*reader, kLog, log.bounds(), wanted).value(), expected)
          << "seed " << seed << " time " << wanted;
    }
  }
}

TEST(PartitionLog, WorksOnTheRealDatabase) {
  const TempDir directory;
  const auto store = open_rocks_store({.path = directory.file("db")}).value();
  LogUnderTest log(*store);
  for (int i = 0; i < 200; ++i) {
    log.append(2, 1000 + i * 10, i % 3 == 0 ? 20'000 : 100);  // blobs and rows in the tree
  }
  ASSERT_TRUE(store->reclaim(Family::kLog, "", ""));  // flushed: read from files
  EXPECT_EQ(log.read(0, {.verify_records = true}).value().size(), 200U);
  log.truncate(300, 2500);
  EXPECT_EQ(log.read(301).value().size(), 50U);
  EXPECT_EQ(find_by_time(*store->snapshot(), kLog, log.bounds(), 2601).value(), 322);
  log.remove_batch(351);
  EXPECT_EQ(log.read(300).error().code, Errc::kCorruptBatch);
}

}  // namespace
}  // namespace weir::storage
