#pragma once

#include "proto/frame/frames.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "tests/crash/oracle.hpp"
#include "tests/crash/random.hpp"
#include "tests/crash/raw_session.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace weir::crash {

/// One subscription to a queue on a connection of its own. It begins, acks, nacks, gives back and
/// sits on what it gets, and after a restart says once more what was not confirmed, with the grants
/// of before. Not for two threads at once.
class RawConsumer {
 public:
  RawConsumer(Oracle& oracle, std::uint64_t seed);

  /// Connects, subscribes, and repeats the settlements that were not confirmed.
  proto::Result<> open(std::uint16_t port);
  /// Ends the connection. `forget`: sometimes this consumer never comes back, and what it was
  /// about to say is never said.
  void close(bool forget);
  RawSession& session() { return session_; }

  /// The broker did not run for that long: it must not count against what is held.
  void on_stall(std::int64_t lost_ms) { lost_ms_ += lost_ms; }

  /// Settles what is due: the oldest while more than `keep` messages are unsettled. With `drain`
  /// everything is acked at once.
  void settle(std::uint64_t keep, bool drain);

  /// Messages that were delivered on this connection and whose end is not confirmed.
  [[nodiscard]] std::uint64_t unanswered() const { return unanswered_; }
  /// True when nothing is held and nothing that was said waits for its answer.
  [[nodiscard]] bool is_idle() const { return held_.empty() && open_.empty(); }
  /// Settlements that were refused because the message was another's by then.
  [[nodiscard]] std::uint64_t expired() const { return expired_; }

 private:
  struct Grant {
    proto::GrantId id;
    std::uint64_t nonce = 0;
    proto::Offset base_offset = 0;
    std::uint32_t attempts = 0;
    std::int64_t got_ms = 0;  // stalls of the broker not counted
    bool is_old = false;      // of an earlier connection
    std::vector<MessageNumber> messages;
    std::vector<std::uint32_t> indexes;  // of those, in their batch
  };
  using GrantPtr = std::shared_ptr<Grant>;
  /// Messages [first, end) of the grant.
  struct Part {
    GrantPtr grant;
    std::uint32_t first = 0;
    std::uint32_t end = 0;
  };
  struct OpenSettle {
    std::uint64_t number = 0;
    proto::SettleKind kind = proto::SettleKind::kAck;
    Part part;
    std::uint32_t value = 0;
  };

  proto::Result<> on_frame(const proto::RawFrame& frame);
  proto::Result<> on_deliver(const proto::Deliver& deliver);
  proto::Result<> on_settled(const proto::Settled& settled);
  void confirm(const OpenSettle& open, const std::vector<bool>& refused);
  void say(proto::SettleKind kind, const Part& part, std::uint32_t value = 0);
  void handle(const Part& part);

  Oracle& oracle_;
  Random random_;
  RawSession session_;
  std::uint32_t alias_ = 0;
  std::uint64_t last_settle_ = 0;
  std::deque<Part> held_;  // not settled yet, oldest first
  std::uint64_t held_messages_ = 0;
  std::deque<OpenSettle> open_;  // said, not confirmed
  std::uint64_t unanswered_ = 0;
  std::uint64_t expired_ = 0;
  std::int64_t lost_ms_ = 0;
};

}  // namespace weir::crash
