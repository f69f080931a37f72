#include "storage/commit_chain.hpp"

#include "storage/memory_store.hpp"
#include "tests/unit/storage/store_builders.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir::storage {
namespace {

CommitPoint chain(const std::vector<WriteBatch>& units) {
  CommitPoint point;
  for (const WriteBatch& rows : units) {
    point = next_point(point, proto::CommitIndex(point.index.value + 1), 5, rows);
  }
  return point;
}

TEST(CommitChain, ThePointRoundTripsThroughItsRow) {
  const CommitPoint point = {.index = proto::CommitIndex(0x0102030405060708),
                             .digest = 0xfffefdfcfbfaf9f8,
                             .time = 1'700'000'000'000};
  EXPECT_EQ(encode_commit_point(point).size(), kCommitPointBytes);
  EXPECT_EQ(decode_commit_point(encode_commit_point(point)).value(), point);
  MemoryStore store;
  EXPECT_EQ(read_commit_point(*store.snapshot()).value(), CommitPoint{});
  WriteBatch rows;
  put_commit_point(rows, point);
  const std::array<const WriteBatch*, 1> batches = {&rows};
  ASSERT_TRUE(store.commit(batches));
  EXPECT_EQ(read_commit_point(*store.snapshot()).value(), point);
}

TEST(CommitChain, RefusesDamagedAndForeignPoints) {
  const std::string bytes = encode_commit_point({.index = proto::CommitIndex(3)});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] + 1);
    EXPECT_FALSE(decode_commit_point(damaged)) << "byte " << i;
  }
  EXPECT_FALSE(decode_commit_point(""));
  EXPECT_FALSE(decode_commit_point(bytes + "x"));
  EXPECT_FALSE(decode_commit_point(std::string(kCommitPointBytes, '\0')));
}

TEST(CommitChain, TheDigestDependsOnEveryOperationAndTheirOrder) {
  const auto put = [](std::string key, std::string value) {
    WriteBatch rows;
    rows.put(Family::kState, std::move(key), std::move(value));
    return rows;
  };
  WriteBatch in_log;
  in_log.put(Family::kLog, "a", std::string("b"));
  WriteBatch removed;
  removed.remove(Family::kState, "a");
  WriteBatch range;
  range.remove_range(Family::kState, "a", "b");
  std::set<std::uint64_t> digests;
  const std::vector<std::vector<WriteBatch>> histories = {{put("a", "b")},
                                                          {put("ab", "")},
                                                          {put("", "ab")},
                                                          {put("a", "c")},
                                                          {in_log},
                                                          {removed},
                                                          {range},
                                                          {WriteBatch{}},
                                                          {put("a", "b"), removed},
                                                          {removed, put("a", "b")},
                                                          {put("a", "b"), WriteBatch{}},
                                                          {WriteBatch{}, put("a", "b")}};
  for (const std::vector<WriteBatch>& history : histories) {
    EXPECT_TRUE(digests.insert(chain(history).digest).second);
    EXPECT_EQ(chain(history), chain(history));
    EXPECT_EQ(chain(history).index.value, history.size());
  }
}

// The digest is on disk: another value for the same history would look like a replaced one.
TEST(CommitChain, TheDigestIsTheOneOfTheFormat) {
  WriteBatch rows;
  rows.put(Family::kState, "key", std::string("value"));
  rows.remove(Family::kLog, "gone");
  rows.remove_range(Family::kState, "from", "to");
  const CommitPoint point = chain({rows, WriteBatch{}});
  EXPECT_EQ(point.digest, 0x314cc541cfe847c4U);
}

TEST(CommitChainDeathTest, AGapInTheIndexesIsAFaultOfOurOwn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(next_point(CommitPoint{}, proto::CommitIndex(2), 0, WriteBatch{}), "without gaps");
}

}  // namespace
}  // namespace weir::storage
