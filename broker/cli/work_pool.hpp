#pragma once

#include "broker/cli/child_process.hpp"
#include "weir/consumer.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace weir::cli {

/// What `weir queue work` is told.
struct WorkSettings {
  std::string queue;
  std::vector<std::string> command;
  std::uint32_t concurrency = 1;
  std::chrono::milliseconds nack_delay{0};
};

/// What became of the messages. Filled from callbacks of the client, so it must outlive that.
/// Thread-safety: any thread.
struct WorkTally {
  std::atomic<std::uint64_t> acked = 0;  // and durable
  std::atomic<std::uint64_t> nacked = 0;
  std::atomic<std::uint64_t> unconfirmed = 0;  // acks on the way
  std::atomic<std::uint64_t> lost = 0;         // acks that were refused: the message may come again

  /// "acked 3, nacked 1", and what was lost if anything was.
  [[nodiscard]] std::string summary() const;
};

/// Runs a command for each message, at most `concurrency` at a time, each on a thread that takes a
/// message, waits for the command and settles: exit 0 acks, everything else nacks. The client
/// extends the leases meanwhile.
/// Thread-safety: every function may be called from any thread, join() by one.
class WorkPool {
 public:
  WorkPool(QueueConsumer consumer, WorkSettings settings, WorkTally& tally);
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;
  /// stop(), then join().
  ~WorkPool();

  /// Takes no more messages; running commands go on.
  void stop();
  /// stop(), and ends the running commands; their messages are given back at once.
  void kill();
  /// Waits until each thread has ended: after stop(), or when taking messages failed.
  void join();

  [[nodiscard]] bool stopping() const { return stopping_.load(); }
  /// Counts messages taken and commands ended: equal values say that nothing happened in between.
  [[nodiscard]] std::uint64_t activity() const { return activity_.load(); }
  /// No command runs, and no message waits for one.
  [[nodiscard]] bool idle() const { return busy_.load() == 0 && consumer_.buffered() == 0; }
  /// Why the pool stopped by itself.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  void work();
  void handle(Delivery delivery);
  void fail(const Error& error);
  // Nullopt when the command did not run to its end by itself; the delivery is then given back.
  std::optional<ChildEnd> run_command(const ChildSpec& spec);

  QueueConsumer consumer_;
  const WorkSettings settings_;
  WorkTally& tally_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> activity_ = 0;
  std::atomic<std::uint32_t> busy_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  bool killing_ = false;
  std::set<ChildProcess*> running_;
  std::optional<Error> failure_;

  std::vector<std::thread> threads_;
};

/// The variables that tell a command about its message: WEIR_MESSAGE_ID, WEIR_ATTEMPT, WEIR_QUEUE
/// and WEIR_KEY, the last only for a key that a variable can hold (no zero byte, at most 64 KiB).
[[nodiscard]] std::vector<std::pair<std::string, std::optional<std::string>>> message_environment(
    const std::string& queue, const std::string& message_id, std::uint32_t attempt,
    std::optional<std::string_view> key);

}  // namespace weir::cli
