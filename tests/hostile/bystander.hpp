#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "tests/crash/raw_session.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace weir::hostile {

/// The queue that the bystander works with. Others may attach to it, and get nothing of it.
inline constexpr const char* kBystanderQueue = "bystander";

/// A client of good will beside bad ones: on a thread of its own it sends one message after the
/// other, gets it back, compares it and acknowledges it. Whatever goes otherwise is a complaint.
class Bystander {
 public:
  Bystander() = default;
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  /// Connects and makes the queue, then goes on by itself.
  proto::Result<> start(std::uint16_t port);
  /// Ends it.
  void stop();
  /// While it runs, any thread.
  [[nodiscard]] std::uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }
  /// Until it has done so many rounds in all, or has given up. While it runs, any thread.
  void wait_for(std::uint64_t rounds) const;
  /// Why it gave up. After stop(), or once rounds() no longer rises.
  [[nodiscard]] bool has_given_up() const { return gave_up_.load(); }
  /// After stop().
  [[nodiscard]] const std::optional<proto::Error>& complaint() const { return complaint_; }
  /// How long each round took since the last call, ascending. Between stop() and start().
  [[nodiscard]] std::vector<std::int64_t> take_round_us();

 private:
  proto::Result<> open(std::uint16_t port);
  proto::Result<> round();
  proto::Result<> on_frame(const proto::RawFrame& frame);
  proto::Result<> on_delivery(std::string_view body);

  crash::RawSession session_{[this](const proto::RawFrame& frame) { return on_frame(frame); }};
  std::uint32_t alias_ = 0;
  std::uint32_t subscription_ = 0;
  std::uint64_t sends_ = 0;
  std::uint64_t settles_ = 0;
  std::string body_;  // of the message of this round
  bool is_stored_ = false;
  bool has_come_ = false;
  bool is_settled_ = false;
  proto::SettleRange held_;

  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> gave_up_{false};
  std::atomic<std::uint64_t> rounds_{0};
  std::optional<proto::Error> complaint_;
  std::vector<std::int64_t> round_us_;
};

/// How many files the broker has open once it has done with peers that are gone: looks again and
/// again, while `bystander` goes on, until there are no more than `before`, or for 8000 rounds.
[[nodiscard]] std::size_t files_once_gone(pid_t broker, std::size_t before,
                                          const Bystander& bystander);

}  // namespace weir::hostile
