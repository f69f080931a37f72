#include "client/core/link_machine.hpp"

#include "proto/limits.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::sdk {
namespace {

// A session that stood for less says nothing good of its broker.
constexpr std::chrono::seconds kLeastUp{1};

}  // namespace

LinkMachine::LinkMachine(Options options, std::uint64_t seed, TimePoint now)
    : options_(std::move(options)),
      random_(seed),
      backoff_(options_.first_backoff, options_.longest_backoff),
      deadline_(now) {}

LinkMachine::Action LinkMachine::tick(TimePoint now) {
  Action action;
  switch (state_) {
    case State::kWaiting:
      if (now >= deadline_) {
        state_ = State::kConnecting;
        deadline_ = now + options_.connect_timeout;
        ++tried_;
        action.kind = Action::Kind::kConnect;
      }
      break;
    case State::kConnecting:
    case State::kGreeting:
      if (now >= deadline_) {
        action.kind = Action::Kind::kDrop;
        action.why = proto::make_error(
            proto::Errc::kConnectFailed,
            host().to_string() + (state_ == State::kConnecting ? " does not take connections"
                                                               : " does not answer the greeting"));
      }
      break;
    case State::kUp:
      action = check_alive(now);
      break;
    case State::kDraining:
      if (now >= deadline_) {
        action.kind = Action::Kind::kDrop;
        action.why = proto::make_error(proto::Errc::kShuttingDown, "the broker drains");
      } else {
        action = check_alive(now);
      }
      break;
    case State::kStopped:
      break;
  }
  return action;
}

LinkMachine::Action LinkMachine::check_alive(TimePoint now) {
  Action action;
  switch (heartbeat_->on_tick(now)) {
    case Heartbeat::Verdict::kFine:
      break;
    case Heartbeat::Verdict::kPing:
      action.kind = Action::Kind::kPing;
      break;
    case Heartbeat::Verdict::kDead:
      action.kind = Action::Kind::kDrop;
      action.why =
          proto::make_error(proto::Errc::kConnectFailed, host().to_string() + " went silent");
      break;
  }
  return action;
}

void LinkMachine::on_connected(TimePoint now) {
  state_ = State::kGreeting;
  deadline_ = now + options_.welcome_timeout;
}

void LinkMachine::on_welcome(Duration heartbeat, Duration dead_after, TimePoint now) {
  state_ = State::kUp;
  up_since_ = now;
  tried_ = 0;
  failure_.reset();
  heartbeat_.emplace(heartbeat, dead_after, now);
}

void LinkMachine::on_bytes(TimePoint now) {
  if (heartbeat_) {
    heartbeat_->on_bytes(now);
  }
}

void LinkMachine::on_draining(Duration within, TimePoint now) {
  if (state_ == State::kUp) {
    state_ = State::kDraining;
    deadline_ = now + std::min<Duration>(within, std::chrono::milliseconds(proto::kMaxDrainMs));
  }
}

void LinkMachine::on_lost(proto::Error why, TimePoint now) {
  if (state_ == State::kStopped) {
    return;
  }
  const bool was_up = state_ == State::kUp || state_ == State::kDraining;
  if (was_up && now - up_since_ >= std::max<Duration>(backoff_.last(), kLeastUp)) {
    // A session that lasted speaks for the broker; one that breaks at once must not be hurried.
    backoff_.reset();
  }
  state_ = State::kWaiting;
  heartbeat_.reset();
  failure_ = std::move(why);
  host_ = (host_ + 1) % options_.hosts.size();
  const bool pauses = was_up || tried_ % options_.hosts.size() == 0;
  deadline_ = pauses ? now + backoff_.next(random_) : now;
}

std::optional<TimePoint> LinkMachine::next_deadline() const {
  switch (state_) {
    case State::kWaiting:
    case State::kConnecting:
    case State::kGreeting:
      return deadline_;
    case State::kUp:
      return heartbeat_->next_tick();
    case State::kDraining:
      return std::min(deadline_, heartbeat_->next_tick());
    case State::kStopped:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace weir::sdk
