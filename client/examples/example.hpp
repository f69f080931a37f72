#pragma once

#include "weir/client.hpp"

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <latch>
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

/// Waits until the token is stopped.
inline void wait_for(const std::stop_token& stop) {
  std::latch stopped(1);
  const std::stop_callback on_stop(stop, [&stopped] { stopped.count_down(); });
  stopped.wait();
}

/// For the broker that WEIR_URL names, else for the one on this machine.
inline weir::ClientOptions client_options() {
  weir::ClientOptions options("weir://127.0.0.1:7340");
  if (const char* url = std::getenv("WEIR_URL")) {
    options.set_address(url);
  }
  return options;
}

/// Connects to it; throws when it cannot.
inline weir::Client connect() {
  return weir::Client::connect(client_options()).value();
}
