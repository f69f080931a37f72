#include "tests/sim/oracle.hpp"

// What the library told its application, against what the broker said.
namespace weir::sim {

std::optional<proto::Offset> Oracle::offset_in(MessageNumber number, proto::LogId log) const {
  const auto& first = messages_[number].first;
  return first && first->first == log ? std::optional(first->second) : std::nullopt;
}

void Oracle::client_stored(MessageNumber number, proto::LogId log, proto::Offset offset) {
  const std::optional<Delay>& delay = messages_[number].delay;
  const bool is_there = is_put_off(offset) ? delay && delay->log == log && delay->offset == offset
                                           : offset_in(number, log) == offset;
  if (!messages_[number].stored || !is_there) {
    wrong("its sender heard that it is stored here, and it is not", log, offset, number);
  }
}

void Oracle::client_refused(MessageNumber number) {
  Message& message = messages_[number];
  message.refused = true;
  if (message.delay && message.delay->offset >= 0) {
    wrong("put off, and its sender hears that it is not stored", message.delay->log,
          message.delay->offset, number);
  }
  if (!message.places.empty()) {
    wrong("stored, and its sender hears that it is not", message.places.front().log,
          message.places.front().offset, number);
  }
}

void Oracle::client_acked(MessageNumber number, proto::LogId log, proto::Offset offset) {
  Place* where = find_place(number, log, offset);
  if (where == nullptr) {
    wrong("acked for its consumer, and never seen", log, offset, number);
    return;
  }
  // By its newest lease, or by one that is over of a message that another one, or its death, ended.
  const bool is_over = where->ack_heard || where->acked || may_have_left(*where) ||
                       may_have_expired(*where) || where != &messages_[number].places.back();
  if (!is_over) {
    wrong("acked for its consumer, not for the broker", log, where->offset, number);
  }
  where->client_acked = true;
}

void Oracle::client_got(std::string_view value, std::size_t bytes, proto::LogId log,
                        proto::Offset offset) {
  const MessageNumber number = number_of(value);
  if (number == 0 || logs_.at(log).at.at(offset) != number) {
    wrong("a client got what is not there", log, offset, number);
  } else if (value != value_of(number, bytes)) {
    wrong("a client got other bytes than were sent", log, offset, number);
  }
}

}  // namespace weir::sim
