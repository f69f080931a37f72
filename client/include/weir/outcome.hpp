#pragma once

#include "weir/error.hpp"
#include "weir/export.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace weir {

/// What becomes of a message that was handed to this application. Only failures count against the
/// queue's max_receive_count: an outage of something that the handler needs does not put messages
/// aside. What was said last, and the first and the last attempts, stand in the headers of a dead
/// letter.
///
/// Where no delay is given the queue's redelivery policy says when the message comes again.
/// Reasons are for people: at most 1024 bytes are kept.
class WEIR_API Outcome {
 public:
  enum class Kind : std::uint8_t { kAck, kNack, kRelease, kPoison, kTransient, kNotNow };
  using Milliseconds = std::chrono::milliseconds;

  /// Done, forget it.
  [[nodiscard]] static Outcome ack();
  /// Failed: hand it out again. A failure.
  [[nodiscard]] static Outcome nack(std::string reason = std::string());
  [[nodiscard]] static Outcome nack(Milliseconds delay, std::string reason = std::string());
  /// Failed with that, after the error's retry_after if it names one. An error that may pass by
  /// itself (is_retriable) is no failure, but transient.
  [[nodiscard]] static Outcome nack(const Error& error);
  /// Not handled: hand it out again, to anybody. No failure; but where its handler had begun, an
  /// attempt.
  [[nodiscard]] static Outcome release(Milliseconds delay = Milliseconds{0});
  /// It can never be handled: to the dead-letter queue with it at once, or aside where there is
  /// none. A failure.
  [[nodiscard]] static Outcome poison(std::string reason);
  /// It could not be handled for a reason that passes, e.g. a database that is away: no failure.
  [[nodiscard]] static Outcome transient(std::string reason = std::string());
  [[nodiscard]] static Outcome transient(Milliseconds delay, std::string reason = std::string());
  /// It is not to be handled before `delay` is over, e.g. since a quota is used up: no failure.
  [[nodiscard]] static Outcome not_now(Milliseconds delay, std::string reason = std::string());

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::optional<Milliseconds> delay() const { return delay_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  Outcome(Kind kind, std::optional<Milliseconds> delay, std::string reason);

  Kind kind_;
  std::optional<Milliseconds> delay_;
  std::string reason_;
};

/// Thrown by a handler, from however deep inside, when it is to end with that outcome.
class WEIR_API OutcomeException : public std::exception {
 public:
  explicit OutcomeException(Outcome outcome);
  [[nodiscard]] const Outcome& outcome() const noexcept { return outcome_; }
  /// The outcome's reason.
  [[nodiscard]] const char* what() const noexcept override;

 private:
  Outcome outcome_;
};

}  // namespace weir
