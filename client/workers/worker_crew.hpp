#pragma once

#include "client/core/prefetch.hpp"
#include "client/core/random.hpp"
#include "client/core/time.hpp"
#include "client/session/clock.hpp"
#include "weir/worker_pool.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
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
  WorkerCrew(QueueConsumer consumer, WorkerPoolOptions options, WorkHandler handler,
             const Clock& clock, std::uint64_t seed);

  /// Starts the threads; once, before anything else. LIMIT_EXCEEDED when the system has none left.
  [[nodiscard]] Result<> start();

  void set_paused(bool paused);
  void stop();
  void cancel();
  [[nodiscard]] Result<> drain(std::chrono::milliseconds timeout);
  /// stop(), then waits until the threads have ended; one of them, if it is the caller, ends later
  /// by itself. Once, and last.
  void join();
  [[nodiscard]] Result<> status() const;
  [[nodiscard]] WorkerPoolStats stats() const;
  [[nodiscard]] std::chrono::milliseconds drain_timeout() const { return options_.drain_timeout(); }

  /// The window that a subscription of such a pool begins with.
  [[nodiscard]] static std::uint32_t first_window(const WorkerPoolOptions& options);

 private:
  void work();
  void handle(Delivery delivery);
  [[nodiscard]] Outcome call(Delivery& delivery);
  void settle(Delivery& delivery, const Outcome& outcome);
  void on_handled(Duration spent);
  [[nodiscard]] SettleCallback count_into(std::uint64_t WorkerPoolStats::* counter);
  [[nodiscard]] std::chrono::milliseconds pause_after(std::uint32_t attempt);
  [[nodiscard]] bool is_mine() const;
  [[nodiscard]] bool is_quiet() const { return counts_.running == 0 && counts_.unconfirmed == 0; }

  QueueConsumer consumer_;
  const WorkerPoolOptions options_;
  WorkHandler handler_;
  const Clock clock_;
  std::stop_source taking_;    // asked to stop: nothing more is taken
  std::stop_source handling_;  // asked to stop: handlers are to break off
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  WorkerPoolStats counts_;  // but for what waits
  Prefetch prefetch_;
  Random random_;
};

}  // namespace weir::sdk
