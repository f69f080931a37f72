#include "storage/memory_store.hpp"

#include "tests/unit/storage/store_builders.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;

TEST(MemoryStore, ACrashForgetsExactlyWhatWasNotSynced) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put("a", "1").put("b", "1")));
  const std::uint64_t before = store.digest();
  ASSERT_TRUE(write_unsynced(store, a_change().put("a", "2").remove("b").put("c", "2")));
  ASSERT_TRUE(write_unsynced(store, a_change().remove_range("a", "z").put("d", "3")));
  EXPECT_EQ(store.unsynced_changes(), 2U);
  store.crash_losing_unsynced();
  EXPECT_EQ(store.digest(), before);
  EXPECT_EQ(rows_of(store), (RowMap{{"a", "1"}, {"b", "1"}}));
}

TEST(MemoryStore, WhatIsNotSyncedIsNotVisible) {
  MemoryStore store;
  ASSERT_TRUE(write_unsynced(store, a_change().put("a", "1")));
  EXPECT_EQ(rows_of(store), RowMap{});
  ASSERT_TRUE(store.sync());
  EXPECT_EQ(rows_of(store), (RowMap{{"a", "1"}}));
}

TEST(MemoryStore, ACrashWithASeedKeepsWholeChangesInOrder) {
  std::array<bool, 4> seen{};
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    MemoryStore store;
    std::vector<RowMap> after = {RowMap{}};
    ASSERT_TRUE(write_unsynced(store, a_change().put("a", "1").put("b", "1")));
    after.push_back({{"a", "1"}, {"b", "1"}});
    ASSERT_TRUE(write_unsynced(store, a_change().remove("a")));
    after.push_back({{"b", "1"}});
    ASSERT_TRUE(write_unsynced(store, a_change().put("b", "3").put("c", "3")));
    after.push_back({{"b", "3"}, {"c", "3"}});
    const std::size_t survived = store.crash(seed);
    ASSERT_LT(survived, after.size());
    EXPECT_EQ(rows_of(store), after[survived]);
    seen[survived] = true;
  }
  EXPECT_EQ(seen, (std::array<bool, 4>{true, true, true, true}));
}

TEST(MemoryStore, TheSameSeedCrashesTheSameWay) {
  const auto run = [](std::uint64_t seed) {
    MemoryStore store;
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(write_unsynced(store, a_change().put(std::to_string(i), "x")));
    }
    store.crash(seed);
    return store.digest();
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(run(seed), run(seed));
  }
}

TEST(MemoryStore, APowerLossShowsLiesUpToTheLastTruth) {
  for (std::size_t kept = 0; kept < 2; ++kept) {
    MemoryStore store;
    ASSERT_TRUE(commit(store, a_change().put("a", "1").put("b", "1")));
    ASSERT_TRUE(write_unsynced(store, a_change().put("a", "2").remove("b")));
    ASSERT_TRUE(store.sync_lying());
    ASSERT_TRUE(write_unsynced(store, a_change().put("a", "3").put("c", "3")));
    ASSERT_TRUE(store.sync_lying());
    EXPECT_EQ(rows_of(store), (RowMap{{"a", "3"}, {"c", "3"}})) << "it looks durable";
    EXPECT_EQ(store.lies(), 2U);
    store.crash_losing_lies(kept);
    EXPECT_EQ(rows_of(store), kept == 0 ? (RowMap{{"a", "1"}, {"b", "1"}}) : (RowMap{{"a", "2"}}));
    EXPECT_EQ(store.lies(), 0U);
    EXPECT_EQ(store.kept_versions(), rows_of(store).size());
  }
}

TEST(MemoryStore, ATrueSyncMakesEarlierLiesTrue) {
  MemoryStore store;
  ASSERT_TRUE(write_unsynced(store, a_change().put("a", "1")));
  ASSERT_TRUE(store.sync_lying());
  ASSERT_TRUE(write_unsynced(store, a_change().put("a", "2")));
  ASSERT_TRUE(store.sync());
  EXPECT_EQ(store.lies(), 0U);
  EXPECT_EQ(store.kept_versions(), 1U);
  store.crash_losing_unsynced();
  EXPECT_EQ(rows_of(store), (RowMap{{"a", "2"}}));
}

TEST(MemoryStore, AFailedWriteIsFinalUntilARestart) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put("a", "1")));
  store.fail_next_commit(CommitFault::kBeforeWrite);
  EXPECT_EQ(commit(store, a_change().put("a", "2")).error().code, Errc::kStorageFailed);
  EXPECT_EQ(commit(store, a_change().put("b", "2")).error().code, Errc::kStorageFailed);
  EXPECT_EQ(write_unsynced(store, a_change().put("b", "2")).error().code, Errc::kStorageFailed);
  EXPECT_EQ(store.sync().error().code, Errc::kStorageFailed);
  store.crash_losing_unsynced();
  EXPECT_EQ(rows_of(store), (RowMap{{"a", "1"}}));
  EXPECT_TRUE(commit(store, a_change().put("a", "3")));
  EXPECT_EQ(rows_of(store), (RowMap{{"a", "3"}}));
}

TEST(MemoryStore, AFailedSyncLeavesTheOutcomeToTheCrash) {
  bool lost = false;
  bool kept = false;
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    MemoryStore store;
    store.fail_next_commit(CommitFault::kAfterWrite);
    EXPECT_EQ(commit(store, a_change().put("a", "1")).error().code, Errc::kStorageFailed);
    EXPECT_EQ(rows_of(store), RowMap{});
    store.crash(seed);
    (rows_of(store).empty() ? lost : kept) = true;
  }
  EXPECT_TRUE(lost);
  EXPECT_TRUE(kept);
}

