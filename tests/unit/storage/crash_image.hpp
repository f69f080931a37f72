#pragma once

#include "storage/commit_chain.hpp"
#include "storage/mark_file.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/unit/storage/live_copy.hpp"
#include "tests/unit/storage/store_builders.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

// What a database leaves that is killed, to be damaged.
namespace weir::storage {

inline std::string key_of(std::uint64_t commit) {
  return "key" + std::to_string(10'000 + commit);
}

// A database that wrote some commits and was then killed: everything is synced, nothing closed.
class CrashImage {
 public:
  CrashImage(std::uint64_t commits, std::size_t value_bytes,
             std::size_t write_buffer_bytes = std::size_t{64} << 20) {
    const auto store = open_rocks_store({.path = directory_.file("live"),
                                         .write_buffer_bytes = write_buffer_bytes})
                           .value();
    for (std::uint64_t i = 1; i <= commits; ++i) {
      WriteBatch rows;
      rows.put(Family::kState, key_of(i), std::to_string(i));
      rows.put(Family::kLog, key_of(i), std::string(value_bytes, static_cast<char>('a' + i % 26)));
      last_ = next_point(last_, proto::CommitIndex(i), 0, rows);
      put_commit_point(rows, last_);
      const std::array<const WriteBatch*, 1> batches = {&rows};
      store->commit(batches).value();
    }
    copy_live(directory_.path() / "live", path());
  }

  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "image"; }
  [[nodiscard]] const CommitPoint& last() const { return last_; }
  [[nodiscard]] std::vector<std::filesystem::path> logs() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().extension() == ".log" && entry.file_size() > 0) {
        found.push_back(entry.path());
      }
    }
    std::ranges::sort(found);
    return found;
  }

  [[nodiscard]] auto open(bool accept_damage = false) const {
    return open_rocks_store({.path = path().string(), .accept_damage = accept_damage});
  }
  [[nodiscard]] CommitPoint recovered() const {
    return read_commit_point(*open().value()->snapshot()).value();
  }
  /// What the start of a broker says that had marked every commit.
  [[nodiscard]] std::string refusal_by_mark() const {
    const std::string mark = directory_.file("mark");
    MarkFile::create(mark, last_).value();
    const auto checked = open_checked_mark(mark, recovered(), MissingCommits::kRefuse);
    return checked ? "" : checked.error().message;
  }

 private:
  TempDir directory_;
  CommitPoint last_;
};

inline void flip_byte(const std::filesystem::path& file, std::size_t position) {
  std::string bytes = read_file(file);
  bytes.at(position) = static_cast<char>(bytes.at(position) ^ 1);
  write_file(file, bytes);
}

}  // namespace weir::storage
