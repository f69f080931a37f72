#pragma once

#include "tests/power/journal.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>

// What the process does to the files below one folder, seen beneath everything that does it:
// RocksDB and our own code alike call the C library, and file_calls.cpp is in its place.
namespace weir::power {

/// Calls that can be made to fail.
enum class Call : std::uint32_t {
  kOpen = 1U << 0U,
  kWrite = 1U << 1U,
  kSync = 1U << 2U,
  kRename = 1U << 3U,
  kAllocate = 1U << 4U,
  kTruncate = 1U << 5U,
  kMakeFolder = 1U << 6U,
  kUnlink = 1U << 7U,
};
inline constexpr std::uint32_t kEveryCall = 0xff;

/// Stands for the watched folder itself.
inline constexpr std::uint32_t kRootFile = 0xffffffff;

/// Lets the n-th call of these kinds fail, or that and all later ones.
struct Fault {
  std::uint64_t n = 0;  // from 1
  std::uint32_t calls = kEveryCall;
  int error = 0;  // an errno; 0: a write writes only a part of what it was given
  bool for_good = false;
};

class DiskTap {
 public:
  static DiskTap& instance();

  /// From now on everything below `root` is written down. `root` itself exists, and is durable.
  /// Nothing is really synced: what is durable is for the model of the disk to say.
  void watch(std::string root, Journal& journal);
  /// What is called from now on is done and not written down; open files stay usable.
  void unwatch();
  /// Another process begins: it may sync a file again whose sync failed in the one before.
  void begin_process();
  /// The process is dead: until the next watch() or thaw() every change is answered as done and
  /// does nothing, so that its objects can be taken apart.
  void freeze();
  void thaw();
  /// Adds to the journal in the order of the calls. Nothing while nobody watches.
  void note(Step step, std::uint64_t at, std::string_view bytes);

  void fail(const Fault& fault);
  /// Calls so far that the fault might have hit.
  [[nodiscard]] std::uint64_t calls() const { return calls_; }

  /// Syncs of files whose path ends with this hang until release(); empty: of none.
  void hang_syncs(std::string ending);
  void release();
  /// Returns when a sync hangs.
  void wait_for_hang();

  // ---- for file_calls.cpp: as the system calls, with errno
  int open(const char* path, int flags, mode_t mode);
  int close(int descriptor);
  ssize_t write(int descriptor, const void* bytes, std::size_t count, off_t offset);
  int truncate(int descriptor, off_t size);
  int allocate(int descriptor, int mode, off_t offset, off_t length);
  int sync(int descriptor);
  int rename(const char* from, const char* to);
  int unlink(const char* path);
  int make_folder(const char* path, mode_t mode);
  [[nodiscard]] bool is_watched(int descriptor) const;

  static constexpr off_t kAtPosition = -1;

 private:
  static constexpr std::size_t kMaxDescriptors = 4096;

  [[nodiscard]] std::optional<std::string> below_root(const char* path) const;
  [[nodiscard]] bool injects(Call call, std::string_view path, int& error);
  [[nodiscard]] std::uint32_t file_of(int descriptor) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> watching_ = false;
  bool frozen_ = false;
  std::string root_;
  Journal* journal_ = nullptr;
  std::map<std::string, std::uint32_t> names_;      // files and folders that are there
  std::map<std::uint32_t, std::string> last_name_;  // for messages
  std::uint32_t last_file_ = 0;
  std::array<std::atomic<std::uint32_t>, kMaxDescriptors> files_{};  // by descriptor; 0: not ours
  std::set<std::uint32_t> failed_syncs_;
  std::optional<Fault> fault_;
  std::uint64_t calls_ = 0;
  std::string hanging_;
  bool hangs_ = false;
};

}  // namespace weir::power