TEST(MemoryStore, FailedReadsAreToldAsErrors) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put("a", "1").put("b", "1")));
  const auto reader = store.snapshot();
  auto scan = reader->scan(Family::kState, "", "z", {});
  ASSERT_TRUE(scan->valid());
  store.fail_reads(true);
  EXPECT_EQ(reader->get(Family::kState, "a").error().code, Errc::kStorageFailed);
  scan->next();
  EXPECT_FALSE(scan->valid());
  EXPECT_EQ(scan->status().error().code, Errc::kStorageFailed);
  store.fail_reads(false);
  EXPECT_EQ(reader->get(Family::kState, "a").value(), "1");
}

TEST(MemoryStore, FaultRatesDrawTheSameFaultsFromTheSameSeed) {
  const auto run = [](std::uint64_t seed) {
    MemoryStore store;
    store.set_fault_rates({.seed = seed, .commits_per_million = 200'000});
    std::string outcomes;
    for (int i = 0; i < 50; ++i) {
      outcomes += commit(store, a_change().put("a", std::to_string(i))) ? '.' : 'x';
      if (outcomes.back() == 'x') {
        store.crash(static_cast<std::uint64_t>(i));
      }
    }
    return outcomes + std::to_string(store.digest());
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
  EXPECT_NE(run(1).find('x'), std::string::npos);
}

TEST(MemoryStore, ScansStayInsideTheirBounds) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put("a", "1").put("c", "2").put("e", "3")));
  expect_bounded_scans(store);
}

TEST(MemoryStore, DigestSeesEveryChangeAndHonoursTheFilter) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put("a", "bc").put("d", "")));
  const std::uint64_t first = store.digest();
  ASSERT_TRUE(commit(store, a_change().put("a", "b").put("d", "c")));
  EXPECT_NE(store.digest(), first);
  ASSERT_TRUE(commit(store, a_change().put("a", "bc").put("d", "")));
  EXPECT_EQ(store.digest(), first);
  const auto without_d = [](Family, std::string_view key) { return key != "d"; };
  const std::uint64_t filtered = store.digest(without_d);
  ASSERT_TRUE(commit(store, a_change().put("d", "other")));
  EXPECT_EQ(store.digest(without_d), filtered);
  EXPECT_EQ(store.dump(), "state 61 = 6263\nstate 64 = 6f74686572\n");
}

TEST(MemoryStore, KeepsNoDeletedRowAndNoOldVersionWhenNobodyLooks) {
  MemoryStore store;
  for (int round = 0; round < 1000; ++round) {
    const std::string key = std::to_string(round);
    ASSERT_TRUE(commit(store, a_change().put(key, "x").put("same", key)));
    ASSERT_TRUE(commit(store, a_change().remove(key)));
  }
  EXPECT_EQ(rows_of(store), (RowMap{{"same", "999"}}));
  EXPECT_EQ(store.kept_versions(), 1U);
}

// A random history against the obvious model, with snapshots held over later changes and crashes.
TEST(MemoryStore, AgreesWithAModelOverRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    MemoryStore store;
    RowMap synced;
    std::vector<RowMap> pending;
    std::vector<std::pair<std::unique_ptr<Reader>, RowMap>> held;
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t choice = random() % 100;
      if (choice < 60) {
        RowMap next = pending.empty() ? synced : pending.back();
        ChangeBuilder batch;
        for (std::uint64_t i = 0; i <= random() % 4; ++i) {
          const std::string key(1, static_cast<char>('a' + random() % 12));
          const std::uint64_t kind = random() % 5;
          if (kind < 3) {
            const std::string value = std::to_string(random() % 1000);
            batch.put(key, value);
            next[key] = value;
          } else if (kind == 3) {
            batch.remove(key);
            next.erase(key);
          } else {
            const std::string end(1, static_cast<char>(key[0] + static_cast<char>(random() % 4)));
            batch.remove_range(key, end);
            next.erase(next.lower_bound(key), next.lower_bound(end));
          }
        }
        ASSERT_TRUE(write_unsynced(store, batch));
        pending.push_back(next);
      } else if (choice < 80) {
        ASSERT_TRUE(store.sync());
        if (!pending.empty()) {
          synced = pending.back();
          pending.clear();
        }
      } else if (choice < 90) {
        held.emplace_back(store.snapshot(), synced);
      } else if (choice < 97) {
        if (!held.empty()) {
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(random() % held.size()));
        }
      } else {
        const std::size_t survived = store.crash(random());
        if (survived > 0) {
          synced = pending[survived - 1];
        }
        pending.clear();
      }
      for (const auto& [reader, expected] : held) {
        ASSERT_EQ(rows_of(*reader), expected) << "seed " << seed << " step " << step;
      }
      ASSERT_EQ(rows_of(store), synced) << "seed " << seed << " step " << step;
    }
  }
}

TEST(MemoryStore, ReadersRunBesideTheWriter) {
  MemoryStore store;
  ASSERT_TRUE(commit(store, a_change().put("left", "0").put("right", "0")));
  std::thread reader([&store] {
    for (int i = 0; i < 2000; ++i) {
      const RowMap rows = rows_of(store);
      ASSERT_EQ(rows.at("left"), rows.at("right"));
    }
  });
  for (int i = 1; i <= 2000; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_TRUE(commit(store, a_change().put("left", value).put(value, "").put("right", value)));
    ASSERT_TRUE(commit(store, a_change().remove(value)));
  }
  reader.join();
}

}  // namespace
}  // namespace weir::storage
