#pragma once

#include "storage/kv.hpp"
#include "storage/memory_store.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// Short words for tests of stores: a batch in one expression, a family as a map.
namespace weir::storage {

/// Everything in family kState unless in_log() came before.
class ChangeBuilder {
 public:
  ChangeBuilder& put(std::string_view key, std::string_view value) {
    batch_.put(family_, std::string(key), std::string(value));
    return *this;
  }
  ChangeBuilder& remove(std::string_view key) {
    batch_.remove(family_, std::string(key));
    return *this;
  }
  ChangeBuilder& remove_range(std::string_view begin, std::string_view end) {
    batch_.remove_range(family_, std::string(begin), std::string(end));
    return *this;
  }
  ChangeBuilder& in_log() {
    family_ = Family::kLog;
    return *this;
  }
  [[nodiscard]] const WriteBatch& batch() const { return batch_; }

 private:
  Family family_ = Family::kState;
  WriteBatch batch_;
};

inline ChangeBuilder a_change() {
  return {};
}

inline proto::Result<> commit(KeyValueStore& store, const ChangeBuilder& builder) {
  const std::array<const WriteBatch*, 1> batches = {&builder.batch()};
  return store.commit(batches);
}

inline proto::Result<> write_unsynced(MemoryStore& store, const ChangeBuilder& builder) {
  const std::array<const WriteBatch*, 1> batches = {&builder.batch()};
  return store.write_unsynced(batches);
}

using RowMap = std::map<std::string, std::string>;

/// All rows of a family by one scan; throws when the scan fails.
inline RowMap rows_of(const Reader& reader, Family family = Family::kState) {
  RowMap rows;
  const std::unique_ptr<Iterator> scan = reader.scan(family, "", "", {});
  for (; scan->valid(); scan->next()) {
    rows.emplace(scan->key(), scan->value());
  }
  scan->status().value();
  return rows;
}

inline RowMap rows_of(const KeyValueStore& store, Family family = Family::kState) {
  const std::unique_ptr<Reader> reader = store.snapshot();
  return rows_of(*reader, family);
}

/// What every store must do with the rows a, c and e of family kState.
inline void expect_bounded_scans(const KeyValueStore& store) {
  const std::unique_ptr<Reader> reader = store.snapshot();
  const std::unique_ptr<Iterator> scan = reader->scan(Family::kState, "b", "e", {});
  ASSERT_TRUE(scan->valid());
  EXPECT_EQ(scan->key(), "c");
  scan->next();
  EXPECT_FALSE(scan->valid());
  EXPECT_TRUE(scan->status());
  scan->seek("a");
  ASSERT_TRUE(scan->valid()) << "a seek before the range stands on its first key";
  EXPECT_EQ(scan->key(), "c");
  scan->seek("d");
  EXPECT_FALSE(scan->valid());
  scan->seek_for_prev("z");
  ASSERT_TRUE(scan->valid()) << "a seek behind the range stands on its last key";
  EXPECT_EQ(scan->key(), "c");
  EXPECT_EQ(scan->value(), "2");
  scan->seek_for_prev("b");
  EXPECT_FALSE(scan->valid());
  const std::unique_ptr<Iterator> open_ended = reader->scan(Family::kState, "c", "", {});
  open_ended->seek_for_prev("x");
  ASSERT_TRUE(open_ended->valid()) << "an empty upper bound is none";
  EXPECT_EQ(open_ended->key(), "e");
  EXPECT_FALSE(reader->scan(Family::kLog, "", "", {})->valid());
}

}  // namespace weir::storage
