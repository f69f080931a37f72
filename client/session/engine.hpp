#pragma once

#include "client/core/address.hpp"
#include "client/core/time.hpp"
#include "client/session/clock.hpp"
#include "client/session/session.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
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
template <class T = void>
class Awaited;

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
  /// INVALID_ARGUMENT on an I/O thread, whichever client's: futures cannot be waited for there.
  [[nodiscard]] static Result<> may_wait();
  /// Told once the I/O thread has done what it is at.
  [[nodiscard]] Future<> after_round();
  /// Waits for a future of after_round(), at most the drain timeout; on an I/O thread not at all.
  void wait_for_round(const Future<>& round) const;
  [[nodiscard]] std::uint64_t next_participant_id() { return ++last_participant_; }

  /// Differs from request to request.
  [[nodiscard]] std::uint64_t next_ticket() { return ++last_ticket_; }
  /// The moment at which a call that begins now gives up; `otherwise` where it names none.
  [[nodiscard]] TimePoint deadline_of(const CallOptions& call,
                                      std::chrono::milliseconds otherwise) const;
  /// Answers on the I/O thread when a session stands, or when every host was tried once.
  void when_connected(const CallOptions& call, Promise<> answer);
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
  /// The same without waiting: told as the last thing that the I/O thread does.
  [[nodiscard]] Future<> async_close(std::chrono::milliseconds drain);

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
  void take_inbox();
  void publish_state();
  /// Begins the end; by when it is reached.
  TimePoint start_closing(std::chrono::milliseconds drain);
  [[nodiscard]] bool is_over(TimePoint now);

  const ClientOptions options_;
  const Address address_;
  const Clock clock_;
  std::unique_ptr<Session> session_;       // I/O thread only
  std::shared_ptr<Awaited<>> connection_;  // told by the I/O thread only
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
  bool is_over_ = false;  // the I/O thread has nothing to do any more
  std::vector<Promise<>> closers_;
  std::optional<proto::Error> failure_;
  std::uint64_t seed_;
  std::map<std::string, std::shared_ptr<SettleChannel>> received_;
};

}  // namespace weir::sdk
