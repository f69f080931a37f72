#pragma once

#include "client/core/address.hpp"
#include "client/core/time.hpp"
#include "client/net/one_shot.hpp"
#include "client/net/session.hpp"
#include "weir/function.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::sdk {

class SettleChannel;

/// A client's I/O thread with the session that it serves. Other threads hand it functions to run
/// and participants to look after; what they fill under locks of their own they announce by
/// notify(). Any thread, where nothing else is said.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  /// Starts the thread, and connecting.
  static std::shared_ptr<Engine> start(ClientOptions options, Address address);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Runs the function on the I/O thread. False once the client is closed: then it is destroyed.
  bool post(UniqueFunction<void(Session&)> function);
  /// Gives the participant a turn. Cheap when that was asked for already.
  void notify(std::uint64_t participant);
  [[nodiscard]] bool on_io_thread() const {
    return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed);
  }
  /// INVALID_ARGUMENT on the I/O thread.
  [[nodiscard]] Result<> may_wait() const;
  [[nodiscard]] std::uint64_t next_participant_id() { return ++last_participant_; }

  /// Sends a request and waits for its answer.
  [[nodiscard]] Result<v1::Response> call(v1::Request request, std::chrono::milliseconds timeout,
                                          bool changes_something);
  /// Waits until a session stands, or until every host was tried once.
  [[nodiscard]] Result<> wait_connected();
  [[nodiscard]] bool connected() const { return connected_.load(std::memory_order_relaxed); }
  [[nodiscard]] const ClientOptions& options() const { return options_; }
  /// Differs from call to call.
  [[nodiscard]] std::uint64_t seed();

  /// Where messages of this queue that came by receive() are settled.
  [[nodiscard]] std::shared_ptr<SettleChannel> received_from(const std::string& queue);

  void close(std::chrono::milliseconds drain);

 private:
  Engine(ClientOptions options, Address address);

  void run();
  void take_inbox(Session& session);
  void publish_state(const Session& session);
  [[nodiscard]] bool is_over(Session& session, TimePoint now);
  void arm(std::optional<TimePoint> deadline);
  void wake();
  void join();

  ClientOptions options_;
  Address address_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  std::optional<TimePoint> armed_;  // I/O thread only
  std::atomic<std::thread::id> thread_id_;
  std::atomic<std::uint64_t> last_participant_{0};
  std::atomic<bool> connected_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<UniqueFunction<void(Session&)>> inbox_;
  std::vector<std::uint64_t> notified_;
  bool is_woken_ = false;
  std::optional<TimePoint> close_by_;
  bool is_closed_ = false;
  bool tried_all_ = false;
  std::optional<proto::Error> failure_;
  std::uint64_t seed_;
  std::map<std::string, std::shared_ptr<SettleChannel>> received_;

  std::mutex join_mutex_;
  std::thread thread_;
};

}  // namespace weir::sdk
