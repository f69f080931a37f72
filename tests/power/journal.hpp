#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// What a process did to its disk and what it said, in one order. Lies in memory that is shared with
// the process that started it, so it outlives whatever end the writer comes to.
namespace weir::power {

enum class Step : std::uint32_t {
  // Names. `bytes` is the path below the disk's root; of a rename "from\0to".
  kCreate,      // `file` is new
  kMakeFolder,  // `file` is the folder's number
  kRename,      // `file` is what is renamed
  kUnlink,
  // Bytes of `file`.
  kWrite,     // at offset `at`
  kTruncate,  // to size `at`
  kAllocate,  // to a size of at least `at`
  // Durability: of everything before the entry `at`, which is the begin.
  kSyncBegin,
  kSyncEnd,
  kSyncFailed,
  kSyncRepeated,  // of a file whose sync had failed: nobody may
  // A machine that has just come up: what lies on its disk follows, as names and bytes, and is
  // durable when kPowered comes.
  kPowerLoss,
  kPowered,
  // What the store was told and what it promised. `at` is the commit's index; `bytes` of the begin
  // is the digest of all rows behind it.
  kCommitBegin,
  kCommitEnd,
  kRecovered,  // a start found everything up to commit `at`, and nothing behind it
  // What a client asked, and what the broker said (word.hpp).
  kWord,
  // A call was made to fail; `bytes` names call and path.
  kFault,
  // The process could not go on, or did not start: its message for a person.
  kDeath,
};

[[nodiscard]] std::string_view name_of(Step step);

struct Entry {
  Step step = Step::kWord;
  std::uint32_t file = 0;
  std::uint64_t at = 0;
  std::string_view bytes;  // into the journal
};

/// Appending is for one thread at a time; reading is for after it, or for what came before.
class Journal {
 public:
  explicit Journal(std::size_t capacity_bytes);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// The number of the entry. Ends the process when there is no room: the run is too long.
  std::uint64_t append(Step step, std::uint32_t file, std::uint64_t at, std::string_view bytes);
  [[nodiscard]] std::uint64_t entries() const;
  [[nodiscard]] std::vector<Entry> read() const;
  void clear();

 private:
  struct Header {
    std::atomic<std::uint64_t> used_bytes;
    std::atomic<std::uint64_t> entries;
  };
  [[nodiscard]] Header* header() const { return static_cast<Header*>(memory_); }
  [[nodiscard]] char* data() const { return static_cast<char*>(memory_) + sizeof(Header); }

  std::size_t capacity_bytes_;
  void* memory_ = nullptr;
};

}  // namespace weir::power
