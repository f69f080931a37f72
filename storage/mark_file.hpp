#pragma once

#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

// A small file outside of the database that remembers how far the commits had got. RocksDB opens
// without a word when its newest WAL is missing or cut short; the mark notices. It is written off
// the commits' path and may be behind, never ahead: a commit is marked after it is durable.
//
// Two slots, 4096 bytes apart, are there from the beginning and written in turn, so that a torn
// write can only damage the newer one, and no write ever changes the file's size.
namespace weir::storage {

class MarkFile {
 public:
  /// Makes the file with `point` in both slots, durably.
  [[nodiscard]] static proto::Result<MarkFile> create(const std::string& path,
                                                      const CommitPoint& point);
  /// Opens the file and reads it. STORAGE_FAILED when it is missing or both slots are damaged.
  [[nodiscard]] static proto::Result<MarkFile> open(const std::string& path);

  /// Makes the file anew, but only at the first write(): until then the old one stays and says what
  /// it said, so that a start that breaks off before its first commit changed nothing.
  [[nodiscard]] static MarkFile replace_at_first_write(std::string path, const CommitPoint& point);

  /// What was marked last; after open(), the newer of the slots that are whole.
  [[nodiscard]] const CommitPoint& last() const { return last_; }

  /// Marks a later point and syncs it. After an error nothing more may be written: the caller
  /// stops.
  [[nodiscard]] proto::Result<> write(const CommitPoint& point);

 private:
  MarkFile(std::string path, std::optional<File> file, const CommitPoint& last,
           std::uint64_t next_slot)
      : path_(std::move(path)), file_(std::move(file)), last_(last), next_slot_(next_slot) {}

  std::string path_;
  std::optional<File> file_;  // none before the first write of a mark that replaces another
  CommitPoint last_;
  std::uint64_t next_slot_ = 0;
};

/// STORAGE_FAILED, with a message for a person, when the database recovered less than was marked,
/// or another history.
[[nodiscard]] proto::Result<> check_mark(const CommitPoint& marked, const CommitPoint& recovered);

/// Whether a person has decided that what is missing may be given up.
enum class MissingCommits : std::uint8_t { kRefuse, kAccept };

struct CheckedMark {
  MarkFile file;
  /// Commits were given up, so that indexes, offsets and ids may be used again: whoever answers for
  /// handles from before must make them invalid.
  bool accepted_loss = false;
};

/// Compares the mark with what the database recovered and gives the mark for going on; makes it
/// where neither the file nor any commit is there yet. STORAGE_FAILED, with a message for a person,
/// when commits are missing, the history is another one, or the mark is gone or damaged while there
/// are commits. With kAccept these cases go on, and the first commit begins a new mark.
[[nodiscard]] proto::Result<CheckedMark> open_checked_mark(const std::string& path,
                                                           const CommitPoint& recovered,
                                                           MissingCommits missing);

}  // namespace weir::storage
