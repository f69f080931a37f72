#pragma once

#include <chrono>
#include <string>

namespace weir::server {

/// Tells systemd, or whoever else speaks its notification protocol (sd_notify(3)), how this process
/// is. Where nobody listens ($NOTIFY_SOCKET is not set) it does nothing. One thread.
class ServiceManager {
 public:
  using Clock = std::chrono::steady_clock;

  /// Learns whether somebody listens, and whether the process is killed when it is not heard of
  /// for a while ($WATCHDOG_USEC).
  ServiceManager();

  /// Requests are taken; `status` stands in `systemctl status`. Also the end of reloading().
  void ready(const std::string& status);
  void reloading();
  void stopping();
  /// To be called at least ten times a second while all is well: passes on that it is, as often as
  /// is asked for.
  void is_well(Clock::time_point now);

 private:
  Clock::duration beat_every_{};  // 0: nobody asks
  Clock::time_point next_beat_;
};

}  // namespace weir::server
