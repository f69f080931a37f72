#pragma once

#include "client/core/prefetch.hpp"
#include "client/core/random.hpp"
#include "client/core/time.hpp"
#include "client/session/awaited.hpp"
#include "client/session/engine.hpp"
#include "weir/future.hpp"
#include "weir/options.hpp"
#include "weir/worker_pool.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace weir::sdk {

/// The threads of a WorkerPool and what they share. Every thread holds it: handlers may outlast the
/// pool's owner only where they destroy him themselves.
///
/// Any thread, where nothing else is said.
class WorkerCrew : public std::enable_shared_from_this<WorkerCrew> {
 public:
  /// `engine` is the consumer's.
  WorkerCrew(QueueConsumer consumer, WorkerPoolOptions options, WorkHandler handler,
             const std::shared_ptr<Engine>& engine);

  /// Starts the threads; once, before anything else. LIMIT_EXCEEDED when the system has none left.
  [[nodiscard]] Result<> start();
  /// Lets them take messages.
  void begin();

  void set_paused(bool paused);
  void stop();
  void cancel();
  [[nodiscard]] Result<> drain(const CallOptions& call);
  [[nodiscard]] Future<> async_drain(const CallOptions& call);
  /// stop(), then waits until the threads have ended; one of them, if it is the caller, ends later
  /// by itself, and so do all when the caller is the I/O thread, which they may need. Once, and
  /// last.
  void join();
  [[nodiscard]] Result<> status() const;
  [[nodiscard]] WorkerPoolStats stats() const;

  /// The window that a subscription of such a pool begins with.
  [[nodiscard]] static std::uint32_t first_window(const WorkerPoolOptions& options);

 private:
  void work();
  void handle(Delivery delivery);
  [[nodiscard]] Outcome call(Delivery& delivery);
  void settle(Delivery& delivery, const Outcome& outcome);
  void on_handled(Duration spent);
  [[nodiscard]] SettleCallback count_into(std::uint64_t WorkerPoolStats::* counter);
  /// The pool's pause, where the outcome names none.
  [[nodiscard]] Outcome with_pause(const Outcome& outcome, std::uint32_t attempt);
  [[nodiscard]] std::chrono::milliseconds pause_after(std::uint32_t attempt);
  [[nodiscard]] bool is_mine() const;
  /// Behind stop(): a future of what drain() waits for.
  [[nodiscard]] Future<> until_drained(TimePoint deadline, const std::stop_token& stop);
  /// With the lock held: nothing is handled or unconfirmed, and nothing will be.
  [[nodiscard]] bool is_drained() const {
    return taking_.stop_requested() && counts_.running == 0 && counts_.unconfirmed == 0;
  }
  [[nodiscard]] Error still_busy() const;
  /// Behind stop().
  [[nodiscard]] TimePoint deadline_of(const CallOptions& call) const;

  QueueConsumer consumer_;
  const WorkerPoolOptions options_;
  WorkHandler handler_;
  const std::shared_ptr<Engine> engine_;
  std::shared_ptr<Awaited<>> drained_;  // since start()
  std::stop_source taking_;             // asked to stop: nothing more is taken
  std::stop_source handling_;           // asked to stop: handlers are to break off
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // begun or stopped
  bool has_begun_ = false;
  std::optional<TimePoint> drain_by_;  // since it was first stopped
  WorkerPoolStats counts_;             // but for what waits
  Prefetch prefetch_;
  Random random_;
};

}  // namespace weir::sdk
