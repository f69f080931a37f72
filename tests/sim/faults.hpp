#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::sim {

/// Everything that can befall a run.
enum class Fault : std::uint8_t {
  kNone,
  kCrash,        // the process ends, up to its next start; what it wrote may stay
  kBrokenStart,  // a start ends before it is done
  kStop,         // the process ends in order
  kReset,        // the shard forgets all and reads the store again
  kCut,          // both ends of a connection hear of its end
  kHalfOpen,     // one end heard of it, the other has not yet
  kFailedSync,   // and with it the process
  kSlowSync,     // up to 30 s
  kLyingSync,    // what it called durable is not
  kFailedLoad,   // a read of the disk fails, and with it the process
  kSlowLoad,     // up to 5 s
  kStall,        // the process stands still, up to 60 s
  kWallClock,    // it is set, by up to an hour
  kRefusal,      // sends are refused, as with a disk that is full
  kImport,       // the broker goes on with a copy of what it left
  kReplicaRestart,
  kCount,
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::kCount);

std::string_view name(Fault fault);

/// A set of faults, one bit each.
using FaultSet = std::uint32_t;
constexpr FaultSet bit(Fault fault) {
  return FaultSet{1} << static_cast<unsigned>(fault);
}

/// Which faults were in force when: from their beginning to a while after their end, for what they
/// leave behind. Times are virtual.
class FaultCalendar {
 public:
  static constexpr std::int64_t kAftermathUs = 100'000;

  /// In force until end(), which does nothing where it is not, or up to `until_us`; and the while
  /// after it.
  void begin(Fault fault) { until_us_[index(fault)] = INT64_MAX; }
  void end(Fault fault, std::int64_t now_us);
  void last(Fault fault, std::int64_t until_us);
  /// Those in force at some time since then; bit(kNone) when there were none.
  [[nodiscard]] FaultSet since(std::int64_t time_us) const;

 private:
  static std::size_t index(Fault fault) { return static_cast<std::size_t>(fault); }
  std::array<std::int64_t, kFaults> until_us_{};
};

}  // namespace weir::sim
