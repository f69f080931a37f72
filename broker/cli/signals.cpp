#include "broker/cli/signals.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace weir::cli {
namespace {

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

void listen(int signals, int wake, const std::function<void(int)>& handler) {
  int count = 0;
  std::array<pollfd, 2> sources{{{.fd = signals, .events = POLLIN, .revents = 0},
                                 {.fd = wake, .events = POLLIN, .revents = 0}}};
  while (sources[1].revents == 0) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) {
      return;
    }
    signalfd_siginfo info{};
    if ((sources[0].revents & POLLIN) != 0 && ::read(signals, &info, sizeof info) > 0) {
      handler(++count);
    }
  }
}

}  // namespace

SignalMask::SignalMask() {
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

SignalMask::~SignalMask() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

SignalListener::SignalListener(std::function<void(int)> handler)
    : signals_([] {
        const sigset_t signals = ending_signals();
        return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
      }()),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this, call = std::move(handler)] { listen(signals_, wake_, call); }) {}

SignalListener::~SignalListener() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_, &one, sizeof one));
  thread_.join();
  ::close(wake_);
  ::close(signals_);
}

}  // namespace weir::cli
