#include "storage/rocks/manifest_cut.hpp"

#include "storage/commit_chain.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/unit/storage/crash_image.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace weir::storage {
namespace {

// A copy of a database that was never closed.
struct TornManifest : testing::Test {
  TornManifest() : path(dir.path() / "db") {
    std::filesystem::copy(image.path(), path, std::filesystem::copy_options::recursive);
    std::string name = read_file(path / "CURRENT");
    name.pop_back();
    manifest = path / name;
    bytes = read_file(manifest);
  }
  // Behind what is whole an entry whose first bytes came and whose middle did not.
  [[nodiscard]] std::string torn() const {
    return bytes + std::string("\x12\x34\x56\x78\x28\0\x01", 7) + std::string(20, '\0') +
           std::string(20, 'x');
  }
  [[nodiscard]] std::string start() const {
    const auto opened = open_rocks_store({.path = path.string()});
    if (!opened) {
      return opened.error().message;
    }
    return std::to_string(read_commit_point(*(*opened)->snapshot()).value().index.value);
  }

  CrashImage image{3, 1'000};
  TempDir dir;
  std::filesystem::path path;
  std::filesystem::path manifest;
  std::string bytes;
};

TEST_F(TornManifest, IsCutWhereTheWholeRecordsEnd) {
  write_file(manifest, torn());
  ASSERT_TRUE(cut_torn_manifest(path.string()));
  EXPECT_EQ(read_file(manifest), bytes);
  EXPECT_TRUE(std::filesystem::exists(manifest.string() + ".torn"));
  EXPECT_EQ(start(), "3");
}

TEST_F(TornManifest, OpensWithEverythingThatWasCommitted) {
  write_file(manifest, torn());
  EXPECT_EQ(start(), "3");
}

TEST_F(TornManifest, StaysAsItIsWhenItIsWhole) {
  ASSERT_TRUE(cut_torn_manifest(path.string()));
  EXPECT_EQ(read_file(manifest), bytes);
  EXPECT_FALSE(std::filesystem::exists(manifest.string() + ".torn"));
}

TEST_F(TornManifest, StaysAsItIsWhereTheLogIsGone) {
  write_file(manifest, torn());
  for (const std::filesystem::path& log : image.logs()) {
    std::filesystem::remove(path / log.filename());
  }
  ASSERT_TRUE(cut_torn_manifest(path.string()));
  EXPECT_EQ(read_file(manifest), torn());
}

}  // namespace
}  // namespace weir::storage
