#pragma once

#include "tests/power/journal.hpp"
#include "tests/sim/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The disk of a journal: what is durable on it at each moment, what is under way, and what may be
// there after the power goes. It promises no more than POSIX does, which is less than ext4:
//
//   * Bytes and size of a file are durable behind an fsync or fdatasync that returned. Until then
//     each change may be there or not, in part and in any order, sector by sector, also a size
//     without its bytes (zeros).
//   * A name (created, renamed, removed) is durable behind an fsync of its folder, and of nothing
//     else. Until then each may be there or not, whatever came later. A rename is one change.
//   * Files and folders have nothing to do with each other.
//   * After a failed sync what it was for may be there or not for ever, whatever is synced later:
//     the kernel drops the pages and calls them clean.
namespace weir::power {

/// What the power loss does to what was not durable.
enum class Loss : std::uint8_t {
  kNone,     // nothing is lost: as when only the process dies
  kAll,      // all of it
  kPrefix,   // of each file and folder the first changes stay, the last of them torn
  kSectors,  // each sector of 512 bytes is the old or the new one; each name change is there or not
  kPages,    // the same with 4096
  kMixed,    // another one of these for each file
};
inline constexpr std::uint8_t kLosses = 6;
[[nodiscard]] std::string_view name_of(Loss loss);

/// Files by their path, and folders (without content), as a machine that comes up finds them.
struct Image {
  std::map<std::string, std::string> files;
  std::vector<std::string> folders;  // a folder before what lies in it
  [[nodiscard]] std::uint64_t hash() const;
};

class DiskModel {
 public:
  /// The journal's entries outlive the model.
  explicit DiskModel(std::span<const Entry> entries) : entries_(entries) {}

  /// Goes on until `position` entries have happened; never back.
  void advance(std::size_t position);
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] Image image(Loss loss, sim::Rng& rng) const;

 private:
  struct Change {
    std::size_t entry = 0;
    bool is_doubtful = false;  // its sync failed
    bool is_synced = false;    // behind a doubtful one; by itself it would be durable
  };
  struct File {
    std::string durable;
    std::vector<Change> changes;
  };
  struct NameChange {
    std::size_t entry = 0;
    std::string folder;
  };

  void apply(std::size_t at);
  void sync_file(std::uint32_t file, std::size_t begin, bool failed);
  void sync_folder(const std::string& folder, std::size_t begin);
  void settle_everything();
  static void change_bytes(const Entry& entry, std::string& bytes, std::size_t at_most);
  void change_names(const Entry& entry, std::map<std::string, std::uint32_t>& names) const;
  [[nodiscard]] std::string content(const File& file, Loss loss, sim::Rng& rng) const;

  std::span<const Entry> entries_;
  std::size_t position_ = 0;
  std::map<std::uint32_t, File> files_;
  std::map<std::uint32_t, std::string> folders_;  // by number
  std::map<std::string, std::uint32_t> names_;    // durable ones
  std::vector<NameChange> name_changes_;
};

}  // namespace weir::power
