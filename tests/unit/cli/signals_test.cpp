#include "broker/cli/signals.hpp"

#include <gtest/gtest.h>

#include <semaphore>
#include <signal.h>
#include <unistd.h>
#include <vector>

namespace weir::cli {
namespace {

TEST(Signals, AreCountedOnAThreadOfTheirOwn) {
  const SignalMask mask;
  std::counting_semaphore<8> arrived(0);
  std::vector<int> counts;
  const SignalListener listener([&](int count) {
    counts.push_back(count);
    arrived.release();
  });
  ::kill(::getpid(), SIGTERM);
  arrived.acquire();
  ::kill(::getpid(), SIGINT);
  arrived.acquire();
  EXPECT_EQ(counts, (std::vector<int>{1, 2}));
}

TEST(Signals, ThatCameBeforeTheListenerAreNotLost) {
  const SignalMask mask;
  ::kill(::getpid(), SIGINT);
  std::binary_semaphore arrived(0);
  const SignalListener listener([&](int) { arrived.release(); });
  arrived.acquire();
}

TEST(Signals, AreAsBeforeAfterwards) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const SignalMask mask;
    const SignalListener listener([](int) {});
  }
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
  EXPECT_EQ(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

}  // namespace
}  // namespace weir::cli
