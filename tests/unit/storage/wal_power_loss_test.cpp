#include "storage/rocks/prefilled_wal.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/unit/storage/live_copy.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

// The machine stops while a commit is on its way to the disk: of what changed since the last sync,
// each sector may be there or not, in any combination, and the file as long as before, as it
// became, or in between.
namespace weir::storage {
namespace {

constexpr std::size_t kSectorBytes = 512;

class PowerLoss {
 public:
  explicit PowerLoss(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  // Mostly small, so that zeros are written ahead, and now and then larger than what was.
  std::size_t some_size() { return below(8) > 0 ? below(2000) : below(2 * kPrefillBytes); }

  // `synced` is what the last sync covers, `written` what is in memory since.
  std::string what_is_left(const std::string& synced, const std::string& written) {
    std::string left = written;
    const std::uint64_t kept_percent = below(101);
    for (std::size_t at = 0; at < left.size(); at += kSectorBytes) {
      if (below(100) < kept_percent) {
        continue;
      }
      for (std::size_t i = at; i < std::min(at + kSectorBytes, left.size()); ++i) {
        left[i] = i < synced.size() ? synced[i] : '\0';
      }
    }
    const std::size_t shorter = std::min(synced.size(), written.size());
    const std::size_t longer = std::max(synced.size(), written.size());
    left.resize(below(2) == 0 ? longer : shorter + below(longer - shorter + 1));
    return left;
  }

 private:
  std::mt19937_64 random_;
};

std::filesystem::path newest_log(const std::filesystem::path& database) {
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(database)) {
    if (entry.path().extension() == ".log") {
      newest = std::max(newest, entry.path());
    }
  }
  return newest;
}

struct WalPowerLoss : testing::TestWithParam<std::uint64_t> {};

TEST_P(WalPowerLoss, EverythingThatWasSyncedIsThereAndTheStartIsNotRefused) {
  PowerLoss power(GetParam());
  const TempDir directory;
  const std::filesystem::path live = directory.path() / "live";
  const auto store = open_rocks_store({.path = live.string()}).value();
  const std::filesystem::path log = newest_log(live);
  RowMap rows;
  for (int i = 0; i < 120; ++i) {
    const std::string synced = read_file(log);
    RowMap next = rows;
    next["key" + std::to_string(power.below(40))] =
        std::string(power.some_size(), static_cast<char>('a' + i % 26));
    ChangeBuilder change;
    for (const auto& [key, value] : next) {
      if (!rows.contains(key) || rows.at(key) != value) {
        change.put(key, value);
      }
    }
    ASSERT_TRUE(commit(*store, change));
    if (power.below(4) == 0) {
      const TempDir crash;
      const std::filesystem::path image = crash.path() / "db";
      copy_live(live, image);
      write_file(image / log.filename(), power.what_is_left(synced, read_file(log)));
      const auto reopened = open_rocks_store({.path = image.string()});
      ASSERT_TRUE(reopened) << reopened.error().message;
      const RowMap found = rows_of(**reopened);
      ASSERT_TRUE(found == rows || found == next) << "commit " << i;
    }
    rows = next;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, WalPowerLoss,
                         testing::Range(std::uint64_t{1}, test::share<std::uint64_t>(5, 2)));

}  // namespace
}  // namespace weir::storage
