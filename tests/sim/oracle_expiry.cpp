#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

// Until when messages are of use: nobody gets one that is not any more, and only such a one may be
// gone that nobody has acked.
namespace weir::sim {

/// Whichever of its tries is taken: none is taken before it was heard.
void Oracle::heard_lives(const Batch& batch) {
  const proto::TimeMs now = host_.moment().time;
  for (std::size_t i = 0; i < batch.messages.size(); ++i) {
    Message& message = messages_[batch.messages[i]];
    message.heard_time = std::min(message.heard_time, now);
    message.life = i < batch.lives.size() ? batch.lives[i] : proto::RecordLife();
  }
}

/// At the earliest.
proto::TimeMs Oracle::expires_in(const Message& message, const Log& log) const {
  proto::TimeMs expires = std::numeric_limits<proto::TimeMs>::max();
  if (log.topic || message.heard_time == expires) {
    return expires;
  }
  if (message.life.ttl_ms >= 0) {
    expires = std::min(expires, message.heard_time + message.life.ttl_ms);
  }
  if (message.life.deadline >= 0) {
    expires = std::min(expires, message.life.deadline);
  }
  if (log.settings.retention_ms > 0) {
    expires = std::min(expires, message.heard_time + log.settings.retention_ms);
  }
  return expires;
}

bool Oracle::may_have_expired(const Place& place) const {
  return place.expires <= host_.moment().time;
}

/// There, or where it may have gone from there.
bool Oracle::may_be_expired(const Message& message, const Place& place) const {
  return may_have_expired(place) || std::ranges::any_of(ways_from(place), [&](const Stop& stop) {
           return expires_in(message, logs_.at(stop.log)) <= host_.moment().time;
         });
}

/// Of a message that is handed out, by what it says of itself still.
void Oracle::check_life(const core::Delivery& delivery, proto::Offset offset, MessageNumber number,
                        const proto::RecordView& record, const BrokerHost::Moment& given) {
  if (world_.violation() || number == 0 || number >= messages_.size()) {
    return;
  }
  const proto::LogId log{delivery.queue.value};
  const Message& message = messages_[number];
  for (const proto::Header& header : record.headers) {
    if (header.key == proto::kHeaderDeadline && given.time >= message.life.deadline) {
      wrong("handed out at " + std::to_string(given.time) + ", behind its deadline", log, offset,
            number);
    }
    const bool is_first = message.first == std::pair(log, offset);
    if (header.key == proto::kHeaderTtl && is_first &&
        message.append_time != std::numeric_limits<proto::TimeMs>::max() &&
        given.time >= message.append_time + message.life.ttl_ms) {
      wrong("handed out at " + std::to_string(given.time) + ", though it came at " +
                std::to_string(message.append_time) + " for " +
                std::to_string(message.life.ttl_ms) + " ms",
            log, offset, number);
    }
  }
}

}  // namespace weir::sim
