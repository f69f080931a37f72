#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weir::faults {

/// What the shim (shim.cpp) inside a broker is told, in a file that both have mapped. Zeros: it
/// changes nothing.
struct ShimControl {
  std::atomic<std::uint32_t> holds_syncs;   // while 1, no fsync and no fdatasync comes back
  std::atomic<std::uint32_t> held_syncs;    // that many wait now
  std::atomic<std::int64_t> wall_shift_ns;  // added to the wall clock
};

/// Lets syncs go on, in whichever process they wait.
inline void release_syncs(ShimControl& control) {
  control.holds_syncs.store(0);
  ::syscall(SYS_futex, &control.holds_syncs, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr,
            nullptr, 0);
}

/// Names that file in the broker's environment.
inline constexpr const char* kShimControlVariable = "WEIR_FAULTS_CONTROL";

}  // namespace weir::faults
