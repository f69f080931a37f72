#pragma once

#include "client/core/address.hpp"
#include "client/core/time.hpp"
#include "client/session/clock.hpp"
#include "client/session/session.hpp"
#include "weir/function.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

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

/// How long callers wait beyond their own deadline for the I/O thread to say that it has passed: a
/// callback may be holding it up.
inline constexpr std::chrono::seconds kGrace{1};

/// Where a client's threads meet the I/O thread that serves its session. Other threads hand it
/// functions to run and participants to look after; what they fill under locks of their own they
/// announce by notify(). Any thread, where nothing else is said.
///
/// Whoever drives it, from one thread, calls begin(), then take_turn() whenever something happened
/// to the link, after each wake(), and when the deadline of the last turn has come, until a turn is
/// the last one; then finish().
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  virtual ~Engine();
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
  /// Waits until the I/O thread has done what it is at, at most the drain timeout. Not on it.
  void wait_for_round();
  [[nodiscard]] std::uint64_t next_participant_id() { return ++last_participant_; }

  /// Differs from request to request.
  [[nodiscard]] std::uint64_t next_ticket() { return ++last_ticket_; }
  /// The moment at which a call that begins now gives up; `otherwise` where it names none.
  [[nodiscard]] TimePoint deadline_of(const CallOptions& call,
                                      std::chrono::milliseconds otherwise) const;
  /// Waits until a session stands, or until every host was tried once.
  [[nodiscard]] Result<> wait_connected();
  [[nodiscard]] bool connected() const { return connected_.load(std::memory_order_relaxed); }
  /// What to tell who waited for the broker in vain: DEADLINE_EXCEEDED, or CONNECT_FAILED with what
  /// went wrong the last time.
  [[nodiscard]] Error no_answer() const;
  [[nodiscard]] const ClientOptions& options() const { return options_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  /// Differs from call to call.
  [[nodiscard]] std::uint64_t seed();

  /// Where messages of this queue that came by receive() are settled.
  [[nodiscard]] std::shared_ptr<SettleChannel> received_from(const std::string& queue);

  /// Ends the client within `drain`, after what is under way; waits for that except on the I/O
  /// thread.
  void close(std::chrono::milliseconds drain);

 protected:
  /// All random choices follow from `seed`.
  Engine(ClientOptions options, Address address, const Clock& clock, std::uint64_t seed);

  /// Another turn is to be taken soon. From any thread, the I/O thread included.
  virtual void wake() = 0;
  /// Waits for the end of the I/O thread. Not called on it.
  virtual void join() = 0;

  /// What follows is called on the I/O thread, which is the one that calls begin().
  struct Turn {
    bool is_last = false;
    bool must_hurry = false;            // there is more to do at once
    std::optional<TimePoint> deadline;  // of the next turn at the latest, unless it must hurry
  };
  void begin(const LinkMaker& make_link);
  Turn take_turn();
  void finish();

  [[nodiscard]] bool is_closed() const;

 private:
  Result<v1::Response> call(v1::Request request, const RequestPolicy& policy);
  void take_inbox();
  void publish_state();
  [[nodiscard]] bool is_over(TimePoint now);

  const ClientOptions options_;
  const Address address_;
  const Clock clock_;
  std::unique_ptr<Session> session_;  // I/O thread only
  std::atomic<std::thread::id> thread_id_;
  std::atomic<std::uint64_t> last_participant_{0};
  std::atomic<std::uint64_t> last_ticket_{0};
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
};

}  // namespace weir::sdk
