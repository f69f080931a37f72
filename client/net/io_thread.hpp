#pragma once

#include "client/core/address.hpp"
#include "client/core/time.hpp"
#include "client/session/engine.hpp"
#include "weir/options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace weir::sdk {

/// An engine on a thread of its own, with TCP and the system's clocks.
class IoThread final : public Engine {
 public:
  /// Starts the thread, and connecting.
  static std::shared_ptr<Engine> start(ClientOptions options, Address address);
  ~IoThread() override;

 private:
  IoThread(ClientOptions options, Address address);

  void run();
  void arm(std::optional<TimePoint> deadline);
  void wake() override;
  void join() override;

  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  std::optional<TimePoint> armed_;  // I/O thread only
  std::mutex join_mutex_;
  std::thread thread_;
};

}  // namespace weir::sdk
