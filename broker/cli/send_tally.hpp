#pragma once

#include "broker/cli/exit_code.hpp"
#include "weir/producer.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace weir::cli {

/// Counts what became of the messages of one command. Thread-safety: any thread.
class SendTally {
 public:
  /// Message `number` (from 1) was confirmed or has failed.
  void on_result(std::uint64_t number, const Result<SendReceipt>& result);
  /// Message `number` failed, or could not be read.
  void on_failure(std::uint64_t number, const Error& error);

  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_relaxed); }

  /// Prints "sent 3 messages" (`verb` is the first word), with how many of them were not stored
  /// again, or, after a failure, the first one that
  /// happened with how many messages were stored, unknown and refused.
  [[nodiscard]] ExitCode conclude(std::string_view verb, std::string_view subject) const;

  /// The line that conclude() prints after a failure; empty without one.
  [[nodiscard]] std::string failure_line(std::string_view subject) const;

 private:
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;  // guards what follows
  std::uint64_t stored_ = 0;
  std::uint64_t known_ = 0;  // of those: by an earlier send
  std::uint64_t unknown_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t first_number_ = 0;
  std::optional<Error> first_error_;
};

}  // namespace weir::cli
