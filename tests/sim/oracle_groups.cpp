#include "tests/sim/oracle.hpp"

#include <string>

// FIFO queues: nobody gets a message while one of its group that came before it is open, but for
// what it was given together with it.
namespace weir::sim {

std::string group_of(MessageNumber number) {
  constexpr MessageNumber kNeighbours = 2;  // of one group in a row
  constexpr MessageNumber kGroups = 4;
  return "g" + std::to_string(number / kNeighbours % kGroups);
}

/// It is known to be there, and to come before what is behind it.
bool Oracle::is_open(const Message& message, const Place& place) const {
  return &place == &message.places.back() && !place.acked && !place.ack_heard &&
         !place.client_acked && !may_have_left(place) && !may_be_purged(place) &&
         !logs_.at(place.log).may_be_purged && !may_be_expired(message, place);
}

/// Whether one of the same group comes before it that may still be open; a violation where that is
/// one that its taker does not have. `since` is the first grant of those that it was given with.
bool Oracle::follows(proto::SessionId session, std::uint32_t alias, proto::GrantId since,
                     proto::LogId id, proto::Offset offset, MessageNumber number) {
  const Log& log = logs_.at(id);
  const std::string group = group_of(number);
  bool is_behind = false;
  for (proto::Offset before = log.purged.of(0); before < offset; ++before) {
    const MessageNumber other = log.at.at(before);
    if (other == 0 || group_of(other) != group) {
      continue;
    }
    const Place& place = *find_place(other, id, before);
    const bool is_gone =
        place.acked || place.client_acked || &place != &messages_[other].places.back();
    is_behind = is_behind || !is_gone;
    const bool is_with_it = place.lease && place.lease->session == session &&
                            place.lease->alias == alias && place.lease->grant >= since;
    if (!is_with_it && is_open(messages_[other], place)) {
      wrong("delivered before message " + std::to_string(other) + " at offset " +
                std::to_string(before) + ", which is of its group",
            id, offset, number);
      return true;
    }
  }
  return is_behind;
}

}  // namespace weir::sim
