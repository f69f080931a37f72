#include "weir/outcome.hpp"

#include <utility>

namespace weir {

Outcome::Outcome(Kind kind, std::optional<Milliseconds> delay, std::string reason)
    : kind_(kind), delay_(delay), reason_(std::move(reason)) {}

Outcome Outcome::ack() {
  return {Kind::kAck, std::nullopt, std::string()};
}

Outcome Outcome::nack(std::string reason) {
  return {Kind::kNack, std::nullopt, std::move(reason)};
}

Outcome Outcome::nack(Milliseconds delay, std::string reason) {
  return {Kind::kNack, delay, std::move(reason)};
}

Outcome Outcome::nack(const Error& error) {
  const bool names_one = error.retry_after > Milliseconds{0};
  return {is_retriable(error.code) ? Kind::kTransient : Kind::kNack,
          names_one ? std::optional(error.retry_after) : std::nullopt, error.to_string()};
}

Outcome Outcome::release(Milliseconds delay) {
  return {Kind::kRelease, delay, std::string()};
}

Outcome Outcome::poison(std::string reason) {
  return {Kind::kPoison, std::nullopt, std::move(reason)};
}

Outcome Outcome::transient(std::string reason) {
  return {Kind::kTransient, std::nullopt, std::move(reason)};
}

Outcome Outcome::transient(Milliseconds delay, std::string reason) {
  return {Kind::kTransient, delay, std::move(reason)};
}

Outcome Outcome::not_now(Milliseconds delay, std::string reason) {
  return {Kind::kNotNow, delay, std::move(reason)};
}

OutcomeException::OutcomeException(Outcome outcome) : outcome_(std::move(outcome)) {}

const char* OutcomeException::what() const noexcept {
  return outcome_.reason().c_str();
}

}  // namespace weir
