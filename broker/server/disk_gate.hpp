#pragma once

#include <cstdint>

namespace weir::server {

/// Decides from the free disk space whether sends are taken and whether the ballast is needed.
/// Pure; asked ten times a second, since a fast disk takes gigabytes in one.
class DiskGate {
 public:
  struct Limits {
    std::uint64_t min_free_bytes = 0;  // sends are refused below
    std::uint64_t ballast_bytes = 0;
  };
  enum class Ballast : std::uint8_t { kKeep, kRelease, kRestore };
  struct Verdict {
    bool refuse_sends = false;
    Ballast ballast = Ballast::kKeep;
  };

  /// `has_ballast`: it lies on the disk already.
  DiskGate(Limits limits, bool has_ballast) : limits_(limits), has_ballast_(has_ballast) {}

  [[nodiscard]] Verdict look(std::uint64_t free_bytes) {
    // What the ballast left behind is no free space: sends would use it up again.
    const std::uint64_t lent = has_ballast_ ? 0 : limits_.ballast_bytes;
    const std::uint64_t free = free_bytes > lent ? free_bytes - lent : 0;
    // A little more is asked for to open again, so that it does not swing.
    const std::uint64_t wanted =
        full_ ? limits_.min_free_bytes + limits_.min_free_bytes / 10 : limits_.min_free_bytes;
    full_ = free < wanted;
    Verdict verdict;
    verdict.refuse_sends = full_;
    if (limits_.ballast_bytes == 0) {
      return verdict;
    }
    if (has_ballast_ && full_ && free_bytes < limits_.min_free_bytes / 2) {
      has_ballast_ = false;
      verdict.ballast = Ballast::kRelease;
    } else if (!has_ballast_ && !full_ && free >= 2 * limits_.min_free_bytes) {
      has_ballast_ = true;
      verdict.ballast = Ballast::kRestore;
    }
    return verdict;
  }
  void set_min_free(std::uint64_t bytes) { limits_.min_free_bytes = bytes; }
  /// The ballast could not be laid down.
  void on_no_ballast() { has_ballast_ = false; }

 private:
  Limits limits_;
  bool has_ballast_;
  bool full_ = false;
};

}  // namespace weir::server
