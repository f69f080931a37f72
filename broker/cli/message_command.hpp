#pragma once

#include "broker/cli/child_process.hpp"
#include "weir/worker_pool.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {

/// What `weir queue work` runs.
struct MessageCommandSettings {
  std::vector<std::string> command;
  /// How long a failed message waits for its next attempt; unless that is set, the longer the more
  /// attempts it has behind it (WorkerPoolOptions::set_retry_backoff()).
  std::optional<std::chrono::milliseconds> nack_delay;
  /// So many commands that fail with none between them that did not are taken for a fault of the
  /// command; 0: none are.
  std::uint32_t max_failures_in_a_row = 20;
};

/// Runs a command for each message and waits for it: exit 0 acks; 75 (EX_TEMPFAIL of sysexits.h) is
/// transient, 65 (EX_DATAERR) poison; everything else fails.
/// Thread-safety: every function may be called from any thread, by several at once.
class MessageCommand {
 public:
  /// `on_failure` is called when a command cannot be started, or too many have failed in a row:
  /// every message would fail in the same way, and lose its attempts by it.
  MessageCommand(MessageCommandSettings settings, std::function<void()> on_failure);

  /// A command that is stopped is killed, with what it started; its message is given back, unless
  /// it was done before.
  [[nodiscard]] Outcome run(const Delivery& delivery, const std::stop_token& stop);

  /// Why `on_failure` was called, if it was.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  void note_success();
  void note_failure(const ChildEnd& end);
  void give_up(Error error);

  const MessageCommandSettings settings_;
  const std::function<void()> on_failure_;

  mutable std::mutex mutex_;  // guards what follows
  std::optional<Error> failure_;
  std::uint32_t failures_in_a_row_ = 0;
};

/// The variables that tell a command about its message: WEIR_MESSAGE_ID, WEIR_ATTEMPT, WEIR_QUEUE
/// and WEIR_KEY, the last only for a key that a variable can hold (no zero byte, at most 64 KiB).
[[nodiscard]] std::vector<std::pair<std::string, std::optional<std::string>>> message_environment(
    const std::string& queue, const std::string& message_id, std::uint32_t attempt,
    std::optional<std::string_view> key);

/// Why no more messages are taken when the last of so many failed commands ended like that.
[[nodiscard]] std::string too_many_failures(std::uint32_t failures, const ChildEnd& last);

/// "acked 3, nacked 1", and what was done in vain if anything was.
[[nodiscard]] std::string summary_of(const WorkerPoolStats& stats);

}  // namespace weir::cli
