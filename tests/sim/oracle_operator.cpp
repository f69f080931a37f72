#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <variant>

// What an operator asked for: pauses and purges. The answer to a purge says which offsets are gone;
// until it is there, all that the queue holds may be, and so it stays where the answer is lost,
// until the store is looked at.
namespace weir::sim {

void Oracle::heard_pause(proto::SessionId session, std::uint64_t request, proto::LogId log,
                         std::optional<bool> receives) {
  if (!receives) {
    return;
  }
  Log& known = logs_.at(log);
  if (!*receives) {
    known.receives_paused = false;
    ++known.resumes;
  }
  pauses_[{session, request}] = {log, *receives, known.resumes};
}

void Oracle::heard_purge(proto::SessionId session, std::uint64_t request, proto::LogId log) {
  purges_[{session, request}] = log;
  ++logs_.at(log).purges;
  logs_.at(log).may_be_purged = true;
  for (Message& message : messages_) {
    if (message.delay && message.delay->log == log) {
      message.delay->may_be_gone = true;
    }
  }
  const auto forgo = [log](HeardRange& heard) {
    if (heard.log == log) {
      for (HeardMessage& message : heard.messages) {
        message.must_succeed = false;
      }
    }
  };
  for (auto& [key, ranges] : settles_) {
    std::ranges::for_each(ranges, forgo);
  }
  for (auto& [key, ranges] : handles_) {
    std::ranges::for_each(ranges, forgo);
  }
}

void Oracle::said_of_operator(proto::SessionId session, std::uint64_t request,
                              const proto::Result<core::Reply>& reply) {
  if (const auto it = pauses_.find({session, request}); it != pauses_.end()) {
    Log& log = logs_.at(it->second.log);
    if (reply && it->second.pauses && it->second.resumes == log.resumes) {
      log.receives_paused = true;
    }
    pauses_.erase(it);
  }
  if (const auto it = delay_changes_.find({session, request}); it != delay_changes_.end()) {
    said_of_delays(it->second, reply);
    delay_changes_.erase(it);
  }
  if (const auto it = looks_.find({session, request}); it != looks_.end()) {
    said_look(it->second, reply);
    looks_.erase(it);
  }
  const auto it = purges_.find({session, request});
  if (it == purges_.end()) {
    return;
  }
  const proto::LogId id = it->second;
  purges_.erase(it);
  Log& log = logs_.at(id);
  bool is_told = false;
  if (reply) {
    const auto& before = std::get<core::QueueInfo>(*reply);
    if (before.next_offset < log.purged.of(0) || before.next_offset < log.at.count()) {
      wrong("a purge ends before what was said", id, before.next_offset, 0);
    }
    // It says how many messages had come to all lanes together.
    is_told = !has_lanes_;
    if (is_told) {
      log.purged.set(0, before.next_offset);
    }
    log.purge_seen = word_;
    world_.report().count("operator: purged", before.messages() > 0 ? 1 : 0);
  }
  if (std::ranges::none_of(purges_, [id](const auto& other) { return other.second == id; }) &&
      is_told) {
    log.may_be_purged = false;
  }
}

void Oracle::forget_operators(std::optional<proto::SessionId> session) {
  const auto goes = [&](const auto& entry) { return !session || entry.first.first == *session; };
  for (const auto& entry : delay_changes_) {
    if (goes(entry)) {
      forget_delays(entry.second);
    }
  }
  std::erase_if(delay_changes_, goes);
  std::erase_if(pauses_, goes);
  std::erase_if(looks_, goes);
  std::erase_if(purges_, goes);
  std::erase_if(redrive_requests_, goes);
}

/// Also where it has gone on to and nobody has seen it. What was put off and nobody has seen since
/// knows of purges by itself.
bool Oracle::may_be_purged(const Place& place) const {
  if (place.offset >= 0 && logs_.at(place.log).purged.is_behind(place.offset)) {
    return true;
  }
  const std::vector<Stop> stops = ways_from(place);
  return std::ranges::any_of(
      stops, [&](const Stop& stop) { return logs_.at(stop.log).purge_seen > place.seen; });
}

}  // namespace weir::sim
