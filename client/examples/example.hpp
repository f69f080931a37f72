#pragma once

#include "weir/client.hpp"

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <stop_token>
#include <thread>

// What all the examples begin with.

/// A token that SIGINT or SIGTERM stops; a second signal ends the process at once. Call it first in
/// main(): threads that are started later, the client's too, leave these signals to it.
inline std::stop_token stop_on_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::stop_source source;
  std::thread([signals, source]() mutable {
    int received = 0;
    sigwait(&signals, &received);
    source.request_stop();
    sigwait(&signals, &received);
    std::_Exit(128 + received);
  }).detach();
  return source.get_token();
}

/// Returns when the token is stopped.
inline void wait_for(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any nothing_else;
  std::unique_lock lock(mutex);
  nothing_else.wait(lock, stop, [] { return false; });
}

/// Connects to the broker that WEIR_URL names, else to the one on this machine; throws when it
/// cannot.
inline weir::Client connect() {
  weir::ClientOptions options("weir://127.0.0.1:7340");
  if (const char* url = std::getenv("WEIR_URL")) {
    options.set_address(url);
  }
  return weir::Client::connect(options).value();
}
