#include "broker/server/service_manager.hpp"

#include <cstdint>
#include <ctime>
#include <systemd/sd-daemon.h>

namespace weir::server {
namespace {

// As reload messages name their time.
std::uint64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

void tell(const std::string& state) {
  sd_notify(0, state.c_str());  // nobody to tell is as good as told
}

}  // namespace

ServiceManager::ServiceManager() {
  std::uint64_t timeout_us = 0;
  if (sd_watchdog_enabled(0, &timeout_us) > 0) {
    beat_every_ = std::chrono::microseconds(timeout_us / 3);
  }
}

void ServiceManager::ready(const std::string& status) {
  tell("READY=1\nSTATUS=" + status);
}

void ServiceManager::reloading() {
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us()));
}

void ServiceManager::stopping() {
  tell("STOPPING=1");
}

void ServiceManager::is_well(Clock::time_point now) {
  if (beat_every_ > Clock::duration{} && now >= next_beat_) {
    next_beat_ = now + beat_every_;
    tell("WATCHDOG=1");
  }
}

}  // namespace weir::server
