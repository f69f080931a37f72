#pragma once

#include <functional>
#include <signal.h>
#include <thread>

namespace weir::cli {

/// Holds back SIGINT and SIGTERM in this thread, and in those that it starts from here on, until a
/// SignalListener takes them or the object goes. Make it before the client, which has a thread.
class SignalMask {
 public:
  SignalMask();
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;
  ~SignalMask();

 private:
  sigset_t before_{};
};

/// Calls `handler` for each SIGINT and SIGTERM with how many there have been, on a thread of its
/// own, until the object goes. A SignalMask must stand. What the handler uses must live longer.
class SignalListener {
 public:
  explicit SignalListener(std::function<void(int)> handler);
  SignalListener(const SignalListener&) = delete;
  SignalListener& operator=(const SignalListener&) = delete;
  ~SignalListener();

 private:
  int signals_;
  int wake_;
  std::thread thread_;
};

}  // namespace weir::cli
