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
                     std::function<void()> on_due, std::function<bool()> is_stalled)
    : clock_(last_committed),
      on_due_(std::move(on_due)),
      is_stalled_(std::move(is_stalled)),
      due_timer_(io),
      look_timer_(io) {
  look();
}

proto::TimeMs LoopClock::now() {
  return clock_.now(wall_ms(), mono_ms(), is_stalled_ && is_stalled_());
}

void LoopClock::arm(proto::TimeMs at) {
  const proto::TimeMs wait = std::clamp<proto::TimeMs>(at - now(), 0, kLongestWaitMs);
  // Where broker time stands, what is due in a moment is not waited for awake.
  const bool stands = is_stalled_ && is_stalled_();
  due_timer_.expires_after(
      std::max(std::chrono::milliseconds(wait), stands ? kLook : std::chrono::milliseconds(0)));
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
