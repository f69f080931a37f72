#include "tests/faults/shim_control.hpp"

#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

// LD_PRELOADed into the shipped broker: syncs that hang, and a wall clock that jumps, when the test
// outside says so. The monotonic clock stays as it is.
namespace {

using weir::faults::ShimControl;

constexpr std::int64_t kSecondNs = 1'000'000'000;

ShimControl* map_control() {
  const char* path = std::getenv(weir::faults::kShimControlVariable);  // NOLINT: nobody changes it
  const int file = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    return nullptr;
  }
  void* bytes = ::mmap(nullptr, sizeof(ShimControl), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return bytes == MAP_FAILED ? nullptr : static_cast<ShimControl*>(bytes);
}

ShimControl* control() {
  static ShimControl* const mapped = map_control();
  return mapped;
}

void wait_while_held() {
  ShimControl* const now = control();
  if (now == nullptr || now->holds_syncs.load() == 0) {
    return;
  }
  now->held_syncs.fetch_add(1);
  while (now->holds_syncs.load() != 0) {
    ::syscall(SYS_futex, &now->holds_syncs, FUTEX_WAIT, 1, nullptr, nullptr, 0);
  }
  now->held_syncs.fetch_sub(1);
}

std::int64_t shift() {
  ShimControl* const now = control();
  return now == nullptr ? 0 : now->wall_shift_ns.load();
}

void add(timespec& time, std::int64_t nanoseconds) {
  const std::int64_t sum = time.tv_sec * kSecondNs + time.tv_nsec + nanoseconds;
  time.tv_sec = sum / kSecondNs;
  time.tv_nsec = sum % kSecondNs;
}

}  // namespace

extern "C" {

int fdatasync(int file) {
  wait_while_held();
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

int fsync(int file) {
  wait_while_held();
  return static_cast<int>(::syscall(SYS_fsync, file));
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    add(*time, shift());
  }
  return result;
}

int gettimeofday(timeval* __restrict time, void* __restrict /*zone*/) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1'000;
  return 0;
}

time_t time(time_t* to) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (to != nullptr) {
    *to = now.tv_sec;
  }
  return now.tv_sec;
}

// A wait until a moment of the wall clock: the kernel knows the one that was not shifted.
int pthread_cond_timedwait(pthread_cond_t* __restrict condition, pthread_mutex_t* __restrict mutex,
                           const timespec* __restrict until) {
  using Wait = int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*);
  static const auto real = reinterpret_cast<Wait>(::dlsym(RTLD_NEXT, "pthread_cond_timedwait"));
  timespec real_until = *until;
  add(real_until, -shift());
  return real(condition, mutex, &real_until);
}
}
