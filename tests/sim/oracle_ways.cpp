#include "broker/core/rebuilt_batch.hpp"
#include "proto/handle.hpp"
#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

// Where messages lie, and how they may have come there. A message goes from place to place: it dies
// towards a dead-letter queue, and a redrive takes it back, or anywhere else. Not every place of
// its way is seen.
namespace weir::sim {

Oracle::Origin Oracle::origin_of(const proto::RecordView& record) const {
  Origin origin;
  bool has_died = false;
  for (const proto::Header& header : record.headers) {
    const std::string_view value = header.value.value_or("");
    if (header.key == core::kHeaderId) {
      origin.id = value;
    } else if (header.key == core::kHeaderDeadFrom) {
      has_died = true;
      for (const auto& [id, log] : logs_) {
        origin.died_from = !log.topic && log.name == value ? id : origin.died_from;
      }
    } else if (header.key == core::kHeaderDeadReason) {
      origin.reason = value;
    } else if (header.key == core::kHeaderDeadTime) {
      (void)std::from_chars(value.data(), value.data() + value.size(), origin.died_time);
    } else if (header.key == kColourHeader) {
      origin.colour = value;
    } else if (header.key == kEditedHeader) {
      origin.edited = value;
    }
  }
  origin.key = record.key.value_or("");
  origin.how = has_died            ? Origin::How::kDied
               : origin.id.empty() ? Origin::How::kSent
                                   : Origin::How::kRedriven;
  return origin;
}

/// A copy tells the offset that its message had first, whatever queues it has seen since.
bool Oracle::has_id_of(const Message& message, const std::string& id) const {
  if (!message.first) {
    return false;
  }
  for (std::uint32_t incarnation = 1; incarnation <= host_.shard()->incarnation(); ++incarnation) {
    if (id == proto::message_id(incarnation, message.first->first.value, message.first->second)) {
      return true;
    }
  }
  return false;
}

/// What died comes to its dead-letter queue as it dies; all else to the lane of its priority.
void Oracle::check_lane(proto::LogId log, proto::Offset offset, MessageNumber number,
                        const Origin& origin) {
  const int lane = proto::priority_of(proto::lane_tag(offset));
  const bool has_died = origin.how == Origin::How::kDied;
  const bool is_untold = origin.how == Origin::How::kUntold && lane == proto::kDefaultPriority;
  if (!is_untold && lane != (has_died ? proto::kDefaultPriority : messages_[number].priority)) {
    wrong("lies among messages of priority " + std::to_string(lane) + ", and has priority " +
              std::to_string(messages_[number].priority),
          log, offset, number);
  }
}

/// Whether this fits what is known of the message: a violation where it does not.
bool Oracle::knows(proto::LogId log, proto::Offset offset, MessageNumber number,
                   const Origin& origin, Sight sight) {
  if (number == 0 || number >= messages_.size()) {
    wrong("nobody sent this", log, offset, number);
    return false;
  }
  Message& message = messages_[number];
  KnownOffsets& at = logs_.at(log).at;
  if (at.at(offset) != 0 && at.at(offset) != number) {
    wrong("an offset was given twice", log, offset, number);
    return false;
  }
  if (message.refused) {
    wrong("stored, and its sender heard that it is not", log, offset, number);
    return false;
  }
  at.set(offset, number);
  check_lane(log, offset, number, origin);
  if (origin.how == Origin::How::kSent || sight == Sight::kStored) {
    const std::pair here(log, offset);
    if (std::exchange(message.first, here).value_or(here) != here) {
      wrong("a message is stored twice", log, offset, number);
      return false;
    }
  }
  if (!origin.id.empty()) {
    const std::string before = std::exchange(message.id, origin.id);
    if (!before.empty() && before != origin.id) {
      wrong("a copy has another id than the one before, " + before, log, offset, number);
      return false;
    }
  }
  if (message.first && !message.id.empty() && !has_id_of(message, message.id)) {
    wrong("a copy has another id than its message, " + message.id, log, offset, number);
    return false;
  }
  if (origin.how != Origin::How::kUntold) {
    const std::pair text(origin.key, origin.colour);
    if (std::exchange(message.text, text).value_or(text) != text) {
      wrong("a copy has another key or other headers", log, offset, number);
      return false;
    }
  }
  return true;
}

/// A message has one offset in a log at a time, and an offset one message, for ever. nullptr: a
/// violation.
Oracle::Place* Oracle::learn(proto::LogId log, proto::Offset offset, MessageNumber number,
                             Origin origin, Sight sight) {
  if (!knows(log, offset, number, origin, sight)) {
    return nullptr;
  }
  if (Place* known = find_place(number, log, offset); known != nullptr) {
    if (known->origin.how == Origin::How::kUntold) {
      known->origin = std::move(origin);
    }
    return known;
  }
  return &add_place(number, {.log = log, .offset = offset, .origin = std::move(origin)}, sight);
}

Oracle::Place& Oracle::add_place(MessageNumber number, Place place, Sight sight) {
  Message& message = messages_[number];
  std::vector<Place>& places = message.places;
  place.expires = expires_in(message, logs_.at(place.log));
  if (places.empty()) {
    place.unsure_attempts = message.early_crashes;
  }
  // What was put off comes into its log as a copy, when it is due.
  if (places.empty() && message.delay && place.log == message.home &&
      place.origin.how == Origin::How::kRedriven) {
    world_.report().count("message: became ready");
    place.seen = sight == Sight::kGone ? 0 : word_;
    return places.emplace_back(std::move(place));
  }
  if (place.origin.how == Origin::How::kSent || sight == Sight::kStored) {
    return *places.insert(places.begin(), std::move(place));
  }
  world_.report().count("message: dead-lettered", place.origin.how == Origin::How::kDied ? 1 : 0);
  world_.report().count("message: redriven", place.origin.how == Origin::How::kRedriven ? 1 : 0);
  if (sight == Sight::kGone) {
    // Somewhere in the middle of its way: not where it lies now, where that is known.
    const bool is_last =
        places.empty() ||
        (places.size() == 1 && message.first == std::pair(places[0].log, places[0].offset));
    place.seen = places.empty() ? 0 : places.back().seen;
    return *places.insert(is_last ? places.end() : places.end() - 1, std::move(place));
  }
  // All that is not known of it yet may have been.
  Place from{.log = message.home, .may_be_poison = 1};
  if (!places.empty()) {
    from = places.back();
    place.unsure_attempts = from.unsure_attempts;
  }
  check_way(number, from, place);
  check_edits(number, from, place);
  check_order(number, from, place);
  place.seen = word_;
  return places.emplace_back(std::move(place));
}

Oracle::Place* Oracle::find_place(MessageNumber number, proto::LogId log, proto::Offset offset) {
  for (Place& known : messages_[number].places) {
    if (known.log == log && known.offset == offset) {
      return &known;
    }
  }
  return nullptr;
}

bool Oracle::may_have_died(const Place& place) const {
  const Log& log = logs_.at(place.log);
  // The newest lease may have ended with one more.
  return place.may_be_poison > 0 ||
         (log.settings.dead_letter_expired != 0 && may_have_expired(place)) ||
         place.failures + place.unsure_attempts + (place.lease ? 1 : 0) >=
             static_cast<int>(log.settings.max_receive_count);
}

bool Oracle::may_have_left(const Place& place) const {
  return may_have_died(place) || !ways_from(place).empty() || may_have_been_dropped(place);
}

/// There, since it was seen.
bool Oracle::may_have_been_dropped(const Place& place) const {
  return std::ranges::any_of(logs_.at(place.log).redrives, [&](const Redriven& redrive) {
    return redrive.drops() && redrive.over > place.seen && may_take(redrive, place) &&
           (!redrive.asked.parked || may_have_died(place));
  });
}

/// There, or where it may have gone from there.
bool Oracle::may_be_dropped(const Place& place) const {
  return may_have_been_dropped(place) ||
         std::ranges::any_of(ways_from(place), [&](const Stop& stop) {
           return std::ranges::any_of(logs_.at(stop.log).redrives, [&](const Redriven& redrive) {
             return redrive.drops() && redrive.over > place.seen &&
                    is_meant_anywhere(redrive, place);
           });
         });
}

/// Since it was handed out last.
bool Oracle::may_have_been_unparked(const Place& place) const {
  return may_have_died(place) &&
         std::ranges::any_of(logs_.at(place.log).redrives, [&](const Redriven& redrive) {
           return redrive.unparks() && redrive.over > place.handed_out && may_take(redrive, place);
         });
}

/// Whether that is the id of what lies there, in some incarnation.
bool Oracle::is_place(const std::string& id, const Place& place) {
  const auto named = proto::parse_message_id(id);
  return named && named->object == place.log.value &&
         (place.offset < 0 || named->offset == place.offset);
}

std::string Oracle::some_id(Rng& rng, std::optional<proto::LogId> in) const {
  constexpr std::size_t kTried = 200;
  std::size_t chosen = rng.below(messages_.size());
  for (std::size_t i = 0; in && i < kTried && !is_in(messages_[chosen], *in); ++i) {
    chosen = (chosen + 1) % messages_.size();
  }
  const Message& message = messages_[chosen];
  if (!message.id.empty() || !message.first) {
    return message.id.empty() ? proto::message_id(1, 1, 0) : message.id;
  }
  return proto::message_id(1, message.first->first.value, message.first->second);
}

std::string Oracle::id_of_nobody(proto::LogId log) const {
  constexpr proto::Offset kNeverReached = proto::Offset{1} << 40;
  const std::uint32_t incarnation = host_.shard() != nullptr ? host_.shard()->incarnation() : 1;
  return proto::message_id(incarnation, log.value, kNeverReached);
}

/// As far as it is known.
bool Oracle::is_in(const Message& message, proto::LogId log) {
  return message.places.empty() ? message.delay && message.delay->log == log
                                : message.places.back().log == log;
}

/// By the filter, and what a message keeps on its way.
bool Oracle::is_meant_anywhere(const Redriven& redrive, const Place& place) {
  const core::MessageFilter& filter = redrive.asked.filter;
  const Origin& origin = place.origin;
  return origin.how == Origin::How::kUntold ||
         ((filter.key.empty() || filter.key == origin.key) &&
          (filter.header.empty() || filter.header_value == origin.colour) &&
          (filter.message_id.empty() || (origin.id.empty() ? is_place(filter.message_id, place)
                                                           : filter.message_id == origin.id)));
}

/// By the filter, and all that is told of it there.
bool Oracle::is_meant(const Redriven& redrive, const Place& place) {
  const core::MessageFilter& filter = redrive.asked.filter;
  const Origin& origin = place.origin;
  const bool is_in_time =
      (filter.died_after == 0 && filter.died_before == 0) ||
      (origin.how == Origin::How::kDied && origin.died_time >= filter.died_after &&
       (filter.died_before == 0 || origin.died_time < filter.died_before));
  return is_in_time && (filter.reason.empty() || filter.reason == origin.reason) &&
         is_meant_anywhere(redrive, place);
}

bool Oracle::may_take(const Redriven& redrive, const Place& place) {
  if (redrive.said) {
    const bool has_passed = redrive.said_in < place.seen && redrive.said->position > place.offset;
    if (!redrive.is_part(place.offset).value_or(true) || (redrive.moves() && has_passed)) {
      return false;
    }
  }
  return place.origin.how == Origin::How::kUntold || is_meant(redrive, place);
}

/// Where it may be by now, when it was seen in that place last.
std::vector<Oracle::Stop> Oracle::ways_from(const Place& place) const {
  std::vector<Stop> stops;
  const auto reach = [&stops](Stop stop) {
    if (std::ranges::find(stops, stop) == stops.end()) {
      stops.push_back(stop);
    }
  };
  const auto leave = [&](proto::LogId from, proto::LogId died_from, bool is_known) {
    const Log& log = logs_.at(from);
    if (log.dead_letters.value != 0 && (!is_known || may_have_died(place))) {
      reach({log.dead_letters, from});
    }
    for (const Redriven& redrive : log.redrives) {
      const proto::LogId target = redrive.target.value != 0 ? redrive.target : died_from;
      if (redrive.moves() && redrive.over > place.seen && target.value != 0 && target != from &&
          (!is_known || may_take(redrive, place))) {
        reach({target, {}, &redrive});
      }
    }
  };
  leave(place.log, place.origin.died_from, true);
  for (std::size_t i = 0; i < stops.size(); ++i) {
    leave(stops[i].log, stops[i].died_from, false);
  }
  return stops;
}

/// Something must have brought it there, in the way that it tells.
void Oracle::check_way(MessageNumber number, const Place& from, const Place& to) {
  const bool is_redriven = to.origin.how == Origin::How::kRedriven;
  const std::vector<Stop> stops = ways_from(from);
  const bool is_possible = std::ranges::any_of(stops, [&](const Stop& stop) {
    return stop.log == to.log && (stop.by != nullptr) == is_redriven &&
           stop.died_from == to.origin.died_from;
  });
  if (!is_possible) {
    wrong(std::string(is_redriven ? "redriven" : "dead-lettered") +
              ", and nothing can have brought it here; it was at offset " +
              std::to_string(from.offset) + " of log " + std::to_string(from.log.value),
          to.log, to.offset, number);
  }
}

std::vector<const Oracle::Redriven*> Oracle::redrives_between(const Place& from) const {
  std::vector<const Redriven*> redrives;
  for (const Stop& stop : ways_from(from)) {
    if (stop.by != nullptr && std::ranges::find(redrives, stop.by) == redrives.end()) {
      redrives.push_back(stop.by);
    }
  }
  return redrives;
}

/// It has what the redrive that brought it there gave it, or else what it had.
void Oracle::check_edits(MessageNumber number, const Place& from, const Place& to) {
  const bool is_told =
      from.origin.how != Origin::How::kUntold && to.origin.how != Origin::How::kUntold;
  const std::vector<const Redriven*> redrives = redrives_between(from);
  if (!is_told || redrives.size() > 1) {
    return;  // any of several may have, and one that has died again may have been there before
  }
  const bool is_redriven = to.origin.how == Origin::How::kRedriven;
  const auto edit = redrives.empty() || redrives[0]->asked.headers.empty()
                        ? from.origin.edited
                        : redrives[0]->asked.headers.set[0].second;
  const bool fits =
      to.origin.edited == edit || (!is_redriven && to.origin.edited == from.origin.edited);
  world_.report().count("message: edited", !edit.empty() && is_redriven ? 1 : 0);
  if (!fits) {
    wrong("has been edited to \"" + to.origin.edited + "\" instead of \"" + edit + "\"", to.log,
          to.offset, number);
  }
}

/// What one redrive takes from one queue to another keeps its order, and is counted. Only where no
/// other one can have had a hand in it.
void Oracle::check_order(MessageNumber number, const Place& from, const Place& to) {
  const std::vector<const Redriven*> redrives = redrives_between(from);
  if (redrives.size() != 1 || from.offset < 0 || to.origin.how != Origin::How::kRedriven) {
    return;
  }
  const Redriven* by = redrives[0];
  const auto known = std::ranges::find(logs_.at(from.log).redrives, by->number, &Redriven::number);
  if (known == logs_.at(from.log).redrives.end()) {
    return;  // it has died on its way to where that takes from
  }
  auto& copies = known->copies[{to.log, proto::lane_tag(to.offset)}];
  const auto at = copies.emplace(from.offset, to.offset).first;
  const auto next = std::next(at);
  if ((at != copies.begin() && std::prev(at)->second >= to.offset) ||
      (next != copies.end() && next->second <= to.offset)) {
    wrong("a redrive has changed the order of messages", to.log, to.offset, number);
  }
  std::uint64_t moved = 0;
  for (const auto& [target, taken] : known->copies) {
    moved += taken.size();
  }
  if (known->said && !known->said->is_running() && moved > known->said->moved) {
    wrong("a redrive has ended, and did not count this", to.log, to.offset, number);
  }
}

}  // namespace weir::sim
