#include "broker/net/loop_clock.hpp"

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace weir::net {
namespace {

using boost::system::error_code;

constexpr std::chrono::milliseconds kLook{100};
// What is due later than this is looked at again on the way.
constexpr proto::TimeMs kLongestWaitMs = 3'600'000;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

LoopClock::LoopClock(boost::asio::io_context& io, proto::TimeMs last_committed,
                     std::function<void()> on_due)
    : clock_(last_committed), on_due_(std::move(on_due)), due_timer_(io), look_timer_(io) {
  look();
}

proto::TimeMs LoopClock::now() {
  return clock_.now(wall_ms(), mono_ms());
}

void LoopClock::arm(proto::TimeMs at) {
  const proto::TimeMs wait = std::clamp<proto::TimeMs>(at - now(), 0, kLongestWaitMs);
  due_timer_.expires_after(std::chrono::milliseconds(wait));
  due_timer_.async_wait([this, at](const error_code& cancelled) {
    if (cancelled) {
      return;
    }
    if (now() < at) {  // a long wait, or broker time ran slower than the timer's clock
      arm(at);
      return;
    }
    on_due_();
  });
}

MonoMs LoopClock::mono_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void LoopClock::look() {
  (void)now();
  look_timer_.expires_after(kLook);
  look_timer_.async_wait([this](const error_code& cancelled) {
    if (!cancelled) {
      look();
    }
  });
}

}  // namespace weir::net
